"""WeChat's good answers, field by field; what does not fit is not believed."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, StrictInt

Id = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,128}$")]
IdIfAny = Annotated[Id | None, BeforeValidator(lambda found: found or None)]
Token = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,2048}$")]
Life = Annotated[StrictInt, Field(gt=0, le=86_400)]


class TokenReply(BaseModel):
    """`POST /cgi-bin/stable_token`; the rest of its life in seconds."""

    access_token: Token
    expires_in: Life


class TicketReply(BaseModel):
    """`GET /cgi-bin/ticket/getticket`."""

    ticket: Token
    expires_in: Life


class OAuthReply(BaseModel):
    """`GET /sns/oauth2/access_token`; `is_snapshotuser` stands there only when it is 1."""

    openid: Id
    access_token: Token
    scope: str = ""
    unionid: IdIfAny = None
    is_snapshotuser: StrictInt = 0


class UserInfoReply(BaseModel):
    """`GET /sns/userinfo`."""

    openid: Id
    nickname: str = ""
    headimgurl: str = ""
    unionid: IdIfAny = None


class SceneReply(BaseModel):
    """`POST /cgi-bin/qrcode/create`; a permanent one has no end."""

    ticket: Token
    url: Token
    expire_seconds: StrictInt = 0


class FollowerReply(BaseModel):
    """`GET /cgi-bin/user/info`: 1 follows, 0 does not (and then little else stands there)."""

    subscribe: StrictInt
