"""The settings of WeChat Pay: all that is needed or nothing, each key in its file, and a bad one in one line."""

from pathlib import Path

import pytest

from sandbox.pay_settings import PaySettings
from tests.test_settings import WECHAT, loaded, refusal

KEY = "k" * 32


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """The settings of a merchant, whose keys lie in files."""
    made = PaySettings()
    pems = {
        "private": made.merchant_private_key_pem, "public": made.public_key_pem,
        "certificate": made.platform_certificate_pem,
    }  # fmt: skip
    for name, pem in pems.items():
        (tmp_path / f"{name}.pem").write_bytes(pem)
    return {name: str(tmp_path / f"{name}.pem") for name in pems}


def merchant(files: dict[str, str], **changes: str) -> dict[str, str]:
    """All that a merchant needs."""
    whole = {
        "pay_mch_id": "1900009999", "pay_cert_serial": "0A" * 20, "pay_private_key_file": files["private"],
        "pay_apiv3_key": KEY, "pay_public_key_id": "PUB_KEY_ID_1", "pay_public_key_file": files["public"],
    }  # fmt: skip
    return WECHAT | whole | changes


def test_a_merchant_with_a_public_key_or_with_certificates_is_taken(files):
    assert loaded(**merchant(files)).pay_mch_id == "1900009999"
    certificates = {"pay_public_key_id": "", "pay_public_key_file": "", "pay_platform_cert_files": files["certificate"]}
    assert loaded(**merchant(files, **certificates)).pay_platform_cert_files == (files["certificate"],)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("pay_cert_serial", "WXBOT_PAY_CERT_SERIAL"),
        ("pay_private_key_file", "WXBOT_PAY_PRIVATE_KEY_FILE"),
        ("pay_apiv3_key", "WXBOT_PAY_APIV3_KEY"),
        ("pay_public_key_file", "WXBOT_PAY_PUBLIC_KEY_FILE"),
        ("pay_public_key_id", "WXBOT_PAY_PUBLIC_KEY_ID"),
    ],
)
def test_a_merchant_without_one_of_them_is_told_which(files, name, says):
    assert says in refusal(**merchant(files, **{name: ""}))


def test_a_merchant_needs_an_account(files):
    bare = {name: value for name, value in merchant(files).items() if not name.startswith("wechat")}
    assert "WXBOT_WECHAT_APP_ID" in refusal(**bare)


@pytest.mark.parametrize("key", ["k" * 31, "k" * 33, "钥" * 32])
def test_a_key_that_cannot_be_stops_the_start(files, key):
    told = refusal(**merchant(files, pay_apiv3_key=key))
    assert told.startswith("WXBOT_PAY_APIV3_KEY") and key not in told


@pytest.mark.parametrize(
    ("name", "holds"),
    [("pay_private_key_file", "public"), ("pay_public_key_file", "private"), ("pay_platform_cert_files", "public")],
)
def test_a_file_without_its_key_stops_the_start(files, name, holds):
    told = refusal(**merchant(files, **{name: files[holds]}))
    assert told.startswith(f"WXBOT_{name.upper()}") and "BEGIN" not in told


def test_a_file_that_is_not_there_stops_the_start(files, tmp_path):
    told = refusal(**merchant(files, pay_private_key_file=str(tmp_path / "nothing.pem")))
    assert told.startswith("WXBOT_PAY_PRIVATE_KEY_FILE names a file that cannot be read")


def test_the_real_company_is_told_from_the_sandbox(files):
    live = {"wechat_api_url": "http://127.0.0.1:1", "wechat_open_url": "http://127.0.0.1:1"}
    assert loaded(**merchant(files), **live).live_urls() == ["WXBOT_PAY_API_URL"]
    assert loaded(**merchant(files), **live, pay_api_url="http://127.0.0.1:2").live_urls() == []
