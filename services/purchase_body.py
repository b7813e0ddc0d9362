"""The shape of a purchase as a platform tells it, by API or in a line of a file."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from models.errors import WrongInput

MOST_FEN = 100_000_000
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Openid = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{6,64}$")]
Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{6,20}$")]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s\x00-\x20\x7f]{1,64}@[^@\s\x00-\x20\x7f]{1,189}$")]
THIS_CENTURY = "^20[0-9]{2}-"


def iso_moment(value: Any) -> Any:
    """Written as a time with its zone; a bare number could be seconds or milliseconds of anything."""
    if isinstance(value, str) and not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]", value, re.ASCII):
        raise ValueError("must be a time with its zone, as 2026-01-01T08:00:00+08:00")
    if not isinstance(value, str | datetime):
        raise ValueError("must be a string")
    return value


def plausible(value: datetime) -> datetime:
    """The same instant in UTC, however it was written, within what every database keeps."""
    if not 2000 <= value.year < 2100:
        raise ValueError("must be between 2000 and 2100")
    return value.astimezone(UTC)


PaidAt = Annotated[
    AwareDatetime,
    Field(strict=False, json_schema_extra={"pattern": THIS_CENTURY}),
    BeforeValidator(iso_moment),
    AfterValidator(plausible),
]


class PurchaseBody(BaseModel):
    """What a platform tells of one purchase; the person is known by openid, else by phone or e-mail."""

    model_config = ConfigDict(extra="forbid", strict=True)

    course: Slug
    openid: Openid | None = None
    phone: Phone | None = None
    email: Email | None = None
    paid_fen: Annotated[int, Field(ge=0, le=MOST_FEN)]
    paid_at: PaidAt

    @model_validator(mode="after")
    def check_person(self) -> "PurchaseBody":
        """Somebody must have bought it."""
        if not (self.openid or self.phone or self.email):
            raise ValueError("openid, phone or email is needed")
        return self


def parse_body(raw: bytes | dict[str, Any]) -> PurchaseBody:
    """The body of a PUT, or one line of a CSV; raises WrongInput naming the first field at fault."""
    try:
        return PurchaseBody.model_validate(raw) if isinstance(raw, dict) else PurchaseBody.model_validate_json(raw)
    except ValidationError as wrong:
        first = wrong.errors(include_input=False, include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        raise WrongInput(what=f"{field}: {first['msg']}") from None
