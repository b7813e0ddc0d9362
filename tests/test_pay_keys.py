"""WeChat Pay's keys by serial and in their time, and files that are none."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from clients.pay import NoticeForged, PlatformKeys, read_private_key
from clients.pay_crypto import read_api_v3_key
from tests.pay_kit import (
    API_V3_KEY,
    CERTIFICATE_PEM,
    CERTIFICATE_SERIAL,
    MERCHANT_PEM,
    NOW,
    PLATFORM_KEY,
    PUBLIC_ID,
    PUBLIC_PEM,
    STRANGER_KEY,
    Clock,
    both_modes,
    certificate,
    event,
    offline,
    once,
    signed_headers,
)

PEM = serialization.Encoding.PEM


def test_a_certificate_counts_in_its_own_time_only() -> None:
    keys = PlatformKeys.of("", None, [certificate(0xABC, starts_at=NOW - 10, ends_at=NOW + 10)])
    body = event()
    for off, counts in ((-11, False), (-10, True), (10, True), (11, False)):
        pay = offline(platform_keys=keys, now=Clock(NOW + off))
        headers = once(signed_headers(body, now=NOW + off, serial="0ABC"))
        if counts:
            assert pay.read_notice(headers, body)
        else:
            with pytest.raises(NoticeForged, match="serial"):
                pay.read_notice(headers, body)


def test_of_several_certificates_the_newest_is_asked_for_and_each_counts() -> None:
    old = certificate(0xA1, starts_at=NOW - 100)
    new = certificate(0xB2, STRANGER_KEY, starts_at=NOW - 50)
    future = certificate(0xC3, starts_at=NOW + 50)
    keys = PlatformKeys.of("", None, [new, old, future])
    assert keys.preferred(NOW) == "B2" and keys.preferred(NOW + 50) == "C3"
    body = event()
    for serial, key in (("A1", PLATFORM_KEY), ("B2", STRANGER_KEY)):
        assert offline(platform_keys=keys).read_notice(once(signed_headers(body, serial=serial, key=key)), body)
    with pytest.raises(NoticeForged):
        offline(platform_keys=keys).read_notice(once(signed_headers(body, serial="B2")), body)


def test_a_public_key_is_asked_for_before_any_certificate() -> None:
    assert both_modes().preferred(NOW) == PUBLIC_ID
    assert PlatformKeys.of("", None, [CERTIFICATE_PEM]).preferred(NOW) == CERTIFICATE_SERIAL
    assert PlatformKeys.of("", None, []).preferred(NOW) == ""


def private_pem(key, password: bytes | None = None) -> bytes:
    """A private key's file."""
    shield = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, shield)


SMALL = rsa.generate_private_key(public_exponent=65537, key_size=1024)
CURVE = ec.generate_private_key(ec.SECP256R1())
PRIVATE_JUNK = {
    "empty": b"",
    "junk": b"\xff\x00",
    "half": MERCHANT_PEM[:400],
    "a certificate": CERTIFICATE_PEM,
    "a public key": PUBLIC_PEM,
    "locked": private_pem(STRANGER_KEY, b"secret"),
    "another kind": private_pem(CURVE),
    "too small": private_pem(SMALL),
}
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
PUBLIC_JUNK = {
    "empty": b"",
    "half": PUBLIC_PEM[:200],
    "a private key": MERCHANT_PEM,
    "another kind": CURVE.public_key().public_bytes(PEM, SPKI),
    "too small": SMALL.public_key().public_bytes(PEM, SPKI),
}


@pytest.mark.parametrize("what", PRIVATE_JUNK)
def test_a_private_key_that_cannot_sign_stops_the_start_with_a_word_why(what: str) -> None:
    with pytest.raises(ValueError, match="private key"):
        read_private_key(PRIVATE_JUNK[what])


@pytest.mark.parametrize("what", PUBLIC_JUNK)
def test_a_public_key_that_cannot_prove_stops_the_start_with_a_word_why(what: str) -> None:
    with pytest.raises(ValueError, match=r"public key.*pub_key\.pem"):
        PlatformKeys.of(PUBLIC_ID, PUBLIC_JUNK[what])


@pytest.mark.parametrize("pem", [b"", CERTIFICATE_PEM[:300], PUBLIC_PEM, certificate(1, SMALL)])
def test_a_certificate_that_cannot_prove_stops_the_start_with_a_word_why(pem: bytes) -> None:
    with pytest.raises(ValueError, match="certificate"):
        PlatformKeys.of("", None, [pem])


def test_a_public_key_without_its_id_stops_the_start() -> None:
    with pytest.raises(ValueError, match="PUB_KEY_ID"):
        PlatformKeys.of("", PUBLIC_PEM)


@pytest.mark.parametrize("key", ["", API_V3_KEY[1:], API_V3_KEY + "x", "课" * 32, "课" * 11])
def test_an_api_v3_key_of_another_length_stops_the_start_and_is_not_told(key: str) -> None:
    with pytest.raises(ValueError, match="32 characters") as no:
        read_api_v3_key(key)
    assert not key or key not in str(no.value)
