"""Loading the catalogue: what changes is told, twice changes nothing, and a mistake changes nothing at all."""

import random
import string
import time
from datetime import UTC, datetime

import pytest

from models.audit import AuditEntry
from models.catalogue import Course, CoursePlanet, Lesson
from services import catalogue, catalogue_load, config
from services.catalogue_file import BadCatalogue, parse
from tests.site import START, table_hashes
from wxbot.server import build_context, close_context

gen = pytest.mark.gen_test(timeout=30)
FILE = """
lecturers:
  - {slug: lin, name: 林岚, split_percent: 65}
courses:
  - slug: a
    title: 第一课
    lecturer: lin
    prices:
      - {from: 2026-01-01T00:00:00+08:00, amount_fen: 9900}
      - {from: 2027-01-01T00:00:00+08:00, amount_fen: 12900}
    lessons: [{title: 开课, free: true, article: 你好}, {title: 二, media_url: "https://a.example/2"}]
planets:
  - {slug: p, title: 星球, owner: lin, provider: partner, group_id: g7, price_fen: 9900, guests: [{name: 嘉宾}]}
pairings:
  - {course: a, planet: p, mode: same_price}
"""
SIGNED = "mode: same_price, authorised_on: 2026-08-19, authorised_note: agreement 7"
PLANET_Q = "  - {slug: q, title: 星球二, owner: lin, provider: partner, group_id: g8, price_fen: 9900}\npairings:"


@pytest.fixture
def ctx(io_loop, database_url, clock):
    """The product without any door."""
    settings = config.load(
        _env_file=None, base_url="http://127.0.0.1:1", secret_keys=["k" * 40], database_url=database_url
    )
    made = build_context(settings, clock=clock, monotonic=time.monotonic, new_code=new_code)
    yield made
    io_loop.run_sync(lambda: close_context(made))


def new_code(bits: int) -> str:
    """Not secret at all."""
    return "".join(random.choices(string.hexdigits[:16], k=bits // 4))


async def load(ctx, text: str = FILE, work=catalogue_load.load) -> list[str]:
    """What is told of a load."""
    file, lines = parse(text)
    return await ctx.transact(work, file=file, lines=lines)


async def mistakes(ctx, text: str) -> list[str]:
    """What is said of a file that is refused; nothing has changed."""
    before = await ctx.read(table_hashes)
    with pytest.raises(BadCatalogue) as refused:
        await load(ctx, text)
    assert await ctx.read(table_hashes) == before
    return str(refused.value).split("\n")


async def pairing(ctx) -> CoursePlanet:
    """The pairing of course a."""
    return await ctx.read(lambda _env: CoursePlanet.find(course=Course.get(slug="a")))


async def audited(ctx, action: str) -> list[AuditEntry]:
    """Lines of the audit log."""
    return await ctx.read(lambda _env: list(AuditEntry.select().where(AuditEntry.action == action)))


@gen
async def test_a_first_load_makes_everything_and_tells_it(ctx):
    told = await load(ctx)
    assert told[:2] == ["+ lecturer lin", "+ course a"]
    assert "+ price of a from 2026-01-01 00:00:00+08:00" in told
    assert {"+ lesson 1 of a", "+ lesson 2 of a", "+ guest 嘉宾 (p)", "+ pairing a – p"} <= set(told)
    _, cards = await ctx.read(catalogue.snapshot)
    assert cards["a"].planet.guests == ("嘉宾",)
    assert not cards["a"].planet.is_live, "its lecturer has not authorised it"
    (entry,) = await audited(ctx, "catalogue loaded")
    assert (entry.at, entry.who) == (START, "command") and "+ course a" in entry.new


@gen
async def test_a_dry_run_tells_the_same_and_changes_nothing(ctx):
    before = await ctx.read(table_hashes)
    with pytest.raises(catalogue_load.DryRun) as rehearsal:
        await load(ctx, work=catalogue_load.rehearse)
    assert await ctx.read(table_hashes) == before
    assert rehearsal.value.changes == await load(ctx)


@gen
async def test_a_second_load_changes_nothing_not_even_the_version(ctx):
    await load(ctx)
    before = await ctx.read(table_hashes)
    assert await load(ctx) == []
    assert await ctx.read(table_hashes) == before


@gen
async def test_a_change_is_told_on_one_line_and_pages_learn_of_it(ctx):
    await load(ctx)
    await ctx.catalogue.refresh(ctx.read)
    told = await load(ctx, FILE.replace("title: 第一课", "title: 新的第一课").replace("你好", '"你好\\n\\n朋友"'))
    assert told == ["~ course a: title 第一课 → 新的第一课", "~ lesson 1 of a: article 你好 → 你好 朋友"]
    await ctx.catalogue.refresh(ctx.read)
    assert ctx.catalogue.course("a").title == "新的第一课"


@gen
async def test_what_the_file_leaves_out_stays_and_is_listed(ctx):
    await load(ctx)
    before = await ctx.read(table_hashes)
    told = await load(ctx, "lecturers: []")
    assert told == [
        f"= {kind} is not in the file and stays as it is" for kind in ("lecturer lin", "course a", "planet p")
    ]
    assert await ctx.read(table_hashes) == before
    shorter = FILE.replace(', {title: 二, media_url: "https://a.example/2"}', "").replace("{name: 嘉宾}", "")
    assert await load(ctx, shorter) == []
    assert await ctx.read(lambda _env: Lesson.select().count()) == 2


@gen
async def test_a_price_that_has_begun_cannot_be_changed(ctx, clock):
    await load(ctx)
    assert await mistakes(ctx, FILE.replace("amount_fen: 9900}\n", "amount_fen: 1}\n")) == [
        "line 9: the price of a from 2026-01-01 00:00:00+08:00 has begun; add a new one"
    ]
    clock.moment = datetime(2026, 12, 31, 16, tzinfo=UTC)  # the very instant at which the second one begins
    assert (await mistakes(ctx, FILE.replace("12900", "13900")))[0].startswith("line 10: ")


@gen
async def test_a_price_that_is_still_to_come_may_change(ctx):
    await load(ctx)
    told = await load(ctx, FILE.replace("12900", "13900"))
    assert told == ["~ price of a from 2027-01-01 00:00:00+08:00: amount_fen 12900 → 13900"]
    added = FILE.replace("12900", "13900").replace(
        "    lessons:", "      - {from: 2028-01-01T00:00:00+08:00, amount_fen: 15900}\n    lessons:"
    )
    assert (await load(ctx, added)) == ["+ price of a from 2028-01-01 00:00:00+08:00"]


@pytest.mark.parametrize(
    ("right", "wrong", "line", "said"),
    [
        ("lecturer: lin", "lecturer: nobody", 7, "lecturer: unknown lecturer nobody"),
        ("owner: lin", "owner: nobody", 13, "owner: unknown lecturer nobody"),
        ("course: a", "course: b", 15, "course: unknown course b"),
        ("planet: p", "planet: q", 15, "planet: unknown planet q"),
        ("mode: same_price", "mode: same_price, authorised_on: 2026-08-19", 15, "needs an authorised_note"),
        ("mode: same_price", SIGNED.replace("08-19", "11-23"), 15, "is in the future"),
        (
            "split_percent: 65}",
            "split_percent: 65}\n  - {slug: lin, name: x, split_percent: 1}",
            4,
            "slug lin stands twice",
        ),
        ("2027-01-01T00:00:00+08:00", "2025-12-31T16:00:00Z", 10, "stands twice in prices"),
        ("pairings:", "pairings:\n  - {course: a, planet: p, mode: shared}", 16, "course a stands twice in pairings"),
        ("pairings:", PLANET_Q.replace("g8", "g7"), 14, "group_id partner g7 stands twice"),
    ],
)
@gen
async def test_a_mistake_is_told_with_its_line_and_nothing_is_loaded(ctx, right, wrong, line, said):
    (told,) = await mistakes(ctx, FILE.replace(right, wrong))
    assert told.startswith(f"line {line}: ") and said in told


CAMPAIGN = FILE + (
    "campaigns:\n"
    "  - {slug: c, kind: manual, course: a, amount_fen: 1, except_courses: [a], scope: all,\n"
    "     starts: 2026-01-01T00:00:00Z, ends: 2026-02-01T00:00:00Z}\n"
)


@gen
async def test_what_campaigns_refer_to_must_be_there(ctx):
    for scope in ("all", "lin", "[a]"):
        await load(ctx, CAMPAIGN.replace("scope: all", f"scope: {scope}"))
    for right, wrong in (("course: a, am", "course: b, am"), ("[a]", "[b]"), ("all", "nobody"), ("all", "[a, b]")):
        (told,) = await mistakes(ctx, CAMPAIGN.replace(right, wrong))
        assert told.startswith("line 17: ") and "unknown" in told


@gen
async def test_a_group_that_is_another_planets_is_refused(ctx):
    await load(ctx)
    (told,) = await mistakes(ctx, FILE.replace("slug: p,", "slug: q,").replace("planet: p", "planet: q"))
    assert told == "line 13: group_id g7 is that of planet p"


@gen
async def test_every_mistake_of_a_file_is_told_at_once(ctx):
    wrong = FILE.replace("lecturer: lin", "lecturer: x").replace("owner: lin", "owner: y")
    assert len(await mistakes(ctx, wrong)) == 2


@gen
async def test_a_signed_agreement_opens_the_pairing_and_is_in_the_audit_log(ctx):
    await load(ctx)
    told = await load(ctx, FILE.replace("mode: same_price", SIGNED))
    assert told == ["~ pairing a – p: live by the agreement of 2026-08-19"]
    row = await pairing(ctx)
    assert row.is_live
    assert row.opted_in_at == datetime(2026, 8, 18, 16, tzinfo=UTC), "the day begins in Shanghai"
    (entry,) = await audited(ctx, "pairing authorised")
    assert (entry.at, entry.who, entry.subject) == (START, "command", "pairing:a")
    assert (entry.new, entry.reason) == ("agreement 7", "signed on 2026-08-19")


@gen
async def test_a_pause_of_the_lecturer_outlives_a_load(ctx):
    signed = FILE.replace("mode: same_price", SIGNED)
    await load(ctx, signed)
    await ctx.transact(lambda env: CoursePlanet.update(paused_at=env.now).execute())
    assert await load(ctx, signed) == []
    assert not (await pairing(ctx)).is_live


@pytest.mark.parametrize("change", ["planet", "mode"])
@gen
async def test_what_was_authorised_for_one_planet_or_mode_opens_no_other(ctx, change):
    await load(ctx, FILE.replace("mode: same_price", SIGNED))
    other = FILE.replace("pairings:", PLANET_Q)
    other = other.replace("planet: p", "planet: q") if change == "planet" else other.replace("same_price", "shared")
    assert any("authorisation was for what it was before" in line for line in await load(ctx, other))
    assert not (await pairing(ctx)).is_live
    assert (await audited(ctx, "pairing changed: authorisation ended"))[0].old == "agreement 7"
    await load(ctx, other.replace("mode: s", "authorised_on: 2026-09-01, authorised_note: agreement 8, mode: s"))
    assert (await pairing(ctx)).opted_in_note == "agreement 8"


@gen
async def test_a_catalogue_of_a_thousand_courses_can_be_loaded(ctx):
    one = FILE[FILE.index("  - slug: a") : FILE.index("planets:")]
    many = "".join(one.replace("slug: a", f"slug: a{number}") for number in range(150))
    assert len(await load(ctx, FILE.replace(one, one + many))) > 700
