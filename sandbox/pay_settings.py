"""What a merchant and WeChat Pay know of each other; everything has a default and may be changed while it runs."""

from dataclasses import dataclass, field
from functools import partial

from sandbox.pay_keys import Keys, throw_away

MERCHANT, PLATFORM, PUBLIC_KEY = "1900009999", "Tenpay.com sign", "WeChat Pay public key"
MODES = ("public_key", "certificate")


def made(name: str, part: str) -> bytes | str:
    """One part of the keys of this name."""
    keys: Keys = throw_away(name)
    return getattr(keys, part)


@dataclass
class PaySettings:
    """The merchant's side of the console of pay.weixin.qq.com, and the keys of both sides.

    `mode` is the key that signs when a request does not name one: public_key or certificate.
    """

    mch_id: str = MERCHANT
    mch_name: str = "微课"
    api_v3_key: str = "sandbox0pay0apiv3key0sandbox0pay"
    merchant_private_key_pem: bytes = field(default_factory=partial(made, MERCHANT, "private_pem"))
    merchant_certificate_pem: bytes = field(default_factory=partial(made, MERCHANT, "certificate_pem"))
    merchant_serial: str = field(default_factory=partial(made, MERCHANT, "serial"))
    public_key_id: str = "PUB_KEY_ID_0119000099992026010100000000000001"
    public_key_pem: bytes = field(default_factory=partial(made, PUBLIC_KEY, "public_pem"))
    public_key_private_pem: bytes = field(default_factory=partial(made, PUBLIC_KEY, "private_pem"))
    """What WeChat Pay signs with in the mode public_key."""
    platform_certificate_pem: bytes = field(default_factory=partial(made, PLATFORM, "certificate_pem"))
    platform_private_key_pem: bytes = field(default_factory=partial(made, PLATFORM, "private_pem"))
    """What it signs with in the mode certificate."""
    platform_serial: str = field(default_factory=partial(made, PLATFORM, "serial"))
    mode: str = MODES[0]
    is_certificates_open: bool = True
    """False: a merchant of today, who never had a platform certificate."""
    page_folders: list[str] | None = None
    """Addresses below which pages may open the cashier (支付授权目录); None switches the check off."""
    closes_at_time_expire: bool = False
    """WeChat only refuses payment after `time_expire`, and closes after 7 days; True closes at once."""
    is_delivering: bool = True
    """A running sandbox sends notices and ends refunds by itself; False leaves both to calls."""

    def check(self) -> None:
        """Refuse what WeChat Pay's console would refuse, with ValueError."""
        if self.mode not in MODES:
            raise ValueError(f"mode is {' or '.join(MODES)}, not {self.mode!r}")
        if len(self.api_v3_key) != 32 or not self.api_v3_key.isascii():
            raise ValueError("an APIv3 key has 32 letters and digits")

    @property
    def keys(self) -> dict[str, bytes]:
        """What WeChat Pay signs with, by the serial that the headers name."""
        return {self.public_key_id: self.public_key_private_pem, self.platform_serial: self.platform_private_key_pem}

    @property
    def serial(self) -> str:
        """The key of the mode."""
        return self.public_key_id if self.mode == MODES[0] else self.platform_serial
