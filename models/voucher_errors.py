"""Every "no" about vouchers."""

from models.errors import BusinessError


class VoucherUnknown(BusinessError):
    """There is no such code, or it is another person's: the same answer, so that nobody can probe (V6)."""

    code = "voucher_unknown"
    status = 404
    says = "没有找到这张代金券。请核对代金券码；代金券只能由领取它的微信使用。"


class VoucherUsed(BusinessError):
    """It was spent, or what it was earned by is refunded."""

    code = "voucher_used"
    status = 409
    says = "这张代金券已经{what}，不能再用了。"


class VoucherHeld(BusinessError):
    """An order that is not paid yet has it."""

    code = "voucher_held"
    status = 409
    says = "这张代金券正用在另一笔没有付款的订单上。付款，或取消那笔订单后，就可以再用。"


class VoucherExpired(BusinessError):
    """Its time is over."""

    code = "voucher_expired"
    status = 410
    says = "这张代金券在{expired_on}过期了。"


class VoucherNotYet(BusinessError):
    """It can be spent once the planet's own refund time is over (V3)."""

    code = "voucher_not_yet"
    status = 409
    says = "这张代金券从{starts_on}起可以使用，在那之前下单不能减。"


class VoucherOutOfScope(BusinessError):
    """It does not pay for this course."""

    code = "voucher_out_of_scope"
    status = 422
    says = "这张代金券不能用于这门课程。在「我的代金券」里可以看到它能买哪些课程。"


class VoucherMinimum(BusinessError):
    """The course costs less than the least it is good for."""

    code = "voucher_minimum"
    status = 422
    says = "课程满 {least} 才能用这张代金券。"


class QuotaExhausted(BusinessError):
    """The campaign has given all that it may give."""

    code = "quota_exhausted"
    status = 409
    says = "这个活动的代金券已经发完了。"


class EarnedVoucherHeld(BusinessError):
    """A voucher that this purchase earned is in an unpaid order: what a refund does to it is not decided yet."""

    code = "earned_voucher_held"
    status = 409
    says = "这次购买带来的代金券正用在一笔没有付款的订单上。请先付款，或取消那笔订单，再申请退款。"


class EarnedVoucherWorth(BusinessError):
    """The voucher that this purchase earned was spent, and is worth all that could go back."""

    code = "earned_voucher_spent"
    status = 409
    says = "这次购买带来的代金券已经用掉（{worth}），不低于可以退回的金额，所以不能再退款。"
