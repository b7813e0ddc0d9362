"""A broadcast: thousands ask two processes for fewer vouchers than they are; exactly as many are given as there are."""

import asyncio
from collections.abc import Iterable

import pytest

from models.access import PURCHASE, Grant
from models.catalogue import Course
from models.delivery import ChatAsk, ChatNotice
from models.people import OA, WECHAT, Identity, Person
from models.purchases import Platform, Purchase
from models.vouchers import Campaign, Voucher
from services import jobs
from services.env import Env
from tests import test_two_processes
from tests.buy_kit import rows
from tests.chat_kit import pushes_to, said
from tests.race_vouchers_kit import campaign
from tests.site import COURSE, Site
from tests.test_two_processes import ONE_SERVER, SERVERS

pytestmark = [
    pytest.mark.soak,
    pytest.mark.gen_test(timeout=1800),
    pytest.mark.parametrize(("arranged", "database_kind"), [SERVERS, ONE_SERVER]),
]
doors = test_two_processes.doors
AT_ONCE = 200
GOT, NONE_LEFT, IN_LINE = "您的代金券", "已经发完了", "您已经排上队了"


def learners(env: Env, *, openids: Iterable[str]) -> None:
    """Each has paid for the course at the platform."""
    course, shop, now = Course.get(slug=COURSE), Platform.get(name="yiling"), env.now
    for openid in openids:
        person = Person.create(created_at=now)
        Identity.create(person=person, side=OA, provider=WECHAT, uid=openid, created_at=now)
        paid = {"paid_fen": 19900, "paid_at": now, "created_at": now, "body_digest": "0" * 64}
        number = f"B{person.id}"
        Purchase.create(platform=shop, order_no=number, course=course, person=person, **paid)
        right = {"source": PURCHASE, "source_ref": f"yiling:{number}", "starts_at": now}
        Grant.create(person=person, course=course, **right)


async def all_ask(doors: list[Site], names: list[str]) -> dict[str, str]:
    """Each writes 代金券 to either process, many at the same moment; what each was answered."""
    site, there = doors[0], [pushes_to(doors[0], door.base_url) for door in doors]
    answers: dict[str, str] = {}
    for first in range(0, len(names), AT_ONCE):
        wave = names[first : first + AT_ONCE]
        word = {"MsgType": "text", "Content": "代金券"}
        sent = await asyncio.gather(
            *(there[number % 2].send(site.phone(name).person, word) for number, name in enumerate(wave))
        )
        answers |= dict(zip(wave, map(said, sent), strict=True))
    return answers


async def answered_line(site: Site) -> None:
    """The worker has answered all who stood in line."""
    while await site.ctx.read(lambda _env: ChatAsk.select().where(ChatAsk.answered_at.is_null()).exists()):
        site.clock.forward(seconds=2)
        await jobs.answer_line(site.ctx)


async def test_a_quota_is_given_to_the_last_and_not_beyond(doors, rounds):
    site, quota = doors[0], rounds(20, soak=1000)
    names = [f"f{number}" for number in range(5 * quota)]
    await site.ctx.transact(lambda env: campaign(env, "flash", quota=quota, budget_fen=quota * 3000) and None)
    await site.ctx.transact(learners, openids=[site.phone(name).openid for name in names])

    answers = await all_ask(doors, names)
    await answered_line(site)

    assert all(any(word in text for word in (GOT, NONE_LEFT, IN_LINE)) for text in answers.values())
    in_line = [name for name in names if IN_LINE in answers[name]]
    told = {row.identity.uid: row.text for row in await with_people(site)}
    assert {site.phone(name).openid for name in in_line} == set(told), "none missing, and nobody else"
    codes = {row.code for row in await rows(site, Voucher)}
    assert len(codes) == quota == sum(GOT in text for text in [*answers.values(), *told.values()])
    (row,) = await rows(site, Campaign)
    assert (row.issued, row.issued_fen) == (quota, quota * 3000) and await site.broken() == []


async def with_people(site: Site) -> list[ChatNotice]:
    """Every message to a follower, with who he is."""
    return await site.ctx.read(lambda _env: list(ChatNotice.select(ChatNotice, Identity).join(Identity)))
