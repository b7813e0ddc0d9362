"""The menu, following in every way, and the events that ask for nothing."""

import pytest

from tests.chat_kit import active_links, last_push, said, signed_in_follower
from tests.site import COURSE
from wxbot import replies
from wxbot.menu import menu

gen = pytest.mark.gen_test(timeout=30)
ASKS_FOR_HELP = "您可以直接回复"


@gen
async def test_every_key_of_the_menu_is_heard(site):
    await site.buys()
    anna = site.phone()
    await anna.follow()
    buttons = menu(site.base_url)["button"]
    buttons += [sub for button in buttons for sub in button.get("sub_button", [])]
    keys = {button["key"] for button in buttons if button.get("type") == "click"}
    assert keys == set(replies.MENU)
    heads = {
        "COURSES": "您的课程：",
        "PLANETS": "您的课程和星球：",
        "ORDERS": "您在这里还没有订单",
        "HELP": ASKS_FOR_HELP,
        "UNLINK": "您现在没有关联",
        "VOUCHERS": "现在还没有可以领取的代金券",
        "FEEDBACK": "请用一条消息写清楚",
    }
    for key in keys | {"OLD_KEY", ""}:
        (answer,) = await anna.menu_click(key)
        assert answer.startswith(heads.get(key, ASKS_FOR_HELP)), key
    for button in buttons:
        if button.get("type") == "view":
            before = len(anna.inbox)
            assert (await anna.menu_open(button["url"])).status in {200, 401}
            assert [bubble.text for bubble in anna.inbox[before:]] == [], "nobody answers a tap that opens a page"
            assert last_push(site).answered


def test_the_menu_is_one_that_wechat_takes():
    buttons = menu("https://learn.example.com")["button"]
    assert len(buttons) <= 3 and all(len(button["name"]) <= 4 for button in buttons)
    for button in buttons:
        below = button.get("sub_button", [])
        assert len(below) <= 5 and all(len(one["name"]) <= 8 for one in below)


@gen
async def test_a_newcomer_is_welcomed_however_he_came(site):
    for name, scene in (("anna", None), ("bob", "c:infosec")):
        (answer,) = await site.phone(name).follow(scene)
        assert answer.startswith("欢迎！") and ASKS_FOR_HELP in answer
    sent = await site.box.wechat.follow(site.phone("carl").person, paid="4200000001")
    assert said(sent).startswith("感谢报名！")
    (answer,) = await site.phone("bob").follow("c:infosec")
    assert answer.startswith(ASKS_FOR_HELP), "a follower who scans is not told that he was not understood"
    assert await site.broken() == []


@gen
async def test_unfollowing_changes_no_right_and_following_again_finds_them(site, clock):
    await site.buys()
    anna = await signed_in_follower(site)
    await site.links()
    before = {name: rows for name, rows in (await site.rows()).items() if name != "identity"}
    clock.forward(minutes=1)  # two events of one kind in one second are one event that came twice
    assert await anna.unfollow() == []
    after = {name: rows for name, rows in (await site.rows()).items() if name != "identity"}
    assert after == before
    (answer,) = await anna.follow()
    assert answer.startswith("欢迎回来！") and "已开通，有效期至 2027年11月22日" in answer
    assert {name: rows for name, rows in (await site.rows()).items() if name != "identity"} == before
    assert await active_links(site) == ["anna@星球"]


@gen
async def test_whoever_bought_before_he_followed_is_shown_what_he_has(site):
    await site.buys()
    (answer,) = await site.phone().follow()
    assert answer.startswith("欢迎！您报名的课程都在这里。")
    assert "信息安全职场培训" in answer and f"{site.base_url}/courses/{COURSE}/planet" in answer


@gen
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_events_that_ask_for_nothing_are_taken_in_silence(site):
    anna = site.phone()
    before = await site.rows()
    for event, fields in (
        ("LOCATION", {"Latitude": "31.2", "Longitude": "121.5", "Precision": "40"}),
        ("TEMPLATESENDJOBFINISH", {"MsgID": "200163836", "Status": "success"}),
        ("scancode_push", {"EventKey": "k", "ScanCodeInfo": {"ScanType": "qrcode", "ScanResult": "x"}}),
        ("user_info_modified", {"OpenID": anna.openid, "RevokeInfo": "205"}),
        ("some_event_of_next_year", {"EventKey": "x"}),
    ):
        sent = await site.box.wechat.event(anna.person, event, **fields)
        assert sent.answered and sent.reply is None, event
    assert await site.rows() == before
