"""What a follower means: the words that the account understands, as people write and mistype them."""

import re
import unicodedata
from collections.abc import Container

HELP, COURSES, PLANETS, ORDERS, VOUCHERS, FEEDBACK, THANKS, UNLINK, CONFIRM_UNLINK, OPT_OUT, OPT_IN = (
    "help", "courses", "planets", "orders", "vouchers", "feedback", "thanks", "unlink", "confirm_unlink",
    "opt_out", "opt_in",
)  # fmt: skip
REPORT, NUMBER, KEYWORD, UNKNOWN, ONLY_WORDS = "report", "number", "keyword", "unknown", "only_words"
VARIANTS = {
    HELP: (
        "帮助 帮忙 幫助 用 使用 使用说明 使用帮助 说明 功能 指令 菜单 客服 人工 人工客服 联系客服 转人工 "
        "你好 您好 在 有人 开始 help hi hello start menu"
    ),
    COURSES: (
        "课程 课 課程 课成 课称 课表 课程表 我的课程 我的课 全部课程 所有课程 课程列表 已购课程 已买课程 上课 听课 "
        "看课 学习 我的学习 继续学习 回放 报名 course courses class lesson lessons"
    ),
    PLANETS: (
        "星球 星秋 星求 我的星球 知识星球 进星球 进入星球 加入星球 开通星球 激活星球 关联 绑定 绑定星球 关联星球 "
        "进群 加群 入群 社群 答疑 提问 会员 我的会员 星球会员 planet planets"
    ),
    VOUCHERS: (
        "代金券 代金劵 代金卷 代金圈 代金 券 劵 优惠券 优惠劵 优惠卷 优惠 抵用券 抵扣券 折扣券 折扣 礼券 红包 "
        "领券 领劵 领卷 领代金券 领优惠券 领取代金券 领取优惠券 领红包 兑换券 券码 我的券 我的劵 我的代金券 我的代金劵 "
        "我的优惠券 我的红包 代金券列表 voucher vouchers coupon coupons"
    ),
    ORDERS: (
        "订单 訂單 定单 我的订单 我的定单 订单列表 订单查询 订单号 我的购买 购买记录 付款 付款记录 支付 支付记录 "
        "待付款 退款 退钱 退费 退课 申请退款 退款进度 order orders refund pay"
    ),
    FEEDBACK: (
        "反馈 返馈 反溃 意见 建议 投诉 报错 吐槽 意见反馈 问题反馈 反馈问题 反馈意见 反馈建议 提意见 提建议 有问题 "
        "打不开 用不了 出错 故障 bug bugs feedback"
    ),
    THANKS: "谢谢 谢谢你 谢谢您 谢谢老师 谢 多谢 感谢 辛苦 好 好的 收到 知道 明白 嗯 嗯嗯 再见 拜拜 ok thanks bye",
    UNLINK: (
        "解绑 解綁 解除 解除关联 解除绑定 取消关联 取消绑定 断开关联 解绑星球 解除星球 取消关联星球 取消绑定星球 "
        "unlink unbind"
    ),
    CONFIRM_UNLINK: "确认解绑 确定解绑 确认解除 確認解綁",
    OPT_OUT: (
        "退订 退訂 退定 取消订阅 取消提醒 取消通知 关闭提醒 关闭通知 停止提醒 停止通知 不要提醒 不要通知 不再提醒 "
        "免打扰 别发 别再发 不要发 不要再发 td unsubscribe stop"
    ),
    OPT_IN: (
        "恢复通知 恢复提醒 恢复订阅 恢复 订阅 重新订阅 取消退订 开启通知 开启提醒 打开通知 打开提醒 接收通知 接收提醒 "
        "subscribe"
    ),
}
HEARD = {variant: topic for topic, variants in VARIANTS.items() for variant in variants.split()}
GUESSED = {HELP, COURSES, PLANETS, VOUCHERS, ORDERS, FEEDBACK}
"""What a slip of the pen may stand for: nothing that changes what he has, or what he gets to read."""
LEAST_LETTERS = {True: 4, False: 3}  # of a variant that is guessed at, in ASCII or not: shorter ones are near to all
NOISE = re.compile(r"[\s\u200b-\u200d\u2060\ufe0f\ufeff。，,.!?~、;:\"'“”‘’「」【】\[\]()]+")
POLITE = re.compile(
    r"^(?:请问|请|你好|您好|老师|我要|我想要?|想要?|帮我|给我|怎么|怎样|如何|在?哪里|在?哪儿|有没有|有|能不能|可以"
    r"|查看|查询|查|看看|看|打开|回复|领取?)+"
    r"|(?:吧|呢|吗|嘛|么|啊|呀|哦|哈|呗|了|谢谢|在?哪(?:里|儿)?[领看查买]?|怎么(?:用|进|办|看|领|查|写)|有哪些|是什么|一下)+$"
)
TELLS = re.compile(r"\W*(?:反馈|返馈|feedback\b|(?=报错|建议|投诉|吐槽|bug\b))[\W_]*(.+)", re.DOTALL | re.IGNORECASE)


def plain(content: str) -> str:
    """A message without blanks, punctuation, width and case."""
    return NOISE.sub("", unicodedata.normalize("NFKC", content).lower())


def topic_of(content: str, kept: Container[str] = (), campaigns: Container[str] = ()) -> str:
    """What a follower means by his message.

    `kept` are the operator's own words, `campaigns` those of vouchers' campaigns, both as `plain` writes them.
    """
    said = plain(content)
    rest = softened(said)
    if topic := exactly(said) or politely(rest):
        return topic
    if said in campaigns or rest in campaigns:
        return VOUCHERS
    if said in kept or rest in kept:
        return KEYWORD
    return REPORT if report_in(content) else guessed(said)


def known(said: str) -> str:
    """The topic of a message that says it rightly, politely or not; empty for any other."""
    return exactly(said) or politely(softened(said))


def exactly(said: str) -> str:
    """The topic of a message that is a word of ours, a number, or nothing at all."""
    if said in HEARD:
        return HEARD[said]
    if not said:
        return HELP
    return NUMBER if re.fullmatch(r"[0-9]{1,2}", said) else ""


def softened(said: str) -> str:
    """A message without what people add to be polite; one that is a word of ours stays as it is."""
    return said if said in HEARD else POLITE.sub("", said)


def politely(rest: str) -> str:
    """The topic of what is left of a polite message; what ends something at once wants its exact word."""
    topic = HEARD.get(rest, "") if rest else HELP
    return "" if topic == CONFIRM_UNLINK else topic


def keyword_in(content: str, kept: Container[str]) -> str:
    """Which of these words he wrote, politely or not; empty for none."""
    said = plain(content)
    return next((word for word in (said, softened(said)) if word in kept), "")


def report_in(content: str) -> str:
    """What he reports: all that follows 反馈, or his whole message when it begins with 建议, 投诉 and the like."""
    found = TELLS.match(content)
    return found[1].strip() if found else ""


def thinned(word: str) -> set[str]:
    """A word, and what is left of it without one of its letters."""
    return {word} | {word[:at] + word[at + 1 :] for at in range(len(word))}


def near_variants() -> dict[str, set[str]]:
    """The topics of each form that a variant with one slip may have."""
    near: dict[str, set[str]] = {}
    for variant, topic in HEARD.items():
        for form in thinned(variant) if len(variant) >= LEAST_LETTERS[variant.isascii()] else ():
            near.setdefault(form, set()).add(topic)
    return near


NEAR = near_variants()
LONGEST = max(map(len, HEARD)) + 1


def guessed(said: str) -> str:
    """The one topic that a message with a slip of the pen can mean; what is near to two, or undoes something, is none.

    A letter too many, one too few, a wrong one, or two that changed places.
    """
    if len(said) > LONGEST:
        return UNKNOWN
    topics = {topic for form in thinned(said) if form in NEAR for topic in NEAR[form]}
    return topics.pop() if len(topics) == 1 and topics <= GUESSED else UNKNOWN


def number_in(content: str) -> int:
    """The number that he wrote; 0 for any other message."""
    said = plain(content)
    return int(said) if known(said) == NUMBER else 0
