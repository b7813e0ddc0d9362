"""Whose address a request comes from, when proxies stand between."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

IPV6_HOME = 64  # bits; one household or phone has all addresses behind them


def read(text: str) -> IPv4Address | IPv6Address | None:
    """The address, if it is one; what an IPv4 caller is called on an IPv6 socket is his IPv4 address."""
    try:
        found = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(found, IPv4Address):
        return found
    return None if found.scope_id else found.ipv4_mapped or found


def who_asks(peer: str, forwarded: str, proxies: Sequence[str]) -> str:
    """The address of the last one whom no trusted proxy vouches for; a header from anybody else counts for nothing.

    Each proxy appends to `X-Forwarded-For` whom it saw; it is believed from its end, and only while it names addresses.
    """
    asks = read(peer)
    for part in reversed(forwarded.split(",")):
        before = read(part)
        if before is None or not is_one_of(asks, proxies):
            break
        asks = before
    return str(asks or peer)


def is_one_of(address: IPv4Address | IPv6Address | None, networks: Sequence[str]) -> bool:
    """Whether the address lies in one of the networks."""
    return address is not None and any(address in ip_network(one, strict=False) for one in networks)


def household(ip: str) -> str:
    """What limits count by: an IPv4 address, or the part of an IPv6 address that its owner cannot change at will."""
    found = read(ip)
    return str(ip_network((found, IPV6_HOME), strict=False)) if isinstance(found, IPv6Address) else ip
