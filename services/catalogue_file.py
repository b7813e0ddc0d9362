"""The catalogue file: its shape, and where in it a mistake stands."""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
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

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=128, strip_whitespace=True)]
Fen = Annotated[int, Field(ge=0, le=100_000_000, strict=True)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=16)]
Days = Annotated[int, Field(ge=1, le=3660, strict=True)]
Count = Annotated[int, Field(ge=1, le=100_000_000, strict=True)]
MOST_BYTES = 65_535  # what MariaDB keeps of a text


class BadCatalogue(Exception):
    """The file cannot be loaded; its text is one line for each mistake, with the line number."""


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
    """A campaign: who earns a voucher, of how much, and what it pays for (V1)."""

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
    bearer: Literal["platform", "lecturer"] = "platform"
    word: Word | None = None

    @model_validator(mode="after")
    def check_whole(self) -> "CampaignPart":
        """What no single name can tell."""
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


class _Loader(yaml.SafeLoader):
    """Plain YAML; a name that stands twice in one place is a mistake."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names: list[Any] = []
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if name in names:
                raise yaml.constructor.ConstructorError(None, None, f"{name} stands twice", key.start_mark)
            names.append(name)
        return super().construct_mapping(node, deep=deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, OverflowError) as wrong:  # 30 February
            raise yaml.constructor.ConstructorError(None, None, str(wrong), node.start_mark) from None


def as_yaml(text: str) -> tuple[Any, "Lines"]:
    """The bare content and its line numbers; raises BadCatalogue for what is no YAML."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return loader.construct_document(node) if node else {}, Lines(node)
    except yaml.MarkedYAMLError as wrong:
        line = wrong.problem_mark.line + 1 if wrong.problem_mark else 1
        raise BadCatalogue(f"line {line}: {wrong.problem}") from None
    except yaml.reader.ReaderError as wrong:
        line = text.count("\n", 0, wrong.position) + 1
        raise BadCatalogue(f"line {line}: a character that is not allowed") from None
    except RecursionError:
        raise BadCatalogue("line 1: nested too deeply") from None


def parse(text: str) -> tuple[CatalogueFile, "Lines"]:
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


class Lines:
    """Where in the file each part stands."""

    def __init__(self, root: yaml.Node | None) -> None:
        self.root = root

    def of(self, location: tuple[int | str, ...]) -> int:
        """The line number of a place, or of the nearest part around it."""
        node, line = self.root, 1
        for step in location:
            found = self._step(node, step)
            if found is None:
                break
            node, line = found[1], found[0].start_mark.line + 1
        return line

    @staticmethod
    def _step(node: yaml.Node | None, step: int | str) -> tuple[yaml.Node, yaml.Node] | None:
        if isinstance(node, yaml.MappingNode):
            return next(((key, value) for key, value in node.value if key.value == str(step)), None)
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            return node.value[step], node.value[step]
        return None


def read(file: Path) -> tuple[CatalogueFile, Lines]:
    """Parse a file; raises BadCatalogue."""
    try:
        return parse(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        raise BadCatalogue(f"{file.name}: {problem}") from None
