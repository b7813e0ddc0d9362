"""Every "no" about buying and refunds."""

from models.errors import BusinessError


class NotForSale(BusinessError):
    """It has no price yet, or this installation takes no money."""

    code = "not_for_sale"
    status = 409
    says = "这门课程现在还不能在这里购买。"


class AlreadyEnrolled(BusinessError):
    """He has the course: paying again would give him nothing."""

    code = "already_enrolled"
    status = 409
    says = "您已经有这门课程了，不用再买。"


class PriceChanged(BusinessError):
    """The price is another than the one that he saw when he tapped."""

    code = "price_changed"
    status = 409
    says = "课程价格刚刚变为 {price}，请返回看清楚后再决定。没有扣款。"


class OrderClosing(BusinessError):
    """His earlier order for this course is being closed at WeChat; a moment later he may order anew."""

    code = "order_closing"
    status = 409
    says = "上一笔订单正在关闭，请过一分钟再试。"


class OrderOver(BusinessError):
    """It is paid, closed, or about to close: nothing can be paid any more."""

    code = "order_over"
    status = 409
    says = "这笔订单已经不能支付了。需要的话，请回到课程页重新下单。"


class NotRefundable(BusinessError):
    """There is no money, or no right, of this order that could go back."""

    code = "not_refundable"
    status = 409
    says = "这笔订单现在不能退款。"


class RefundOpen(BusinessError):
    """A refund of this order is under way."""

    code = "refund_open"
    status = 409
    says = "这笔订单的退款正在处理，不用重复申请。"


class RefundWindowOver(BusinessError):
    """More than the allowed days have passed since he paid (B2)."""

    code = "refund_window_over"
    status = 409
    says = "退款期限已于 {until} 结束。有特殊情况，请在公众号里联系客服。"


class NoticeRefused(BusinessError):
    """It does not prove that WeChat Pay sent it."""

    code = "FAIL"
    status = 401
    says = "签名验证失败"
