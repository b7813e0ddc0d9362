"""Template messages: each purpose by its own, what WeChat does not take is told in the chat, and nothing twice."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from models.delivery import ChatNotice, OutboxItem
from models.links import MembershipReminder
from sandbox.phone import Phone
from sandbox.wechat_chat import TWO_DAYS
from services import letters, notices, outbox
from services.config import BadSettings
from services.env import Env
from tests.chat_kit import customer_messages, last_push, one, signed_in_follower
from tests.reconcile_kit import links_many
from tests.site import Site
from tests.test_settings import loaded

gen = pytest.mark.gen_test(timeout=60)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])
REFUNDED = "「信息安全职场培训」的退款 199.00 元已退回。"
SEND = "/cgi-bin/message/template/send"


@pytest.fixture
def templated(make_site: Callable[..., Site], request: pytest.FixtureRequest) -> Site:
    """A site with a template for each purpose, or for those of the test."""
    every = {purpose: f"TPL-{purpose}" for purpose in letters.PURPOSES}
    return make_site(wechat_templates=getattr(request, "param", every))


async def refunded(site: Site, name: str = "anna", money: str = "199.00元") -> None:
    """Somebody's refund is done; the worker's round."""
    fields = ("信息安全职场培训", money)
    asked = {"purpose": letters.REFUNDED, "fields": fields, "page": "/me/orders", "text": REFUNDED}
    await site.ctx.transact(notices.tell, person_id=await site.person_id(name), **asked)
    await site.delivers()


def by_template(phone: Phone) -> list[tuple[str, str, dict[str, str]]]:
    """The template messages that somebody got: template, page, fields."""
    cards = [bubble.more for bubble in phone.inbox if bubble.via == "template"]
    values = [{name: field["value"] for name, field in card["data"].items()} for card in cards]
    return [(card["template_id"], card["url"], shown) for card, shown in zip(cards, values, strict=True)]


@gen
async def test_what_is_told_with_a_purpose_goes_out_by_its_template(templated):
    site = templated
    await site.buys()
    anna = await signed_in_follower(site)
    await site.links()
    await site.delivers()
    await refunded(site)
    linked = {"thing1": "信息安全星球", "time2": "2027年11月22日"}
    money = {"thing1": "信息安全职场培训", "amount2": "199.00元"}
    assert by_template(anna) == [
        ("TPL-linked", f"{site.base_url}/me", linked),
        ("TPL-refunded", f"{site.base_url}/me/orders", money),
    ]
    assert customer_messages(site) == [], "not in the chat as well"
    assert await site.broken() == []


@SQLITE
@gen
@pytest.mark.parametrize("templated", [{"refunded": "T1 thing9 amount3"}], indirect=True)
async def test_a_purpose_without_a_template_is_told_in_the_chat_and_fields_have_the_names_of_the_setting(templated):
    site = templated
    await site.buys()
    anna = await signed_in_follower(site)
    await site.links()
    await site.delivers()
    await refunded(site)
    assert ["已开通" in text for text in customer_messages(site)] == [True]
    money = {"thing9": "信息安全职场培训", "amount3": "199.00元"}
    assert by_template(anna) == [("T1", f"{site.base_url}/me/orders", money)]


@gen
@pytest.mark.parametrize("code", [40037, 47003, 43004, 48001])
async def test_what_wechat_refuses_is_told_in_the_chat_at_once(templated, code):
    site = templated
    anna = await signed_in_follower(site)
    if code == 40037:
        site.box.account.settings.templates = ["another"]
    elif code == 43004:
        site.box.account.chats.fan(anna.person).follows = False
    elif code == 48001:
        site.box.account.settings.is_service = False
    await refunded(site, money="不少" if code == 47003 else "199.00元")
    assert by_template(anna) == []
    if code == 43004:
        assert customer_messages(site) == [], "that neither"
        await site.server.conversation.renew_waiting()
        site.box.account.chats.fan(anna.person).follows = True
        assert REFUNDED in await one(site, "帮助")
    else:
        assert customer_messages(site) == [REFUNDED]
    assert await site.delivers() == 0


@gen
async def test_over_the_quota_all_goes_into_the_chat_and_wechat_is_asked_again_when_it_is_new(templated, clock):
    site = templated
    for name in ("anna", "bob"):
        await signed_in_follower(site, name)
        await one(site, "帮助", name)
    site.box.account.quota.limits[SEND] = 0
    with capture_logs() as logs:
        for name in ("anna", "bob", "anna"):
            await refunded(site, name)
    assert (customer_messages(site), customer_messages(site, "bob")) == ([REFUNDED] * 2, [REFUNDED])
    assert len([line for line in logs if line["event"] == "no template messages until the quota is new"]) == 1
    site.box.account.quota.limits.clear()
    clock.forward(hours=6)
    await refunded(site)
    assert by_template(site.phone()) == [], "half past eleven in the evening in Shanghai"
    clock.forward(hours=1)
    await refunded(site)
    assert len(by_template(site.phone())) == 1, "the next day there"


def test_a_quota_of_the_minute_is_new_after_a_minute(clock):
    quota = letters.Quota()
    assert not quota.is_used_up(now=clock.now())
    quota.note("45011", now=clock.now())
    assert quota.is_used_up(now=clock.now() + timedelta(seconds=59))
    assert not quota.is_used_up(now=clock.now() + timedelta(seconds=60))


@gen
@pytest.mark.parametrize("kind", ["down", "timeout_after_commit"])
async def test_while_wechat_is_away_it_waits_and_is_then_shown_once(templated, clock, kind):
    site = templated
    anna = await signed_in_follower(site)
    site.world.faults.set("wechat", kind, operation="template.send")
    await refunded(site)
    site.world.faults.clear()
    assert customer_messages(site) == []
    clock.forward(seconds=30)
    assert await site.delivers() == 1
    assert len(by_template(anna)) == 1 and customer_messages(site) == []


@gen
async def test_what_wechat_took_and_did_not_show_is_told_in_the_chat_once(templated):
    site = templated
    anna = await signed_in_follower(site)
    await one(site, "帮助")
    await refunded(site)
    await refunded(site)
    first, second = await site.ctx.read(
        lambda _env: [row.msg_id for row in ChatNotice.select().order_by(ChatNotice.id)]
    )
    event, failed = "TEMPLATESENDJOBFINISH", {"Status": "failed:user block"}
    for msg_id, name, is_answered in ((first, "bob", False), ("1" * 18, "anna", False), (first, "anna", True)):
        sent = await site.box.wechat.event(site.phone(name).person, event, MsgID=msg_id, **failed)
        assert sent.answered == is_answered, "one that is not on record yet is asked for again"
    assert await site.delivers() == 1
    assert customer_messages(site) == [REFUNDED] and len(by_template(anna)) == 2
    await site.box.wechat.pushes.send_again(last_push(site))
    assert (await site.box.wechat.event(anna.person, event, MsgID=second, **failed)).answered, "in the same second"
    assert (await site.box.wechat.event(anna.person, event, MsgID=second, Status="success")).answered
    assert await site.delivers() == 1
    assert customer_messages(site) == [REFUNDED] * 2 and len(by_template(anna)) == 2


@SQLITE
@gen
async def test_what_neither_takes_is_read_with_his_next_word(templated):
    site = templated
    await signed_in_follower(site)
    site.box.account.settings.templates = []
    site.box.account.chats.triggers["message"] = (0, TWO_DAYS)
    site.clock.forward(days=3)
    await refunded(site)
    assert await site.ctx.read(lambda _env: ChatNotice.get().held_at) is not None
    await site.server.conversation.renew_waiting()
    assert (await one(site, "帮助")).startswith(REFUNDED)


@gen
async def test_a_reminder_that_an_older_version_left_in_the_outbox_is_told_once(templated):
    site = templated
    await links_many(site, "anna")
    await site.phone().follow()
    site.clock.forward(days=335)

    def left_behind(env: Env) -> None:
        whose = {"membership": 1, "days": 30, "created_at": env.now}
        reminder = MembershipReminder.create(**whose)
        outbox.enqueue(env, kind=outbox.REMINDER, subject=reminder.id, lane=f"reminder:{reminder.id}")

    await site.ctx.transact(left_behind)
    assert await site.delivers() == 2, "the item, and the notice that it became"
    await site.ctx.transact(lambda env: OutboxItem.update(done=0, due_at=env.now).execute())
    await site.delivers()
    shown = [template for template, _, _ in by_template(site.phone())]
    assert shown.count("TPL-membership_ending") == 1


def test_values_are_cut_to_what_a_field_may_hold():
    long = "一二三四五六七八九十" * 4
    assert [letters.fit(name, long) for name in ("thing1", "time2")] == [long[:19] + "…", long]
    assert letters.fit("thing12", "两\n行") == "两 行"
    assert [letters.yuan(fen) for fen in (0, 5, 3000, 19905)] == ["0.00元", "0.05元", "30.00元", "199.05元"]


@pytest.mark.parametrize(
    ("templates", "said"),
    [({"linkd": "T"}, "has a purpose that is none"), ({"refunded": "T a b c"}, "names more fields for refunded")],
)
def test_a_setting_that_no_message_would_use_stops_the_start(templates, said):
    with pytest.raises(BadSettings, match=f"^WXBOT_WECHAT_TEMPLATES .*{said}"):
        loaded(wechat_templates=templates)
    assert loaded(wechat_templates={"refunded": "T thing1 amount2", "bounty": ""})
