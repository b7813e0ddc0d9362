"""What a command prints holds no secret and names nobody, also when it goes wrong, and at every level of the log."""

import pytest

from models.delivery import OutboxItem
from models.links import Link
from tests.site import COURSE
from tests.stand_in import CUT, answer, stand_in

pytest_plugins = ["tests.commands"]
gen = pytest.mark.gen_test(timeout=60)
PHONE, EMAIL, NAME, KEY = "13812345678", "canary@learner.example", "\u91d1\u4e1d\u96c0", "canary-pass-word"
HEAD = "platform,order_no,course,openid,phone,email,paid_fen,paid_at"
GOOD = {"platform": "yiling", "order_no": "A1", "course": COURSE, "openid": "", "phone": PHONE, "email": EMAIL}
GOOD |= {"paid_fen": "19900", "paid_at": "2026-01-01T08:00:00+08:00"}


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


def echo(asked) -> bytes:
    """An error page that repeats all that it was asked."""
    return answer(f"{asked.target} {asked.headers}".encode() + asked.body, status=500)


def refusing(asked) -> bytes:
    """A refusal whose words repeat it."""
    words = f"{asked.target} {asked.headers} {asked.body.decode()}"
    return answer({"errcode": 40125, "errmsg": words, "error": words}, status=400 if "/v1" in asked.path else 200)


def secrets_of(site, link: Link) -> set[str]:
    """What no command may print."""
    c = site.config
    told = {c.wechat_app_secret, c.wechat_token, c.planet_client_secret, *c.secret_keys, *c.wechat_aes_keys}
    told |= {site.key, PHONE, EMAIL, NAME, KEY, link.member_uid, link.display_name}
    return told | {site.phone(name).openid for name in ("anna", "bob")}


COMMANDS = [("check",), ("outbox", "list"), ("outbox", "retry"), ("verify",), ("menu", "show"), ("menu", "push")]
FAULTS = {"an echo": echo, "a refusal": refusing, "a cut line": lambda _: CUT}


@pytest.mark.parametrize("fault", FAULTS)
@gen
async def test_no_command_tells_a_secret_or_a_person(site, wxbot_beside, fault):
    site.box.planet.account_of(site.phone("anna").person).name = NAME
    await site.buys("anna")
    await site.phone("anna").follow()
    site.world.faults.set("planet", "junk", operation="planet.grant")
    site.world.faults.set("wechat", "error", operation="message.*")
    await site.links("anna")
    await site.delivers()
    waiting = await site.ctx.read(lambda _env: OutboxItem.select().where(OutboxItem.done < OutboxItem.wanted).count())
    assert waiting, "the control: there is somebody to list"
    secrets = secrets_of(site, await site.ctx.read(lambda _env: Link.get()))
    async with stand_in(FAULTS[fault]) as remote:
        away = {"wechat_api_url": remote.url, "planet_url": remote.url, "redis_url": f"redis://:{KEY}@127.0.0.1:1/0"}
        for command in COMMANDS:
            done = await wxbot_beside(*command, **site.settings() | away | {"log_level": "debug"})
            told = done.out + done.err
            assert done.code == 0 or told, command
            assert not {one for one in secrets if one in told}, command
            assert "Traceback" not in told, command
    assert remote.seen, "the control: they did ask"


@pytest.mark.parametrize("column", GOOD)
@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["real", "dry"])
@gen
async def test_a_bad_line_of_a_file_is_told_by_its_number_and_not_by_whose_it_is(
    site, wxbot_beside, tmp_path, column, dry
):
    bad = {"paid_fen": "x", "paid_at": PHONE, "phone": f"{PHONE}{PHONE}x", "email": f"{EMAIL} {PHONE}"}
    bad |= {"openid": f"o{PHONE} x", "course": NAME, "order_no": f"{PHONE} {EMAIL}", "platform": f"{EMAIL}"}
    rows = [GOOD | {column: bad[column]}, GOOD | {column: f'"{NAME}" {PHONE}'}]
    lines = [HEAD, *(",".join('"' + row[name].replace('"', '""') + '"' for name in GOOD) for row in rows)]
    (tmp_path / "told.csv").write_text("\n".join(lines), "utf-8")
    before = await site.every_row()
    done = await wxbot_beside("purchases", "import", *dry, "told.csv", **site.settings() | {"log_level": "debug"})
    told = done.out + done.err
    assert done.code == 1 and "line 2: " in told and "line 3: " in told, told
    assert not {one for one in (PHONE, EMAIL, NAME) if one in told}, told
    assert await site.every_row() == before
