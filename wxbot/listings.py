"""What the chat shows of somebody's rows: his courses, their planets, his orders."""

from models.people import Identity
from services import access, order_views
from services.catalogue import CatalogueMemory
from services.env import Env
from services.vocabulary import COURSES, ORDERS, PLANETS
from wxbot import words

LISTS = {COURSES, PLANETS, ORDERS}


class Listings:
    """Lists with links, each cut to what WeChat takes as one reply."""

    def __init__(self, base_url: str, catalogue: CatalogueMemory) -> None:
        self.base_url = base_url
        self.catalogue = catalogue

    def of(self, env: Env, *, openid: str, topic: str) -> str:
        """His courses, his courses with the state of their planets, or his orders."""
        identity = Identity.of_openid(openid)
        if topic == ORDERS:
            return self.orders_of(order_views.lines(env, person_id=identity.person_id) if identity else [])
        mine = access.courses_of(env, person_id=identity.person_id) if identity else []
        if not mine:
            return words.no_courses(self.base_url)
        if topic == COURSES:
            lines = [words.one_course(self.base_url, c.slug, c.title) for c in mine]
            return words.listed("您的课程：", lines, self.base_url)
        return self.planets_of(mine)

    def orders_of(self, mine: list[order_views.OrderLine]) -> str:
        """Each order with its state and where to go."""
        lines = [words.one_order(self.base_url, one.no, one.title, one.shown_state) for one in mine]
        return words.listed("您的订单：", lines, self.base_url, unit="笔") if mine else words.no_orders(self.base_url)

    def planets_of(self, mine: list[access.CourseState], room: int = words.REPLY_BYTES) -> str:
        """Each course with the state of its planet and where to go, in so many bytes."""
        lines = [words.one_planet(self.base_url, c.slug, c.title, self.state(c), c.until) for c in mine]
        return words.listed("您的课程和星球：", lines, self.base_url, room=room)

    def state(self, course: access.CourseState) -> str:
        """Its state, or that its planet takes nobody yet."""
        card = self.catalogue.courses.get(course.slug)
        is_open = card is not None and card.planet is not None and card.planet.is_live
        return course.state if is_open or course.state != "unlinked" else "not_live"
