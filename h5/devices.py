"""How a PC is told to its owner's phone: browser, system, and where from. A hint for a person, never a proof."""

from ipaddress import IPv4Address, IPv6Address

from h5 import addresses

BROWSERS = [
    ("MicroMessenger/", "微信"), ("Edg", "Edge"), ("OPR/", "Opera"), ("QQBrowser/", "QQ"),
    ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
]  # fmt: skip
SYSTEMS = [
    ("Windows", "Windows"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Mac OS X", "macOS"), ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
]  # fmt: skip
UNKNOWN = "没有说明的"


def named(user_agent: str) -> str:
    """`Chrome 浏览器，Windows 系统`, as far as it says."""
    return f"{first(user_agent, BROWSERS)}浏览器，{first(user_agent, SYSTEMS)}系统"


def first(user_agent: str, known: list[tuple[str, str]]) -> str:
    """The first of the known names that it carries: Edge calls itself Chrome too, and Chrome Safari."""
    return next((f"{name} " for mark, name in known if mark in user_agent), UNKNOWN)


def place(ip: str, phone_ip: str) -> str:
    """Roughly where the PC is, beside this phone: the same network or not, and the front of its address."""
    found = addresses.read(ip)
    where = "本地网络" if found is not None and found.is_private else front(found)
    near = addresses.household(ip) == addresses.household(phone_ip)
    return f"{where}，{'和这部手机在同一个网络' if near else '和这部手机不在同一个网络'}"


def front(found: IPv4Address | IPv6Address | None) -> str:
    """`203.0.*.*`: enough to know one's own office by."""
    if isinstance(found, IPv4Address):
        return ".".join(str(found).split(".")[:2]) + ".*.*"
    return "未知地址" if found is None else ":".join(found.exploded.split(":")[:2]) + ":*"
