"""A group's own page: join, renew, refund, the pinned post, and the owner's list of members."""

import qrcode
from markupsafe import Markup
from qrcode.image.svg import SvgPathImage

from sandbox.planet_members import PlanetNo
from sandbox.planet_money import REFUND_HOURS
from sandbox.planet_web import PageHandler

LISTED_AT_MOST = 200


def qr_picture(text: str) -> Markup:
    """A QR of `text` as inline SVG."""
    picture = qrcode.make(text, image_factory=SvgPathImage, border=2).to_string()
    return Markup(picture.decode())  # noqa: S704  # nosec B704  # drawn by the library, holds none of the text


class GroupPageHandler(PageHandler):
    """What a member, a visitor or the owner sees."""

    def get(self, group_id: str) -> None:
        """The page; it changes nothing."""
        group = self.site.group(group_id)
        account = self.account
        if not account:
            self.show("who", people=list(self.world.people.values()))
            return
        member = group.members.get(account.uid)
        is_owner = group.owner is account
        sees_posts = is_owner or bool(member and member.active)
        picture = qr_picture(group.pinned_link) if sees_posts and group.pinned_link else ""
        listed = group.order[:LISTED_AT_MOST] if is_owner else []
        facts = {"member": member, "is_owner": is_owner, "sees_posts": sees_posts, "picture": picture}
        facts |= {"payments": self.site.payments_of(account, group), "listed": listed}
        others = [one for one in self.site.accounts.all_of(self.me()[0]) if one is not account]
        self.show("group", group=group, others=others, refund_hours=REFUND_HOURS, **facts)


class GroupActionHandler(PageHandler):
    """The taps of a group's page, each a POST of its own form."""

    def post(self, group_id: str, action: str) -> None:
        """Do it, and show the group again."""
        _, account = self.me()
        self.check_form()
        doing = {"join": self.site.member_buys, "renew": self.site.member_renews}
        if action in doing:
            doing[action](account, group_id)
        elif action == "refund":
            self._refund(group_id)
        else:
            self._as_owner(group_id, action)
        self.redirect(f"/groups/{group_id}", status=303)

    def _refund(self, group_id: str) -> None:
        order_ref = self.only("order_ref", body=True)
        payment = self.site.payments.find(order_ref)
        if payment.membership.account is not self.account or payment.group.group_id != group_id:
            raise PlanetNo(404, "not_found", "没有这笔付款。")
        self.site.refund(order_ref, by_member=True)

    def _as_owner(self, group_id: str, action: str) -> None:
        group = self.site.group(group_id)
        if group.owner is not self.account:
            raise PlanetNo(403, "not_allowed", "只有星主可以这样做。")
        member = group.find(self.only("member_uid", body=True))
        doing = {"remove": self.site.remove, "readmit": self.site.readmit}
        doing[action](member.account, group_id)


routes = [
    (r"/groups/([^/]+)", GroupPageHandler),
    (r"/groups/([^/]+)/(join|renew|refund|remove|readmit)", GroupActionHandler),
]
