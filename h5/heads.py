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


def methods_of(handler: RequestHandler) -> str:
    """The methods that an address serves, which who tried another one must be told."""
    missing, kind = RequestHandler._unimplemented_method, type(handler)
    served = [name for name in handler.SUPPORTED_METHODS if getattr(kind, name.lower()) is not missing]
    if "GET" not in served or issubclass(kind, GetUsesUp):
        served = [name for name in served if name != "HEAD"]
    return ", ".join(served)
