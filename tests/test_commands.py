"""The `wxbot` commands as a person types them: what they print, what they change, and one clear line for each no."""

import asyncio
import json
import os
import re
import sys

import pytest

from models.catalogue import Planet
from models.delivery import OutboxItem
from tests.commands import ROOT, environment
from tests.site import COURSE

pytest_plugins = ["tests.commands"]
gen = pytest.mark.gen_test(timeout=60)
COMMANDS = [
    "serve", "worker", "migrate", "check", "verify", "catalogue load", "lecturer invite", "platform add", "menu push",
    "purchases import", "outbox list", "outbox retry", "menu show", "qr planet", "sandbox",
]  # fmt: skip


@pytest.fixture
def typed(site, wxbot_beside):
    """`await typed("outbox", "list", setting=…)` beside a running site, with its settings."""
    return lambda *args, **changes: wxbot_beside(*args, **site.settings() | changes)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_each_command_explains_itself(wxbot, command):
    done = wxbot(*command.split(), "--help")
    assert done.code == 0 and done.out.startswith(f"Usage: wxbot {command}".rstrip())
    assert len(done.out.splitlines()) > 3


@pytest.mark.parametrize(
    "args",
    [("fly",), ("qr",), ("lecturer", "invite"), ("catalogue", "load", "/no/such/file"), ("serve", "--processes", "0"),
     ("outbox", "retry", "x"), ("purchases", "import", "."), ("qr", "planet", "infosec")],
)  # fmt: skip
def test_what_is_no_command_is_refused(wxbot, args):
    done = wxbot(*args)
    assert done.code == 2 and "Usage:" in done.out + done.err and "Traceback" not in done.err


def test_migrate_makes_the_tables_once(wxbot, fresh_database, database_kind):
    url = fresh_database(database_kind)
    done = wxbot("migrate", database_url=url)
    assert (done.code, done.out.splitlines()[0]) == (0, "applied 0001_first_tables")
    assert (wxbot("migrate", database_url=url).out, wxbot("verify", database_url=url).code) == ("nothing to apply\n", 0)


NEEDS_TABLES = [
    ("serve",), ("worker",), ("verify",), ("outbox", "list"), ("lecturer", "invite", "x"), ("platform", "add", "x"),
]  # fmt: skip


@pytest.mark.parametrize("args", NEEDS_TABLES, ids=" ".join)
def test_a_database_without_tables_is_one_line(wxbot, args):
    done = wxbot(*args)
    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(r"Error: the database lacks \d+ migrations: run `wxbot migrate` first\n", done.err)


@pytest.mark.parametrize("args", [("migrate",), *NEEDS_TABLES], ids=" ".join)
@pytest.mark.parametrize("url", ["postgresql://u:pass-word@127.0.0.1:1/x", "mysql://u:pass-word@127.0.0.1:1/x"])
def test_a_database_that_is_away_is_one_line(wxbot, args, url):
    done = wxbot(*args, database_url=url)
    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(r"Error: [^\n]*127\.0\.0\.1[^\n]*\n", done.err)
    assert "pass-word" not in done.err


@gen
async def test_check_finds_everything_in_order(site, typed):
    done = await typed("check", clock_url=f"{site.box.console_url}/control/clock")
    assert done.code == 0, done
    parts = [line.split(":")[0].split(maxsplit=1) for line in done.out.splitlines()]
    assert parts == [
        ["ok", part] for part in ("settings", "database", "redis", "wechat", "pay", "planet infosec", "planet python")
    ]


SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])
AWAY = "postgresql://u:pass-word@127.0.0.1:1/x"


@SQLITE
@pytest.mark.parametrize(
    ("changes", "part", "words"),
    [
        ({"database_url": AWAY}, "database", "refused"),
        ({"database_url": "sqlite:///empty.db"}, "database", " migrations are missing: run `wxbot migrate`"),
        ({"redis_url": "redis://127.0.0.1:1"}, "redis", "Connect"),
        ({"wechat_app_secret": "a-wrong-secret"}, "wechat", "401"),
        ({"wechat_api_url": "http://127.0.0.1:1"}, "wechat", "wechat"),
        ({"planet_client_secret": "a-wrong-secret"}, "planet infosec", "planet"),
        ({"planet_url": "http://127.0.0.1:1"}, "planet infosec", "planet"),
    ],
)
@gen
async def test_check_names_the_part_that_is_wrong_and_looks_at_the_others(typed, changes, part, words):
    done = await typed("check", **changes)
    assert done.code == 1
    (line,) = (line for line in done.out.splitlines() if re.match(rf"wrong +{part}:", line))
    assert words in line
    assert re.search("^ok +settings", done.out, re.M) and len(done.out.splitlines()) >= 5
    assert not re.search("a-wrong-secret|pass-word", done.out + done.err) and "Traceback" not in done.err


@SQLITE
@gen
async def test_check_says_when_all_visitors_would_seem_to_be_the_proxy(typed):
    public = {"base_url": "https://learn.example.com"}
    for proxies, state in (("", "wrong"), ("127.0.0.1", "ok")):
        done = await typed("check", trusted_proxies=proxies, **public)
        (line,) = (line for line in done.out.splitlines() if re.match(rf"{state} +settings:", line))
        assert ("WXBOT_TRUSTED_PROXIES is empty" in line) == (state == "wrong")


@SQLITE
@gen
async def test_check_misses_a_planet_that_is_not_there(site, typed):
    await site.ctx.transact(lambda _env: Planet.update(group_id="g404").where(Planet.slug == "python").execute())
    done = await typed("check")
    assert done.code == 1
    assert re.search("^ok +planet infosec", done.out, re.M) and re.search("^wrong +planet python", done.out, re.M)


NO_PLANET = {"planet_url": "", "planet_client_id": "", "planet_client_secret": ""}


def test_check_says_what_is_not_set_up(wxbot, database_url):
    done = wxbot("check", database_url=database_url)
    assert done.code == 0
    assert re.findall(r"^skipped +(\w+)", done.out, re.M) == ["wechat", "pay", "planet"]


@SQLITE
@gen
async def test_check_finds_a_planet_that_nobody_can_link_wrong_and_says_what_to_set(typed):
    done = await typed("check", **NO_PLANET)
    assert done.code == 1
    wrong = re.findall(r"^wrong +planet (\w+): ([^\n]+)", done.out, re.M)
    assert [slug for slug, _ in wrong] == ["infosec", "python"]
    assert all("WXBOT_PLANET_URL" in words and "partner" in words for _, words in wrong)


@SQLITE
@gen
async def test_the_catalogue_is_loaded_and_rehearsed(site, typed, tmp_path):
    file = tmp_path / "more.yaml"
    file.write_text("lecturers: [{slug: wu, name: 吴, split_percent: 50}]", "utf-8")
    rehearsed = await typed("catalogue", "load", str(file), "--dry-run")
    assert "wu" not in [slug for (slug,) in await lecturers_of(site)]
    done = await typed("catalogue", "load", str(file))
    assert (done.code, done.out) == (0, rehearsed.out) and done.out.startswith("+ lecturer wu\n= lecturer caoz")
    assert "wu" in [slug for (slug,) in await lecturers_of(site)]
    file.write_text("lecturers: [{slug: wu}]\ncourses: [{}]", "utf-8")
    done = await typed("catalogue", "load", str(file))
    assert done.code == 1
    assert done.err.startswith("Error: line 1: lecturers[0].name: Field required\nline 1: ") and "line 2:" in done.err


async def lecturers_of(site):
    """The slugs of all lecturers."""
    query = "SELECT slug FROM lecturer"
    return await site.ctx.read(lambda _env: site.ctx.threads.db.execute_sql(query).fetchall())


@gen
async def test_an_invitation_and_a_key_are_printed_once_and_work(site, typed):
    done = await typed("lecturer", "invite", "linlan")
    assert (done.code, done.err) == (0, "")
    page = await site.signs_in("lin", done.out.strip().removeprefix(site.base_url))
    assert page.find("accept-invite") is not None
    done = await typed("platform", "add", "academy")
    assert re.fullmatch(r"[0-9a-f]{64}\n", done.out)


@SQLITE
@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("lecturer", "invite", "nobody"), "unknown lecturer nobody"),
        (("platform", "add", "No Such Name"), "a platform's name has lower-case letters"),
        (("qr", "planet", "nothing", "--out", "x.svg"), "unknown planet nothing"),
        (("qr", "planet", "infosec", "--out", "x.gif"), "--out must end in .png or .svg"),
        (("qr", "planet", "infosec", "--out", "/no/such/folder/x.svg"), "No such file or directory"),
        (("outbox", "retry", "77"), "item 77 is not one that waits"),
    ],
)
@gen
async def test_a_no_is_one_line_and_changes_nothing(site, typed, args, said):
    before = await site.rows()
    done = await typed(*args)
    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(rf"Error: [^\n]*{re.escape(said)}[^\n]*\n", done.err)
    assert await site.rows() == before


@gen
async def test_the_outbox_is_listed_and_tried_again_by_hand(site, typed):
    assert (await typed("outbox", "list")).out == ""
    await site.buys("anna")
    await site.at_planet("anna")
    site.world.faults.set("planet", "error", operation="*grant*")
    site.world.faults.set("planet", "error", operation="*memberships*")
    await site.phone("anna").tap("planet-agree")
    (line,) = (line for line in (await typed("outbox", "list")).out.splitlines() if "membership" in line)
    number, state, *_ = line.split("\t")
    assert state == "waiting" and "1 tries" in line and "since 2026-11-22 09:30:00Z" in line
    await site.ctx.transact(lambda env: OutboxItem.update(gave_up_at=env.now, due_at=None).execute())
    assert f"{number}\tgave up" in (await typed("outbox", "list")).out
    site.world.faults.clear()
    assert (await typed("outbox", "retry", number)).out == "1 due now\n"
    item = await site.ctx.read(lambda _env: OutboxItem.get_by_id(int(number)))
    assert item.gave_up_at is None and item.due_at is not None


@SQLITE
@gen
async def test_the_menu_is_pushed_and_compared(site, typed):
    shown = await typed("menu", "show")
    assert shown.code == 0 and shown.out.startswith("--- WeChat\n+++ ours\n") and "代金券" in shown.out
    assert site.box.account.menu is None, "a look changes nothing"
    assert (await typed("menu", "push", "--yes")).out == shown.out + "pushed\n"
    site.box.account.menu["button"][1] |= {"sub_button": []}  # as the real one answers
    assert (await typed("menu", "show")).out == "the menu at WeChat is ours\n"
    pushed = site.box.account.quota.used("/cgi-bin/menu/create")
    assert (await typed("menu", "push")).out == "the menu at WeChat is ours: nothing to push\n"
    assert site.box.account.quota.used("/cgi-bin/menu/create") == pushed
    site.box.account.menu["button"][1]["name"] = "星球"
    done = await typed("menu", "push")
    assert '-   "name": "星球"' in done.out and done.out.endswith("pushed\n"), "nobody there to be asked"
    site.world.faults.set("wechat", "down")
    for action in ("push", "show"):
        done = await typed("menu", action)
        assert done.code == 1 and done.err.count("\n") == 1 and "Traceback" not in done.err


@SQLITE
@pytest.mark.parametrize(("said", "code", "is_pushed"), [("n", 1, False), ("", 1, False), ("y", 0, True)])
@gen
async def test_who_sits_at_a_terminal_is_asked_before_a_push(site, tmp_path, said, code, is_pushed):
    ours, theirs = os.openpty()
    surroundings = environment(site.settings()) | {"PYTHONPATH": str(ROOT)}
    try:
        os.write(ours, f"{said}\n".encode())
        done = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "wxbot", "menu", "push", cwd=tmp_path, env=surroundings,
            stdin=theirs, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await asyncio.wait_for(done.communicate(), 30)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == code and b"Push it?" in out
    assert (site.box.account.menu is not None) == is_pushed


@SQLITE
@gen
async def test_the_poster_of_a_planet_is_drawn(site, typed, tmp_path):
    assert (await typed("qr", "planet", "infosec", "--out", "poster.svg")).out == "wrote poster.svg\n"
    drawn = (tmp_path / "poster.svg").read_text("utf-8")
    assert "信息安全星球" in drawn and "请用微信扫码" in drawn
    done = await typed("qr", "planet", "infosec", "--out", "poster.png")
    if done.code:
        assert "install fonts-noto-cjk" in done.err, "a machine without Chinese letters says what to do"
    else:
        assert (tmp_path / "poster.png").read_bytes().startswith(b"\x89PNG")


@SQLITE
@gen
async def test_no_command_writes_a_secret_into_its_output(site, typed):
    told = [await typed(*command.split()) for command in ("check", "menu show", "outbox list", "verify")]
    secrets = [site.config.wechat_app_secret, site.config.planet_client_secret, *site.config.secret_keys]
    text = json.dumps([(done.out, done.err) for done in told])
    assert not [secret for secret in secrets if secret in text]
    assert COURSE not in text


def test_the_sandbox_refuses_to_start_beside_live_settings(wxbot):
    live = {"planet_url": "https://planet.example", "planet_client_id": "us", "planet_client_secret": "x" * 20}
    done = wxbot("sandbox", "--console-port", "0", "--wechat-port", "0", "--planet-port", "0", **live)
    assert done.code == 1
    assert re.fullmatch(r"Error: the sandbox refuses to start beside live settings: [^\n]+\n", done.err)
