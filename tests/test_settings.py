"""Settings: each is described and in the example file; a bad one is one line that names it and tells no secret."""

import re
from pathlib import Path
from typing import Any

import pytest

from services.config import PREFIX, BadSettings, Config, load
from tests.commands import written

pytest_plugins = ["tests.commands"]
EXAMPLE = Path(__file__).parent.parent / "deploy" / "env.example"
SECRET = "do-not-tell-this-secret-to-anybody-at-all"
AES_KEY = "a" * 42 + "0"
GOOD = {"base_url": "https://bridge.example.com", "secret_keys": SECRET}
WECHAT = {
    "wechat_app_id": "wx1",
    "wechat_app_secret": SECRET,
    "wechat_token": SECRET,
    "wechat_aes_keys": AES_KEY,
}
PLANET = {"planet_url": "https://planet.example", "planet_client_id": "us", "planet_client_secret": SECRET}


def loaded(**changes: Any) -> Config:
    """Good settings with changes, whatever file lies about."""
    return load(_env_file=None, **GOOD | changes)


def refusal(**changes: Any) -> str:
    """The one line about a bad setting."""
    with pytest.raises(BadSettings) as refused:
        loaded(**changes)
    return str(refused.value)


def in_example() -> dict[str, str]:
    """The names of the example file, each with its value."""
    return dict(re.findall(r"^#?(WXBOT_[A-Z0-9_]+)=(.*)$", EXAMPLE.read_text("utf-8"), re.M))


def test_the_example_file_knows_every_setting_and_no_other():
    assert set(in_example()) == {f"{PREFIX}{name.upper()}" for name in Config.model_fields}


def test_the_example_file_shows_the_true_defaults():
    shown = dict(re.findall(r"^#(WXBOT_[A-Z0-9_]+)=(.*)$", EXAMPLE.read_text("utf-8"), re.M))
    for name, value in shown.items():
        default = Config.model_fields[name.removeprefix(PREFIX).lower()].default
        assert value == written(default), name


@pytest.mark.parametrize("name", Config.model_fields)
def test_every_setting_says_what_it_is(name):
    assert Config.model_fields[name].description
    lines = EXAMPLE.read_text("utf-8").splitlines()
    place = next(at for at, line in enumerate(lines) if re.match(rf"#?{PREFIX}{name.upper()}=", line))
    above = next(line for line in reversed(lines[:place]) if not re.match(r"#?WXBOT_", line))
    assert above.startswith("# "), "its comment stands above it, or above the ones that belong together"


BAD = {
    "base_url": [
        "http://bridge.example.com", "https://bridge.example.com/", "bridge.example.com", "https://", "ftp://a.example",
        "https://bridge.example.com/path", "https://me@bridge.example.com", "https://a.example?x=1", "https://[1",
        "https://a.example:port", "https://a.exa\nmple", "http://127.0.0.1.example.com", "https://星桥.example",
    ],
    "listen": ["8000", ":8000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:８０００", "127.0.0.1:x"],
    "database_url": [
        "wxbot.db", "sqlite://wxbot.db", "sqlite:///", "oracle://a/b", f"postgresql://u:{SECRET}#@h:p/db",
        f"postgresql://u:{SECRET}/@h/db", f"mysql://u:{SECRET}@host", f"mysql://u:{SECRET}@host/",
    ],
    "database_threads": ["0", "1", "65", "many"],
    "database_queue": ["0", "-1", "nan"],
    "redis_url": ["localhost", "http://localhost", f"redis://:{SECRET}/@h:p", "redis://"],
    "secret_keys": ["", "short", f"{SECRET},short", ","],
    "wechat_aes_keys": ["a" * 42, "a" * 44, "a" * 42 + "!", "é" * 43],
    "wechat_mode": ["secure", "", "Safe"],
    "wechat_api_url": ["", "http://api.weixin.qq.com", "https://api.weixin.qq.com/cgi-bin"],
    "wechat_open_url": ["", "javascript:alert(1)"],
    "wechat_verify_dir": ["/no/such/folder", __file__],
    "planet_url": ["http://planet.example", "https://planet.example/", "planet"],
    "reminder_days": ["7,30", "7,7", "0", "soon"],
    "trusted_proxies": ["nginx", "10.0.0.0/33", "127.0.0.1,proxy"],
    "weui_url": ["http://cdn.example/weui.css", "weui.css", "https://a.example/x; script-src *"],
    "limits_factor": ["0", "-1", "0.5"],
    "log_level": ["trace", "INFO", ""],
    "clock_url": ["https://clock.example", "http://clock.example", "clock"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_bad_value_is_one_line_that_names_the_setting_and_tells_no_secret(name, value):
    line = refusal(**{name: value})
    assert line.startswith(f"{PREFIX}{name.upper()} ")
    assert "\n" not in line
    assert SECRET not in line and (len(value) < 30 or value not in line)


@pytest.mark.parametrize("name", ["base_url", "secret_keys"])
def test_what_has_no_default_must_be_there(name):
    kept = {other: value for other, value in GOOD.items() if other != name}
    with pytest.raises(BadSettings, match=f"^{PREFIX}{name.upper()} is missing$"):
        load(_env_file=None, **kept)


@pytest.mark.parametrize(
    "values",
    [
        {"base_url": "http://127.0.0.1:8000"}, {"base_url": "http://localhost:8000"}, {"base_url": "http://[::1]:8000"},
        {"database_url": "sqlite:////var/lib/wxbot.db"}, {"database_url": "postgresql://u:p%40ss@db:5433/wxbot"},
        {"database_url": "postgresql:///wxbot?host=/run/postgresql"}, {"database_url": "mysql://root@127.0.0.1/wxbot"},
        {"redis_url": "redis://localhost:6379/0"}, {"trusted_proxies": "127.0.0.1, 10.0.0.0/8"},
        {"reminder_days": "14, 3"}, WECHAT, PLANET,
        WECHAT | {"wechat_mode": "plain", "wechat_aes_keys": ""}, {"listen": "[::1]:80"},
    ],
)  # fmt: skip
def test_a_good_value_is_taken(values):
    assert loaded(**values)


def test_commas_part_several_values():
    assert loaded(secret_keys=f"{SECRET}, {'k' * 32},").secret_keys == (SECRET, "k" * 32)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (WECHAT | {"wechat_token": ""}, "WXBOT_WECHAT_TOKEN"),
        (WECHAT | {"wechat_app_secret": ""}, "WXBOT_WECHAT_APP_SECRET"),
        (WECHAT | {"wechat_aes_keys": ""}, "WXBOT_WECHAT_AES_KEYS"),
        (PLANET | {"planet_client_id": ""}, "WXBOT_PLANET_CLIENT_ID"),
        (PLANET | {"planet_client_secret": ""}, "WXBOT_PLANET_CLIENT_SECRET"),
    ],
)
def test_a_half_of_a_pair_is_refused(values, named):
    line = refusal(**values)
    assert named in line and SECRET not in line and "\n" not in line


CLOCK = {"clock_url": "http://127.0.0.1:8100/clock"}
HERE = {"wechat_api_url": "http://127.0.0.1:8101", "wechat_open_url": "http://127.0.0.1:8101"}


@pytest.mark.parametrize(
    ("live", "named"),
    [(WECHAT, "WXBOT_WECHAT_API_URL"), (WECHAT | HERE | PLANET, "WXBOT_PLANET_URL")],
)
def test_a_virtual_clock_beside_anything_live_is_refused(live, named):
    assert refusal(**CLOCK | live) == f"WXBOT_CLOCK_URL is for the sandbox only, and {named} is live"


def test_a_virtual_clock_beside_the_sandbox_is_fine():
    assert loaded(**CLOCK | WECHAT | HERE, base_url="http://127.0.0.1:8000").live_urls() == []


HOOK = "c2VjcmV0IG9mIHRoZSBwbGFuZXQ="


@pytest.mark.parametrize("secret", ["secret", "whsec_", "whsec_*", "whsek_c2VjcmV0"])
def test_a_webhook_secret_has_the_form_of_the_standard(secret):
    with pytest.raises(BadSettings) as refused:
        loaded(**PLANET, planet_webhook_secrets=f"whsec_{HOOK},{secret}")
    assert "WXBOT_PLANET_WEBHOOK_SECRETS" in str(refused.value) and HOOK not in str(refused.value)


def test_settings_show_no_secret_when_they_are_printed():
    places = {"database_url": f"mysql://u:{SECRET}@h/db", "redis_url": f"redis://:{SECRET}@h"}
    everything = loaded(**WECHAT | PLANET | places, planet_webhook_secrets=f"whsec_{HOOK}")
    assert SECRET not in repr(everything) and HOOK not in repr(everything) and AES_KEY not in repr(everything)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("base_url", "http://bridge.example.com"), ("secret_keys", "short"), ("wechat_templates", "not json"),
     ("redis_url", "nonsense"), ("database_url", f"postgresql://u:{SECRET}#@h:p/db")],
)  # fmt: skip
@pytest.mark.parametrize("command", ["serve", "worker", "migrate", "check"])
def test_a_bad_setting_stops_a_command_with_one_line(wxbot, command, setting, value):
    done = wxbot(command, **{setting: value})
    assert done.code == 1
    assert done.out == ""
    assert re.fullmatch(rf"Error: WXBOT_{setting.upper()} [^\n]+\n", done.err)
    assert SECRET not in done.err
