"""One class for each "no": a code for machines, and what it says to the person."""

from typing import Any


class BusinessError(Exception):
    """A refusal: nothing was changed. `facts` fill the braces of `says`, and may be shown to the person."""

    code = "refused"
    status = 409
    says = "现在不能这样做。"

    def __init__(self, **facts: Any) -> None:
        super().__init__(self.code)
        self.facts = facts

    @property
    def message(self) -> str:
        """The sentence for the person, in Chinese."""
        return self.facts.get("retold") or self.says.format(**self.facts)


def retold(code: str, message: str) -> BusinessError:
    """A "no" that was given before and is told again, in the same words."""
    return kinds(BusinessError).get(code, BusinessError)(retold=message)


def kinds(kind: type[BusinessError]) -> dict[str, type[BusinessError]]:
    """Every kind of "no" below one, by its code."""
    found = {kind.code: kind}
    for below in kind.__subclasses__():
        found |= kinds(below)
    return found


class NotFound(BusinessError):
    """Unknown, or another person's: the same answer, so that nobody can probe."""

    code = "not_found"
    status = 404
    says = "没有找到这个页面，可能链接不完整，或者它不属于您当前的微信账号。"


class WrongInput(BusinessError):
    """A field is missing or out of shape; `what` says which, in words of ours."""

    code = "wrong_input"
    status = 422
    says = "填写的内容有问题：{what}"


class TooMany(BusinessError):
    """Asked too often; `retry_after` in seconds goes into the header of that name."""

    code = "rate_limited"
    status = 429
    says = "操作太频繁了，请过一会儿再试。"


class TooBusy(BusinessError):
    """No place in a bounded queue: nothing was started, so asking again is safe."""

    code = "busy"
    status = 503
    says = "现在人有点多，请稍等几秒再试，刚才的操作没有生效。"


class AtWork(BusinessError):
    """Another process does the same at this moment; `what` says which, in words of ours."""

    code = "at_work"
    says = "另一个进程正在做同样的事，请等它做完再试。"


class RowsAway(TooBusy):
    """The database does not answer, or stays locked: nothing was changed, asking again later is right."""

    code = "maintenance"
    status = 503
    says = "系统正在维护，请过一会儿再试，刚才的操作没有生效。"


class NotSignedIn(BusinessError):
    """The page is a person's own, and this browser is nobody's yet."""

    code = "not_signed_in"
    status = 401
    says = "请先用微信登录。"


class OpenInWechat(BusinessError):
    """This browser cannot prove a WeChat account (L4)."""

    code = "open_in_wechat"
    status = 403
    says = "请在微信里打开这个页面。"


class SnapshotUser(BusinessError):
    """WeChat showed the page in snapshot mode: the ids are virtual (L7)."""

    code = "snapshot_user"
    status = 403
    says = "您正在浏览页面快照。请点右下角「使用完整服务」，再继续。"


class StateInvalid(BusinessError):
    """The way back from another company does not fit how it began: foreign, old, used, or mixed up."""

    code = "state_invalid"
    status = 400
    says = "这次授权已经失效，请重新发起。"


class StartFromYourCourse(BusinessError):
    """A way back that was opened in a browser which did not start it (forwarded, or forged)."""

    code = "start_from_your_course"
    status = 403
    says = "这个链接只能在发起它的手机上使用。请从您自己的课程页面点「星球」开始。"


class SignInRefused(BusinessError):
    """WeChat did not confirm who this is: he said no, or the code was used or old."""

    code = "sign_in_refused"
    status = 403
    says = "微信没有完成授权，请再点一次登录。"


class RemoteAway(BusinessError):
    """Another company does not answer; nothing is lost, asking again later is right."""

    code = "remote_away"
    status = 503
    says = "{who}暂时没有回应，请稍后再试，已经完成的操作不会丢失。"


class NotEnrolled(BusinessError):
    """No live right to the course."""

    code = "not_enrolled"
    status = 403
    says = "您还没有报名这门课程，报名后就可以进入它的星球。"


class PairingNotLive(BusinessError):
    """The lecturer has not authorised this pairing, or has paused it (C4)."""

    code = "pairing_not_live"
    status = 409
    says = "这门课程的星球还没有开放，讲师开放后就可以进入。"


class WaiverNotAgreed(BusinessError):
    """The box of the waiver was not ticked, or the text has changed since he read it."""

    code = "waiver_not_agreed"
    status = 422
    says = "请先阅读并勾选「放弃退款」的说明，再确认关联。"


class AlreadyLinked(BusinessError):
    """This purchase has its membership, or this person has another planet account (L5)."""

    code = "already_linked"
    status = 409
    says = "您的这门课程已经关联过星球账号了，不能再关联另一个。如需更换，请先在「我的关联」里解除。"


class LinkTaken(BusinessError):
    """The planet account belongs to another person's link (L5)."""

    code = "link_taken"
    status = 409
    says = "这个星球账号已经关联了另一位学员。请换用您自己的星球账号，或联系客服。"


class NotAMember(BusinessError):
    """The planet account that came back has no payment there that holds; what we gave it does not count (L5)."""

    code = "not_a_member"
    status = 403
    says = "星球说，这个账号现在没有付费的会员资格，所以没有可以带过来的课程。"


class PaymentServed(BusinessError):
    """The payment was brought before, by another person (L5)."""

    code = "payment_served"
    status = 409
    says = "这笔星球付款已经由另一位学员领取过了，一笔付款只能用一次。如果不是您本人领取的，请联系客服。"


class AlreadyMember(BusinessError):
    """His right comes from his own payment at the planet: he is a member there already (L5, no loops)."""

    code = "already_member"
    status = 409
    says = "这门课程来自您在星球的付款，您本来就是星球会员，不需要再从课程开通。"


class Declined(BusinessError):
    """He said no on the planet's page."""

    code = "declined"
    status = 200
    says = "您没有同意关联，什么都没有改变。"


class MembershipOver(BusinessError):
    """The purchase's one year of Q&A has passed; linking again gives the rest of it, never a new one (L6)."""

    code = "membership_over"
    status = 409
    says = "这门课程的一年答疑期已经结束，不能再次开通。"


class RelinkLimit(BusinessError):
    """Unlinked and linked again too often, or too soon after the last time."""

    code = "relink_limit"
    status = 403
    says = "{what}"


class ScanExpired(BusinessError):
    """The QR's time is over, or a newer one stands in its place."""

    code = "scan_expired"
    status = 410
    says = "二维码已失效，请在电脑上刷新后重新扫码。"


class ScanTaken(BusinessError):
    """Another phone was first, or the same one has answered already."""

    code = "scan_taken"
    status = 409
    says = "这个二维码已经被扫过了。如果不是您本人扫的，请在电脑上换一个二维码。"


class ScanCancelled(BusinessError):
    """Who sits at the PC has called it off."""

    code = "scan_cancelled"
    status = 409
    says = "电脑上已经取消了这次操作。"


class AccountMismatch(BusinessError):
    """The PC is signed in as one person and the phone as another; neither is named."""

    code = "account_mismatch"
    status = 403
    says = "电脑上登录的账号和您的微信不是同一个人。请在电脑上退出登录，再重新扫码。"


class WrongDigits(BusinessError):
    """The six digits typed at the PC are not those on the phone."""

    code = "wrong_digits"
    status = 422
    says = "数字不对，请看手机上的六位数字，还可以试 {left} 次。"


class AlreadySignedIn(BusinessError):
    """This browser has a session, so there is nothing to sign in."""

    code = "already_signed_in"
    status = 409
    says = "您已经登录了。"


class ClaimTaken(BusinessError):
    """The claim link has been used, by whomever."""

    code = "claim_taken"
    status = 409
    says = "这个领取链接已经用过了。如果不是您本人领取的，请联系购买课程的平台。"


class InviteOver(BusinessError):
    """The lecturer's one-time invitation was used or is too old."""

    code = "invite_over"
    status = 410
    says = "这个邀请链接已经失效，请向平台运营人员要一个新的。"


class OrderNoTaken(BusinessError):
    """The platform's own order number came before with another body."""

    code = "order_conflict"
    status = 409
    says = "这个订单号已经登记过，而且内容不同。"


class Waived(BusinessError):
    """The refund of this purchase was given up when its planet was entered (B2)."""

    code = "waived"
    status = 409
    says = "这笔购买已在{waived_at}放弃退款（进入了课程的星球）。"


class EventRefused(BusinessError):
    """An event without a good signature of now; the same words whatever is wrong with it."""

    code = "invalid_signature"
    status = 401
    says = "签名无效。"


class EventUnreadable(BusinessError):
    """A signed event that is not of the contract."""

    code = "invalid_request"
    status = 400
    says = "事件的格式不对。"


class TooLarge(BusinessError):
    """More bytes than anybody has to send here."""

    code = "too_large"
    status = 413
    says = "内容太大。"


class AccessDenied(BusinessError):
    """The page is for somebody in another role."""

    code = "not_allowed"
    status = 403
    says = "您没有权限做这个操作。"
