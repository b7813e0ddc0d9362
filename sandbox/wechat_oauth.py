"""OAuth of web pages: codes (one use, five minutes), page tokens, refresh tokens, user info."""

from dataclasses import dataclass
from typing import Any

from sandbox.wechat_errors import WeChatError
from sandbox.world import SandboxPerson, World

CODE_LIFE = 300
TOKEN_LIFE = 7200
REFRESH_LIFE = 30 * 86400


@dataclass
class Authorisation:
    """One yes of a person: behind a code first, then behind page tokens."""

    openid: str
    unionid: str | None
    nickname: str
    scope: str
    snapshot: bool
    ends_at: float
    used: bool = False


class OAuthBook:
    """The codes and page tokens of one account."""

    def __init__(self, world: World, app_id: str) -> None:
        self._world = world
        self._app_id = app_id
        self._codes: dict[str, Authorisation] = {}
        self._tokens: dict[str, Authorisation] = {}
        self._refresh: dict[str, Authorisation] = {}

    def new_code(self, person: SandboxPerson, scope: str, *, snapshot: bool = False) -> str:
        """A code for the redirect; in snapshot mode everything it leads to is virtual."""
        openid = self._world.new_id("o", 108) if snapshot else self._world.openid(person, self._app_id)
        unionid = self._world.new_id("u", 104) if snapshot and person.unionid else person.unionid
        nickname = "微信用户" if snapshot else person.nickname
        code = self._world.new_id("0", 124)
        ends_at = self._world.now() + CODE_LIFE
        self._codes[code] = Authorisation(openid, unionid, nickname, scope, snapshot, ends_at)
        return code

    def exchange(self, code: str) -> dict[str, Any]:
        """`/sns/oauth2/access_token` after the account was recognised."""
        if not code:
            raise WeChatError(41008)
        if not (found := self._codes.get(code)):
            raise WeChatError(40029)
        if found.used:
            raise WeChatError(40163)
        if self._world.now() >= found.ends_at:
            raise WeChatError(42003)
        found.used = True
        return self._tokens_for(found)

    def refresh(self, refresh_token: str) -> dict[str, Any]:
        """`/sns/oauth2/refresh_token`: a new page token, the same refresh token."""
        found = self._refresh.get(refresh_token)
        if not found:
            raise WeChatError(40030)
        if self._world.now() >= found.ends_at:
            raise WeChatError(42002)
        return self._tokens_for(found, refresh_token)

    def check(self, access_token: str, openid: str) -> Authorisation:
        """The yes behind a page token; refuses a wrong or expired one and another person's openid."""
        if not openid:
            raise WeChatError(41009)
        found = self._tokens.get(access_token)
        if not found:
            raise WeChatError(40001)
        if self._world.now() >= found.ends_at:
            raise WeChatError(42001)
        if found.openid != openid:
            raise WeChatError(40003)
        return found

    def userinfo(self, access_token: str, openid: str) -> dict[str, Any]:
        """`/sns/userinfo`; a token of scope snsapi_base may not."""
        found = self.check(access_token, openid)
        if found.scope != "snsapi_userinfo":
            raise WeChatError(48001)
        face = "https://thirdwx.qlogo.cn/mmopen/vi_32/sandbox/132"
        info = {"openid": openid, "nickname": found.nickname, "sex": 0, "language": "", "city": ""}
        info |= {"province": "", "country": "", "headimgurl": face, "privilege": []}
        if found.unionid:
            info["unionid"] = found.unionid
        return info

    def _tokens_for(self, found: Authorisation, refresh_token: str | None = None) -> dict[str, Any]:
        now = self._world.now()
        facts = (found.openid, found.unionid, found.nickname, found.scope, found.snapshot)
        access_token = self._world.new_id("80_", 320)
        self._tokens[access_token] = Authorisation(*facts, ends_at=now + TOKEN_LIFE)
        if refresh_token is None:
            refresh_token = self._world.new_id("81_", 320)
            self._refresh[refresh_token] = Authorisation(*facts, ends_at=now + REFRESH_LIFE)
        answer = {"access_token": access_token, "expires_in": TOKEN_LIFE, "refresh_token": refresh_token}
        answer |= {"openid": found.openid, "scope": found.scope}
        if found.snapshot:
            answer["is_snapshotuser"] = 1
        if found.unionid:
            answer["unionid"] = found.unionid
        return answer
