"""HEAD, for those who want to know of a page without reading it."""

from tornado.web import HTTPError, RequestHandler


class HeadAsGet:
    """HEAD says what a GET would; Tornado keeps the words back."""

    async def head(self: RequestHandler, *args: str) -> None:
        await self.get(*args)


class GetUsesUp:
    """A GET that works once: who only looks ahead must not use it up."""

    async def head(self, *_args: str) -> None:
        raise HTTPError(405)
