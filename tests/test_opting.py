"""退订 and 恢复通知: who opts out hears no news any more, and still all that becomes of his own doings."""

import pytest

from models.people import Identity
from services import notices
from tests.chat_kit import customer_messages, last_push, one, said
from tests.reconcile_kit import links_many
from tests.test_reminders import SOON, heard, passes
from tests.test_reminders import templated as templated

gen = pytest.mark.gen_test(timeout=60)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])


async def told(site, text: str, *, is_news: bool) -> bool:
    """Whether Anna gets to read a text."""
    asked = {"person_id": await site.person_id(), "text": text, "is_news": is_news}
    await site.ctx.transact(notices.tell, **asked)
    await site.delivers()
    return text in customer_messages(site)


@gen
async def test_who_opts_out_gets_no_news_and_what_he_does_is_told_as_before(site):
    await site.phone().follow()
    assert await told(site, "新的代金券活动", is_news=True)
    answer = await one(site, "退订")
    assert "已退订" in answer and "退款" in answer and "「恢复通知」" in answer
    assert not await told(site, "又一次代金券活动", is_news=True)
    assert await told(site, "退款已到账", is_news=False)
    assert "「退订」" in await one(site, "恢复通知")
    assert await told(site, "第三次代金券活动", is_news=True)
    assert "又一次代金券活动" not in customer_messages(site), "what was not told stays untold"


@gen
async def test_who_opts_out_is_not_reminded_and_once_he_is_back_of_the_next_day_only(site):
    await links_many(site, "anna")
    await site.phone("anna").follow()
    await one(site, "退订")
    assert await passes(site, days=335) == [30]
    assert await passes(site, minutes=1) == [30]
    await one(site, "恢复通知")
    assert heard(site) == []
    await passes(site, days=23)
    await one(site, "星球")
    bubbles = "\n".join(bubble.text for bubble in site.phone().inbox)
    assert (bubbles.count(SOON.format(30)), bubbles.count(SOON.format(7))) == (0, 1)
    assert await site.broken() == []


@SQLITE
@gen
async def test_a_reminder_by_template_is_news_too(templated):
    site = templated
    await links_many(site, "anna")
    await site.phone("anna").follow()
    await one(site, "退订")
    assert await passes(site, days=335) == [30]
    assert [bubble for bubble in site.phone().inbox if bubble.via == "template"] == []
    await one(site, "恢复通知")
    assert await passes(site, days=23) == [30, 7]
    assert [bubble.more["template_id"] for bubble in site.phone().inbox if bubble.via == "template"] == ["TPL-1"]


@gen
@SQLITE
async def test_opting_out_twice_is_once_and_a_copy_undoes_no_later_word(site, clock):
    await site.phone().follow()
    await one(site, "恢复通知")
    answer, first = await one(site, "退订"), last_push(site)
    since = await muted_at(site)
    clock.forward(hours=1)
    assert await one(site, "别再发了") == answer
    assert await muted_at(site) == since
    await one(site, "恢复通知")
    assert said(await site.box.wechat.pushes.send_again(first)) == answer
    assert await muted_at(site) is None


@gen
@SQLITE
async def test_it_concerns_nobody_else_and_whom_nobody_knows_yet_may_opt_out(site):
    for name in ("anna", "bob"):
        site.box.account.chats.fan(site.phone(name).person).follows = True  # before this account had a bot
    await one(site, "退订", "bob")
    assert await muted_at(site, "bob") is not None
    assert await muted_at(site) is None


async def muted_at(site, name: str = "anna"):
    """Since when somebody wants no news."""
    openid = site.phone(name).openid
    await site.person_id(name)
    return await site.ctx.read(lambda _env: Identity.of_openid(openid).muted_at)
