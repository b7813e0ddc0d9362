"""The catalogue file: its shape."""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from services.catalogue_yaml import BadCatalogue, Lines, as_yaml

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=128, strip_whitespace=True)]
Fen = Annotated[int, Field(ge=0, le=100_000_000, strict=True)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=16)]
Days = Annotated[int, Field(ge=1, le=3660, strict=True)]
Count = Annotated[int, Field(ge=1, le=100_000_000, strict=True)]
MOST_BYTES = 65_535  # what MariaDB keeps of a text


class Part(BaseModel):
    """A part of the file: an unknown name in it is a mistake, not a wish; every text can be kept by every database."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def check_text(cls, value: Any) -> Any:
        """Not too long as bytes, and without NUL, which PostgreSQL does not keep."""
        if isinstance(value, str) and ("\0" in value or len(value.encode()) > MOST_BYTES):
            raise ValueError(f"must be at most {MOST_BYTES} bytes of text, without NUL")
        return value


class LecturerPart(Part):
    """讲师"""

    slug: Slug
    name: Name
    split_percent: Annotated[int, Field(ge=0, le=100, strict=True)]


class PricePart(Part):
    """A list price from a moment on."""

    from_at: Annotated[AwareDatetime, Field(alias="from")]
    amount_fen: Fen


def https_or_empty(value: str) -> str:
    """An address that a page may link to."""
    if value and (urlsplit(value).scheme not in {"https", "http"} or not urlsplit(value).hostname):
        raise ValueError("must be an http(s) address")
    return value


class LessonPart(Part):
    """课时"""

    title: Title
    free: bool = False
    article: str = ""
    media_url: Annotated[str, StringConstraints(max_length=500)] = ""

    _address = field_validator("media_url")(https_or_empty)


class CoursePart(Part):
    """课程"""

    slug: Slug
    title: Title
    lecturer: Slug
    ended_on: date | None = None
    audience: str = ""
    not_for: str = ""
    prices: Annotated[list[PricePart], Field(min_length=1)]
    lessons: list[LessonPart] = []


class GuestPart(Part):
    """嘉宾"""

    name: Name


class PlanetPart(Part):
    """星球"""

    slug: Slug
    title: Title
    owner: Slug
    provider: Literal["partner"]
    group_id: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_.-]{1,64}$")]
    price_fen: Fen
    days: Days = 365
    entry_url: Annotated[str, StringConstraints(max_length=500)] = ""
    guests: list[GuestPart] = []

    _address = field_validator("entry_url")(https_or_empty)


class PairingPart(Part):
    """Which course opens which planet; with `authorised_on` the lecturer's signed agreement is on record."""

    course: Slug
    planet: Slug
    mode: Literal["same_price", "shared"]
    authorised_on: date | None = None
    authorised_note: Annotated[str, StringConstraints(max_length=255)] = ""


class CampaignPart(Part):
    """A campaign: who earns a voucher, of how much, and what it pays for (V1).

    Without a `bearer` the platform bears it; what was paid at a planet, the lecturer who has that money (M1).
    """

    slug: Slug
    kind: Literal["price_rise", "early_enrolment", "shared_planet", "manual", "reward"]
    title: Annotated[str, StringConstraints(max_length=64)] = ""
    course: Slug | None = None
    planet: Slug | None = None
    amount_fen: Fen | None = None
    min_fen: Fen = 0
    starts: AwareDatetime
    ends: AwareDatetime
    enrol_days: Days | None = None
    valid_days: Days | None = None
    scope: Slug | list[Slug] = "all"
    except_courses: list[Slug] = []
    quota: Count | None = None
    budget_fen: Fen | None = None
    bearer: Literal["platform", "lecturer"] | None = None
    word: Word | None = None

    @model_validator(mode="after")
    def check_whole(self) -> "CampaignPart":
        """What no single name can tell."""
        self.bearer = self.bearer or ("lecturer" if self.kind == "shared_planet" else "platform")
        if self.ends <= self.starts:
            raise ValueError("ends must be after starts")
        if self.kind == "price_rise" and self.course is None:
            raise ValueError("a price_rise names its course")
        if self.kind != "shared_planet" and self.amount_fen is None:  # that one is worth what was paid
            raise ValueError(f"a {self.kind} has an amount_fen")
        if self.amount_fen == 0:
            raise ValueError("amount_fen must be above 0")
        if self.kind == "shared_planet" and (self.quota or self.budget_fen is not None):
            raise ValueError("a shared_planet keeps what was paid whole: it has no quota and no budget_fen")
        return self


class CatalogueFile(Part):
    """The whole file."""

    lecturers: list[LecturerPart] = []
    courses: list[CoursePart] = []
    planets: list[PlanetPart] = []
    pairings: list[PairingPart] = []
    campaigns: list[CampaignPart] = []


def parse(text: str) -> tuple[CatalogueFile, Lines]:
    """The file's content and its line numbers; raises BadCatalogue with every mistake found."""
    content, lines = as_yaml(text)
    try:
        return CatalogueFile.model_validate(content), lines
    except ValidationError as wrong:
        found = wrong.errors(include_url=False, include_input=False, include_context=False)
        mistakes = [(lines.of(one["loc"]), path(one["loc"]), one["msg"].removeprefix("Value error, ")) for one in found]
        text = (f"line {line}: {where}: {what}" for line, where, what in sorted(mistakes))
        raise BadCatalogue("\n".join(text)) from None


def path(location: tuple[int | str, ...]) -> str:
    """A place in the file as a person would say it: `courses[2].title`."""
    return re.sub(r"\.(\d+)", r"[\1]", ".".join(str(step) for step in location)) or "the file"


def read(file: Path) -> tuple[CatalogueFile, Lines]:
    """Parse a file; raises BadCatalogue."""
    try:
        return parse(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        raise BadCatalogue(f"{file.name}: {problem}") from None
