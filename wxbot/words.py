"""Every sentence of the chat; read it through when you change one. What it understands is in services/vocabulary.py."""

from datetime import datetime

from models.base import shanghai_words
from services.vocabulary import COURSES, FEEDBACK, ORDERS, PLANETS, UNLINK, VOUCHERS
from wxbot.fitting import REPLY_BYTES, fit, link_to, name_of

SHOWN_AT_MOST = 8

STATE_WORDS = {
    "not_live": "星球还没有开放",
    "unlinked": "还没有关联星球",
    "pending": "正在开通",
    "refused": "星球还没有开通成功，我们正在处理",
    "linked": "已开通，有效期至 {until}",
    "paid_there": "您是星球的付费会员",
    "over": "一年答疑期已于 {until} 结束",
}


VOUCHER_WORDS = {"open": "", "held": "正用在待付款的订单上，", "resting": "退款处理中暂停使用，"}
ORDER_WORDS = {
    "unpaid": "待付款", "closing": "正在关闭", "closed": "已关闭", "paid": "已支付", "refunded": "已退款",
    "resting": "退款处理中", "held": "正在人工核对，请不要重复支付",
}  # fmt: skip


HELP_LINES = {
    COURSES: "课程：看您的课程",
    PLANETS: "星球：看课程对应的星球，一键进入",
    VOUCHERS: "代金券：领取和查看您的代金券",
    ORDERS: "订单：付款、退款和进度",
    FEEDBACK: "反馈：告诉我们您遇到的问题",
    UNLINK: "解绑：解除星球账号的关联",
}


def help_text(base_url: str) -> str:
    """What the account can do; the number of a line is heard as its word is."""
    lines = [f"{number}. {line}" for number, line in enumerate(HELP_LINES.values(), 1)]
    home = f"也可以打开{link_to(f'{base_url}/me', '我的主页')}，查看权益和关联。"
    return "\n".join(["您可以直接回复文字或编号：", *lines, home, "不想收到提醒，回复「退订」。"])


def unknown(base_url: str) -> str:
    """Never silence: what he may say instead."""
    return "没太明白您的意思。" + help_text(base_url)


def welcome(base_url: str) -> str:
    """To a new follower."""
    return "欢迎！在这里可以进入课程对应的星球，继续向讲师提问。\n" + help_text(base_url)


def welcome_after_payment(base_url: str) -> str:
    """To somebody who followed after paying."""
    return "感谢报名！回复「星球」，即可进入课程对应的星球。\n" + help_text(base_url)


def welcome_to(listing: str, *, is_back: bool) -> str:
    """To a follower who has courses already: nothing is lost, and here it is."""
    greeting = "欢迎回来！您的权益都在。" if is_back else "欢迎！您报名的课程都在这里。"
    return f"{greeting}\n{listing}\n回复「帮助」，看看还能做什么。"


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
    words = STATE_WORDS[state].format(until=shanghai_words(until) if until else "")
    page = f"{base_url}/courses/{slug}" + ("" if state in {"over", "not_live", "paid_there"} else "/planet")
    where = link_to(page, "点此进入" if state == "unlinked" else "查看")
    return f"· {title}：{words}。{where}"


def no_orders(base_url: str) -> str:
    """To somebody who has ordered nothing here."""
    return (
        f"您在这里还没有订单。看看{link_to(f'{base_url}/', '全部课程')}；"
        f"在别的平台买的课程，在{link_to(f'{base_url}/me/access', '我的权益')}里。"
    )


def one_order(base_url: str, no: str, title: str, state: str) -> str:
    """A line of the list of orders: the course, how it stands, and where to go."""
    where = link_to(f"{base_url}/orders/{no}", "去付款" if state == "unpaid" else "查看")
    return f"· {title}：{ORDER_WORDS[state]}。{where}"


def listed(head: str, lines: list[str], base_url: str, *, room: int = REPLY_BYTES, unit: str = "门") -> str:
    """A list that fits into so many bytes, with the page that shows the rest."""
    for shown in range(min(len(lines), SHOWN_AT_MOST), 0, -1):
        more = f"共 {len(lines)} {unit}，其余请看{link_to(f'{base_url}/me', '我的主页')}。"
        text = "\n".join([head, *lines[:shown], *([more] if shown < len(lines) else [])])
        if len(text.encode()) <= room:
            return text
    return f"{head}请看{link_to(f'{base_url}/me', '我的主页')}。"


def nothing_to_unlink() -> str:
    """He has no link."""
    return "您现在没有关联星球账号，不需要解绑。回复「星球」，看看您的课程。"


def unlink_means(account: str) -> str:
    """What unlinking does, before it is done."""
    return (
        f"解除与星球账号{name_of(account)}的关联后：\n"
        "· 课程带来的星球会员资格会结束；您自己在星球付费的部分不受影响\n"
        "· 已放弃的课程退款不会恢复\n"
        "· 以后可以重新关联，享受这一年剩下的时间\n"
        "确定要解除，请在 5 分钟内回复：确认解绑\n"
        "不想解除，不用理会这条消息。"
    )


def choose_link(accounts: list[str]) -> str:
    """Several links: which one?"""
    lines = [f"{number}. {name_of(account) or '星球账号'}" for number, account in enumerate(accounts, 1)]
    return fit("\n".join(["您关联了多个星球账号，请在 5 分钟内回复要解除的编号：", *lines]))


def wrong_number(most: int) -> str:
    """A number that is not on the list."""
    return f"没有这个编号，请回复 1 到 {most} 之间的数字。"


def unlinked(account: str) -> str:
    """It is done."""
    return f"已解除与星球账号{name_of(account)}的关联。想再进入时，回复「星球」重新关联即可。"


def question_over() -> str:
    """A confirmation to a question that nobody asked, or too long ago."""
    return "现在没有等您确认的解绑，或者已经超过 5 分钟，什么都没有改变。\n需要解绑，请重新回复「解绑」。"


def only_words() -> str:
    """To a picture, a voice message, a place."""
    return "我暂时只看得懂文字。\n回复「帮助」，看看我能做什么。"


def you_are_welcome() -> str:
    """To thanks, and to a word that ends a talk."""
    return "不客气！需要时随时回复「帮助」，看看我能做什么。"


def one_voucher(title: str, fen: int, code: str, state: str, last_day: datetime) -> str:
    """A line of the list of vouchers: its worth, its code, how it stands, until when."""
    return f"· ¥{fen / 100:g} {title}：{code}（{state}{shanghai_words(last_day)}前有效）"


def spent_from(moment: datetime) -> str:
    """It can be spent later only."""
    return f"{shanghai_words(moment)}起可用，"


def one_no(title: str, fen: int, why: str) -> str:
    """A line of the campaigns that give him nothing."""
    return f"· {title} ¥{fen / 100:g}：{why}"


def vouchers(base_url: str, mine: list[str], noes: list[str]) -> str:
    """What he has, where he can spend it, and what else there is."""
    wallet = link_to(f"{base_url}/me/vouchers", "我的代金券")
    head = listed("您的代金券：", mine, base_url, room=REPLY_BYTES - 300, unit="张")
    return fit("\n".join([f"{head}\n下单时选用即可，能买哪些课程见{wallet}。", *noes]))


def voucher_comes() -> str:
    """While too many ask at once."""
    return "现在领券的人很多，您已经排上队了。代金券码几分钟内会发到这里，不用重复发送。"


def no_vouchers(base_url: str, noes: list[str]) -> str:
    """Why there is none, and what it takes."""
    wallet = link_to(f"{base_url}/me/vouchers", "我的代金券")
    if not noes:
        return f"现在还没有可以领取的代金券。有了以后，回复「代金券」就能领到；您手上的券都在{wallet}里。"
    elsewhere = "在别的平台用手机号报名的，请先打开那边给您的领取链接，再回复「代金券」。"
    return fit("\n".join(["现在没有您可以领的代金券：", *noes, elsewhere]))


def how_to_report() -> str:
    """To 反馈 alone."""
    return "请用一条消息写清楚，以「反馈」开头，例如：\n反馈 第 3 课的视频打不开，手机是 iPhone\n每一条我们都会看。"


def report_kept(number: int, *, is_cut: bool, longest: int) -> str:
    """It is kept, under a number that he can name."""
    cut = f"\n内容太长，只记下了前 {longest} 个字，其余的请另发一条。" if is_cut else ""
    return f"谢谢您的反馈，我们已经记下，编号 {number}。{cut}\n要补充，请再发一条，以「反馈」开头并写上这个编号。"


def opted_out() -> str:
    """What still comes, and how to undo it."""
    return (
        "已退订，不再给您发到期提醒和代金券活动的消息。\n"
        "您自己办的事照常通知：开通、退款、订单和钱款。\n"
        "想重新收到，回复「恢复通知」。"
    )


def opted_in() -> str:
    """All comes again."""
    return "已恢复，到期提醒和代金券活动会照常发给您。\n不想收到时，回复「退订」。"


def try_later() -> str:
    """When the rows are away."""
    return "系统正在维护，请过几分钟再试，您的课程和权益都不受影响。"


def go_on_with_scan(base_url: str, code: str) -> str:
    """After the account's QR on a PC's page."""
    lines = ["已扫码。请核对电脑上的两位数字，再点开确认：", f"{base_url}/s/{code}"]
    return "\n".join([*lines, "不是您自己的电脑？不用理会，什么都不会发生。"])
