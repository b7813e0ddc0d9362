"""关键词回复: an operator's own words, answered from memory on every process, and never in place of ours."""

import pytest

from models.audit import AuditEntry
from services import vocabulary
from services.env import Env
from tests.chat_kit import Counted, one, second_door
from tests.test_chat_late import tell

pytest_plugins = ["tests.commands"]
gen = pytest.mark.gen_test(timeout=60)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])
INVOICE = '开发票请填<a href="https://fapiao.example.com/">这张表</a>。'


@pytest.fixture
def typed(site, wxbot_beside):
    """`await typed("keyword", "list")` beside a running site; the site has then looked."""

    async def run(*args: str):
        done = await wxbot_beside(*args, **site.settings())
        await site.server.look_round()
        return done

    return run


async def audited(site) -> list[tuple]:
    """What the audit log says of keywords."""

    def lines(_env: Env) -> list[tuple]:
        mine = AuditEntry.select().where(AuditEntry.subject.startswith("keyword:")).order_by(AuditEntry.id)
        return [(row.who, row.action, row.subject, row.old, row.new) for row in mine]

    return await site.ctx.read(lines)


@gen
async def test_a_word_is_answered_changed_and_forgotten_within_a_look(site, typed):
    await site.phone().follow()
    assert (await one(site, "发票")).startswith("没太明白")
    assert (await typed("keyword", "set", " 发 票！", INVOICE)).out == "added 发票\n"
    for text in ("发票", "【发票】", "请问发票怎么办？", "我要发票"):
        assert await one(site, text) == INVOICE, text
    listed = (await typed("keyword", "list")).out
    assert listed.startswith("发票\tsince ") and listed.endswith(f"\tby command\t{INVOICE}\n")

    assert (await typed("keyword", "set", "发票", "发票\n下周开")).out == "changed 发票\n"
    assert await one(site, "发票") == "发票\n下周开"
    assert "发票\\n下周开" in (await typed("keyword", "list")).out
    assert (await typed("keyword", "set", "发票", "发票\n下周开")).out == "nothing to change for 发票\n"
    assert (await typed("keyword", "remove", "发票。")).out == "removed 发票\n"
    assert (await one(site, "发票")).startswith("没太明白")
    assert (await typed("keyword", "list")).out == ""
    assert await audited(site) == [
        ("command", "keyword set", "keyword:发票", None, INVOICE),
        ("command", "keyword set", "keyword:发票", INVOICE, "发票\n下周开"),
        ("command", "keyword remove", "keyword:发票", "发票\n下周开", None),
    ]


REFUSED = [
    (("set", "课程", "x"), "'课程' is a word of our own already (courses)"),
    (("set", "Coupon！", "x"), "'coupon' is a word of our own already (vouchers)"),
    (("set", "我要退款", "x"), "'我要退款' is a word of our own already (orders)"),
    (("set", "确认解绑", "x"), "'确认解绑' is a word of our own already (confirm_unlink)"),
    (("set", "7", "x"), "'7' is a word of our own already (number)"),
    (("set", "！？", "x"), "'！？' is a word of our own already (help)"),
    (("set", "长" * 33, "x"), "a keyword has 1 to 32 letters"),
    (("set", "发\x07票", "x"), "a keyword has 1 to 32 letters"),
    (("set", "发票", ""), "a reply has 1 to 600 characters"),
    (("set", "发票", "长" * 601), "a reply has 1 to 600 characters"),
    (("set", "发票", "😀" * 600), "at most 2048 bytes"),
    (("set", "发票", "a\x1b[2Jb"), "a reply has no control characters"),
    (("remove", "发票"), "there is no keyword 发票"),
]


@SQLITE
@gen
async def test_what_cannot_be_a_keyword_is_one_line(site, typed):
    before = await site.rows()
    for args, says in REFUSED:
        done = await typed("keyword", *args)
        assert (done.code, done.out) == (1, ""), args
        assert done.err.startswith("Error: ") and says in done.err and done.err.count("\n") == 1, args
    assert await site.rows() == before


@SQLITE
@gen
async def test_our_own_words_and_what_is_asked_of_him_come_before_it_what_we_only_guess_after_it(site, typed):
    await site.phone().follow()
    assert vocabulary.topic_of("我的课成") == vocabulary.COURSES
    assert vocabulary.topic_of("投诉电话") == vocabulary.REPORT
    for word in ("我的课成", "投诉电话"):
        assert (await typed("keyword", "set", word, f"答：{word}")).code == 0
        assert await one(site, word) == f"答：{word}"
    assert (await one(site, "投诉电话打不通")).startswith("谢谢您的反馈")
    assert (await one(site, "我的课程")).startswith("这个微信还没有报名课程")


@SQLITE
@gen
async def test_it_is_answered_from_memory_and_touches_no_store(site, typed):
    await site.phone().follow()
    await typed("keyword", "set", "发票", INVOICE)
    rows, before = Counted(site), await site.every_row()
    async with second_door(site, rows) as door:
        await door.conversation.renew_words()
        rows.calls = 0
        assert await one(site, "发票") == INVOICE
        await door.conversation.renew_words()
    assert rows.calls == 0, "nor does a look when nothing has changed"
    assert await site.every_row() == before


@SQLITE
@gen
async def test_news_that_waited_stands_in_front_of_it(site, typed):
    await site.phone().follow()
    await typed("keyword", "set", "发票", INVOICE)
    await tell(site, "退款已到账。")
    assert await one(site, "发票") == f"退款已到账。\n\n{INVOICE}"
    assert await one(site, "发票") == INVOICE
