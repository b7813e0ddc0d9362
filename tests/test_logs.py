"""No log line, page or error text tells a secret, an openid or a code, whatever goes wrong."""

import json
import logging
import re

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from peewee import DataError, IntegrityError

from sandbox.world import World
from tests.attack_kit import logged
from tests.site import COURSE
from wxbot import logs

gen = pytest.mark.gen_test(timeout=60)


@pytest.fixture
def lines():
    """Everything that this process logs, as it would stand in the file."""
    with logged("debug") as written:
        yield written


def test_a_secret_is_hidden_by_its_name_and_by_its_looks(lines):
    openid, token = "o" + "A1b2" * 6 + "xyz", "ab12" * 16
    structlog.get_logger().info("hello", openid="x", code="y", count=3)
    structlog.get_logger().info(f"seen {openid} {token} /x?code=abc123&state=zzz 13812345678 Basic YWJjZGVmZ2g=")
    logging.getLogger("elsewhere").warning("GET /sns?secret=topsecret %s", openid)
    text = lines.getvalue()
    for secret in (openid, token, "abc123", "zzz", "13812345678", "YWJjZGVmZ2g", "topsecret"):
        assert secret not in text
    first = json.loads(text.splitlines()[0])
    assert (first["openid"], first["code"], first["count"]) == ("[hidden]", "[hidden]", 3)


def test_a_traceback_is_cleaned_too(lines):
    try:
        raise ValueError("https://api/sns?appid=a&secret=topsecret&code=c0de")
    except ValueError as problem:
        structlog.get_logger().error("failed", exc_info=problem)
    assert "Traceback" in lines.getvalue()
    assert "topsecret" not in lines.getvalue()
    assert "c0de" not in lines.getvalue()


NAME = "\u91d1\u4e1d\u96c0"
FAULTS = {
    "a value that is no number": lambda: int(NAME),
    "a key that is not there": lambda: {}[NAME],
    "MariaDB": lambda: fails(IntegrityError(1062, f"Duplicate entry '{NAME}-1' for key 'link.active_uid'")),
    "PostgreSQL": lambda: fails(IntegrityError(f"duplicate key\nDETAIL:  Key (uid)=({NAME}) already exists.")),
    "PostgreSQL's types": lambda: fails(DataError(f'invalid input syntax for type integer: "{NAME}"')),
}


def fails(problem: Exception) -> None:
    """Raise it from another, as peewee does."""
    raise problem from ValueError(f"'{NAME}'")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_with_its_place_and_not_with_the_value_in_its_words(lines, fault):
    try:
        FAULTS[fault]()
    except (ValueError, KeyError, IntegrityError, DataError) as problem:
        structlog.get_logger().error("failed", exc_info=problem)
    told = json.loads(lines.getvalue())["exception"]
    assert re.search(r"^(\w+\.)?(Value|Key|Integrity|Data)Error: ", told, re.M) and 'test_logs.py", line' in told
    assert NAME not in told


def test_libraries_say_nothing_for_debugging_and_we_do(lines):
    logging.getLogger("peewee").debug(("INSERT INTO link", [NAME]))
    logging.getLogger("tornado.general").debug(NAME)
    assert lines.getvalue() == ""
    logging.getLogger("peewee").warning("slow")
    structlog.get_logger("services.jobs").debug("round")
    assert [json.loads(line)["event"] for line in lines.getvalue().splitlines()] == ["slow", "round"]


def secrets_of(site, page) -> set[str]:
    """All that must stand in no log: of the settings, and of everything that was sent."""
    config = site.config
    told = {config.wechat_app_secret, config.wechat_token, config.planet_client_secret, *config.secret_keys}
    told |= {site.phone("anna").openid, site.key, *config.wechat_aes_keys}
    told |= {one.value for one in site.phone("anna").jar.cookies(site.base_url)}
    world: World = site.world
    for entry in world.journal.entries():
        for part in (entry.path, entry.request or "", entry.response or ""):
            told |= {word for word in part.replace("&", "=").replace('"', "=").split("=") if len(word) in {32, 64}}
    return {one for one in told if one}


@pytest.mark.parametrize("fault", [None, "down", "junk", "error", "half"])
@gen
async def test_the_whole_story_leaves_no_secret_in_the_log(lines, site, fault):
    await site.buys("anna")
    if fault:
        site.world.faults.set("wechat", fault, operation="sns.exchange", times=1)
        await site.signs_in("anna", f"/courses/{COURSE}/planet")
        site.world.faults.set("planet", fault, operation="planet.token", times=1)
        await site.links("anna")
        site.world.faults.set("planet", fault, operation="planet.grant", times=1)
    page = await site.links("anna")
    await site.phone("anna").follow()
    await site.phone("anna").say("星球")
    await site.fetch("/api/v1/purchases/yiling/A1", auth_username="yiling", auth_password=site.key)
    await site.fetch("/oauth/callback?code=canary-code-123&state=" + "0" * 32)
    site.clock.forward(minutes=5)
    await site.delivers()
    text = lines.getvalue()
    found = {secret for secret in secrets_of(site, page) if secret in text}
    assert not found
    assert "canary-code-123" not in text
    assert "Traceback" not in text


@pytest.mark.parametrize("pattern", logs.SECRET_TEXT, ids=lambda pattern: pattern.pattern[:20])
@given(data=st.data())
def test_the_quick_look_at_a_text_misses_no_secret_that_would_be_hidden(pattern, data):
    text = data.draw(st.from_regex(pattern))
    assert logs.SUSPECT.search(text), "clean() would let it through unseen"
