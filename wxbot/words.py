"""Every sentence of the chat, and the words it understands; read it through when you change one."""

import re
import unicodedata
from datetime import datetime

from models.base import shanghai_day

HELP, COURSES, PLANETS, UNLINK, CONFIRM_UNLINK, NUMBER, UNKNOWN = (
    "help", "courses", "planets", "unlink", "confirm_unlink", "number", "unknown",
)  # fmt: skip
VARIANTS = {
    HELP: "帮助 帮忙 怎么用 使用说明 说明 help ? 客服 人工 菜单 你好 您好 在吗 hi hello",
    COURSES: "课程 我的课程 课 全部课程 课程列表 上课 course courses",
    PLANETS: "星球 我的星球 知识星球 进星球 进入星球 关联 绑定 绑定星球 关联星球 planet",
    UNLINK: "解绑 解除 解除关联 解除绑定 取消关联 取消绑定 解绑星球 解除星球 unlink unbind",
    CONFIRM_UNLINK: "确认解绑 确定解绑 确认解除",
}
HEARD = {variant: topic for topic, variants in VARIANTS.items() for variant in variants.split()}
NOISE = re.compile(r"[\s。，,.!！~～、；;:：\"'“”‘’「」【】\[\]()（）]+")
REPLY_BYTES = 2048
SHOWN_AT_MOST = 8

STATE_WORDS = {
    "unlinked": "还没有关联星球",
    "pending": "正在开通",
    "refused": "星球还没有开通成功，我们正在处理",
    "linked": "已开通，有效期至 {until}",
    "over": "一年答疑期已于 {until} 结束",
}


def plain(content: str) -> str:
    """A message without blanks, punctuation, width and case."""
    return NOISE.sub("", unicodedata.normalize("NFKC", content).lower())


def topic_of(content: str) -> str:
    """What a follower means by his message."""
    said = plain(content)
    if re.fullmatch(r"[0-9]{1,2}", said):
        return NUMBER
    return HEARD.get(said, UNKNOWN) if said else HELP


def link_to(url: str, text: str) -> str:
    """A link as the chat shows it."""
    return f'<a href="{url}">{text}</a>'


def day(moment: datetime) -> str:
    """A day as people read it."""
    return f"{shanghai_day(moment):%Y年%-m月%-d日}"


def fit(text: str) -> str:
    """Cut to what WeChat takes as one reply, at the end of a line."""
    lines = text.split("\n")
    while len("\n".join(lines).encode()) > REPLY_BYTES and len(lines) > 1:
        lines.pop()
    return "\n".join(lines)


def help_text(base_url: str) -> str:
    """What the account can do."""
    return (
        "您可以直接回复：\n"
        "「课程」看您的课程\n"
        "「星球」看课程对应的星球，一键进入\n"
        "「解绑」解除星球账号的关联\n"
        f"也可以打开{link_to(f'{base_url}/me', '我的主页')}，查看权益和关联。"
    )


def unknown(base_url: str) -> str:
    """Never silence: what he may say instead."""
    return "没太明白您的意思。\n" + help_text(base_url)


def welcome(base_url: str) -> str:
    """To a new follower."""
    return "欢迎！在这里可以进入课程对应的星球，继续向讲师提问。\n" + help_text(base_url)


def welcome_after_payment(base_url: str) -> str:
    """To somebody who followed after paying."""
    return "感谢报名！回复「星球」，即可进入课程对应的星球。\n" + help_text(base_url)


def no_courses(base_url: str) -> str:
    """To somebody without any right."""
    return (
        f"这个微信还没有报名课程。\n看看{link_to(f'{base_url}/', '全部课程')}；"
        "如果是在其他平台报名的，请用那边给您的领取链接，在微信里打开领取。"
    )


def one_course(base_url: str, slug: str, title: str) -> str:
    """A line of the list of courses."""
    return "· " + link_to(f"{base_url}/courses/{slug}", title)


def one_planet(base_url: str, slug: str, title: str, state: str, until: datetime | None) -> str:
    """A line of the list of planets: the course, its state, and where to go."""
    words = STATE_WORDS[state].format(until=day(until) if until else "")
    where = link_to(f"{base_url}/courses/{slug}/planet", "点此进入" if state == "unlinked" else "查看")
    return f"· {title}：{words}。{where}"


def listed(head: str, lines: list[str], base_url: str) -> str:
    """A list that fits, with the page that shows the rest."""
    shown = lines[:SHOWN_AT_MOST]
    more = [f"共 {len(lines)} 门，其余请看{link_to(f'{base_url}/me', '我的主页')}。"] if len(lines) > len(shown) else []
    return fit("\n".join([head, *shown, *more]))


def nothing_to_unlink() -> str:
    """He has no link."""
    return "您现在没有关联任何星球账号，不需要解绑。回复「星球」可以查看您的课程。"


def unlink_means(account: str) -> str:
    """What unlinking does, before it is done."""
    return (
        f"解除与星球账号「{account}」的关联后：\n"
        "· 通过课程获得的星球会员资格会结束，您自己在星球付费的部分不受影响\n"
        "· 已放弃的课程退款不会恢复\n"
        "· 以后重新关联，只享受这一年剩下的时间\n"
        "确定要解除，请在 5 分钟内回复：确认解绑"
    )


def choose_link(accounts: list[str]) -> str:
    """Several links: which one?"""
    lines = [f"{number}. {account}" for number, account in enumerate(accounts, 1)]
    return fit("\n".join(["您关联了多个星球账号，请在 5 分钟内回复要解除的编号：", *lines]))


def unlinked(account: str) -> str:
    """It is done."""
    return f"已解除与星球账号「{account}」的关联。以后想再进入，回复「星球」重新关联即可。"


def question_over() -> str:
    """A confirmation to a question that nobody asked, or too long ago."""
    return "这个操作已经超时或不存在，什么都没有改变。需要解除关联请重新回复「解绑」。"


def only_words() -> str:
    """To a picture, a voice message, a place."""
    return "我暂时只看得懂文字。\n回复「帮助」，看看我能做什么。"


def try_later() -> str:
    """When the rows are away."""
    return "系统正在维护，请过几分钟再试，您的课程和权益都不受影响。"
