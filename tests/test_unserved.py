"""The operator sees who is paid and not served, for how long, and why (R3)."""

import re
from datetime import timedelta

import pytest

from services import notices, purchases, unserved
from tests.site import COURSE

pytest_plugins = ["tests.commands"]
gen = pytest.mark.gen_test(timeout=60)


async def listed(site) -> list[unserved.Line]:
    """The operator's list."""
    return await site.ctx.read(unserved.lines)


async def refund(site, order_no: str) -> None:
    """The platform has given the money back."""
    await site.ctx.transact(purchases.refund, platform="yiling", order_no=order_no, override="goodwill")


@gen
async def test_who_paid_and_was_never_let_in_is_shown_with_course_planet_age_and_cause(site, clock, wxbot_beside):
    await site.buys("anna")
    site.world.faults.set("planet", "down", operation="planet.grant")
    await site.links("anna")
    clock.forward(hours=2, minutes=5)
    person = f"p{await site.person_id('anna')}"
    (line,) = await listed(site)
    assert line.about == unserved.About(
        person, COURSE, "infosec", unserved.NOT_SERVED, clock.now() - timedelta(hours=2, minutes=5)
    )
    assert (line.age, bool(line.item.error)) == ("2 h 5 min", True)
    done = await wxbot_beside("outbox", "list", **site.settings())
    number, state, what, since, tries, cause = done.out.rstrip("\n").split("\t")
    assert (number, state, tries) == (str(line.item.id), "waiting", "1 tries")
    assert what == f"membership {line.item.subject}: {person} {COURSE} > infosec, not served"
    assert re.fullmatch(r"for [0-9][^,]*, since 2026-11-22 09:30:00Z", since) and cause.startswith("planet: ")
    assert site.phone("anna").openid not in done.out


@gen
async def test_trying_again_by_hand_makes_nobody_wait_for_less(site, clock):
    await site.buys("anna")
    site.world.faults.set("planet", "down", operation="planet.grant")
    await site.links("anna")
    clock.forward(days=3, hours=4)
    await site.ctx.transact(unserved.outbox.retry, item_id=None)
    assert [line.age for line in await listed(site)] == ["3 d 4 h"]


@gen
async def test_who_was_let_in_is_not_among_the_unserved_when_his_membership_has_to_end(site, clock):
    order_no = await site.buys("anna")
    await site.links("anna")
    await site.delivers()
    assert await listed(site) == []
    clock.forward(days=1)
    await refund(site, order_no)
    (line,) = await listed(site)
    assert (line.about.state, line.age) == (unserved.TO_END, "0 s")


@pytest.mark.parametrize("database_kind", ["sqlite"])
@gen
async def test_a_message_that_waits_is_nobodys_membership(site):
    who = {"person_id": await site.person_id("anna"), "text": "x"}
    await site.ctx.transact(lambda env: notices.tell(env, **who))
    (line,) = await listed(site)
    assert (line.item.kind, line.about) == ("notice", None)


@pytest.mark.parametrize(
    ("span", "said"),
    [({"seconds": 0}, "0 s"), ({"seconds": -9}, "0 s"), ({"seconds": 59}, "59 s"), ({"minutes": 1}, "1 min"),
     ({"minutes": 3, "seconds": 7}, "3 min 7 s"), ({"hours": 1, "seconds": 7}, "1 h"), ({"days": 12}, "12 d"),
     ({"days": 2, "hours": 23, "minutes": 59}, "2 d 23 h")],
)  # fmt: skip
def test_an_age_is_read_at_a_glance(span, said):
    assert unserved.age(timedelta(**span)) == said
