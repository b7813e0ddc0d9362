"""Where a person wanted to go before he had to sign in: ids of our own pages, never addresses."""

import re

from models.errors import WrongInput

SLUG = r"[a-z0-9][a-z0-9-]{0,63}"
CODE = r"[0-9a-z]{16,64}"
ORDER_NO = r"[0-9]{8}[0-9a-f]{24}"
TARGETS = {
    "home": (r"", "/"),
    "me": (r"", "/me"),
    "links": (r"", "/me/links"),
    "access": (r"", "/me/access"),
    "lecturer": (r"", "/lecturer"),
    "planet": (SLUG, "/planets/{}"),
    "course": (SLUG, "/courses/{}"),
    "lesson": (SLUG + r"/[0-9]{1,4}", "/courses/{}"),
    "buy": (SLUG, "/courses/{}/buy"),
    "order": (ORDER_NO, "/orders/{}"),
    "refund": (ORDER_NO, "/orders/{}/refund"),
    "orders": (r"", "/me/orders"),
    "vouchers": (r"", "/me/vouchers"),
    "course_planet": (SLUG, "/courses/{}/planet"),
    "claim": (CODE, "/claims/{}"),
    "scan": (r"[0-9a-f]{32}", "/s/{}"),
    "invite": (CODE, "/lecturer/invites/{}"),
}


def path_of(target: str) -> str:
    """The page of ours that a target names; raises WrongInput for anything else, above all for addresses."""
    kind, _, name = target.partition(":")
    if kind not in TARGETS or not re.fullmatch(TARGETS[kind][0], name):
        raise WrongInput(what="target")
    return TARGETS[kind][1].format(name.replace("/", "/lessons/"))
