"""What other companies' machines tell us by themselves: the planet's events."""

from h5.base import BaseHandler
from models.errors import TooLarge
from services import planet_events

BODY_MOST = 64 * 1024
SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")


class PlanetEventHandler(BaseHandler):
    """One event of a planet; its signature is all that counts."""

    acts = "event"

    def check_xsrf_cookie(self) -> None:
        """A machine that signs each call; no cookie of a browser counts here."""

    @property
    def wants_json(self) -> bool:
        return True

    async def post(self, provider: str) -> None:
        if len(self.request.body) > BODY_MOST:
            raise TooLarge
        headers = {name: self.request.headers.get_list(name) for name in SIGNED}
        await planet_events.take(self.ctx, provider=provider, headers=headers, body=self.request.body)
        self.set_status(204)
        self.finish()


routes = [(r"/planets/([a-z_]{1,32})/events", PlanetEventHandler)]
