"""Calls to the Official Account's server API: errors typed, the token put in, one retry when it is refused."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from clients.errors import RemoteDown
from clients.http import Answer, Peer
from clients.shared_value import SharedValue
from clients.wechat_codes import CallRefused, TokenRefused, failure


def checked(answer: Answer) -> dict[str, Any]:
    """The answer's object; raises the typed error for its errcode (WeChat says 200 to everything)."""
    if answer.status != 200:  # a proxy, or a wrong address
        raise CallRefused(answer.peer, f"http_{answer.status}", status=answer.status)
    found = answer.json()
    if not isinstance(found, dict):
        raise RemoteDown(answer.peer, "wrong_body", status=200, unknown=True)
    code = found.get("errcode", 0)
    if not isinstance(code, int):
        raise RemoteDown(answer.peer, "wrong_body", status=200, unknown=True)
    if code:
        raise failure(answer.peer, code, found.get("errmsg"))
    return found


class Transport:
    """What wechatpy's `client.api` classes get instead of their blocking client: their methods become awaitable.

    Of their keywords only those we can keep are taken; `files=` and foreign hosts are a TypeError.
    """

    def __init__(self, api: Peer, token: SharedValue) -> None:
        self._api = api
        self._token = token

    async def get(self, url: str, **kwargs: Any) -> Any:
        """A GET of wechatpy's."""
        return await self._request("GET", url, **kwargs)

    async def post(self, url: str, **kwargs: Any) -> Any:
        """A POST of wechatpy's."""
        return await self._request("POST", url, **kwargs)

    async def _request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        result_processor: Callable[[dict[str, Any]], Any] = lambda found: found,
    ) -> Any:
        query = {name: str(value) for name, value in (params or {}).items()}
        token = await self._token.get()
        with suppress(TokenRefused):
            return result_processor(await self._ask(method, url, token, query, data))
        token = await self._token.get(not_this=token)
        return result_processor(await self._ask(method, url, token, query, data))

    async def _ask(
        self, method: str, url: str, token: str, query: dict[str, str], data: Mapping[str, object] | None
    ) -> dict[str, Any]:
        return checked(
            await self._api.call(
                method,
                f"/cgi-bin/{url}",
                operation=url,  # wechatpy's own constants, such as message/custom/send
                query={"access_token": token} | query,
                json=data,
            )
        )
