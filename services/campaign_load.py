"""Loading the campaigns of a catalogue file into rows; a limit below what was given is refused (V1)."""

from datetime import UTC
from typing import Any

from models.base import Row
from models.catalogue import Course, Lecturer, Planet
from models.errors import WrongInput
from models.vouchers import Campaign, CampaignCourse
from services import campaigns
from services.catalogue_file import BadCatalogue, CampaignPart
from services.putting import put

OF_OTHERS = {"slug", "course", "planet", "starts", "ends", "scope", "except_courses"}


def load(part: CampaignPart, *, line: int) -> list[str]:
    """Bring a campaign to what the file says; one line for each change. Raises BadCatalogue."""
    Campaign.update(issued=Campaign.issued).where(Campaign.slug == part.slug).execute()  # nobody issues meanwhile
    values = columns(part)
    if (old := Campaign.get_or_none(slug=part.slug)) is not None:
        check(old, values, line)
    told = put(Campaign, {"slug": part.slug}, values)
    return told + load_scope(Campaign.get(slug=part.slug), part)


def columns(part: CampaignPart) -> dict[str, Any]:
    """Its columns, with the ids of what it names."""
    by_lecturer = isinstance(part.scope, str) and part.scope != "all"
    return part.model_dump(exclude=OF_OTHERS) | {
        "course": id_of(Course, part.course),
        "planet": id_of(Planet, part.planet),
        "lecturer": id_of(Lecturer, str(part.scope)) if by_lecturer else None,
        "starts_at": part.starts.astimezone(UTC),
        "ends_at": part.ends.astimezone(UTC),
    }


def id_of(row: type[Row], slug: str | None) -> int | None:
    """The id behind a slug that is known to be there."""
    return row.get(slug=slug).id if slug else None


def check(old: Campaign, values: dict[str, Any], line: int) -> None:
    """Raise for what would make vouchers that were given into something else."""
    if old.issued and (old.kind, old.bearer) != (values["kind"], values["bearer"]):
        raise BadCatalogue(f"line {line}: {old.slug} has issued vouchers: its kind and bearer stay")
    try:
        campaigns.check_limits(old, values)
    except WrongInput as no:
        raise BadCatalogue(f"line {line}: {no.facts['what']}") from None


def load_scope(campaign: Campaign, part: CampaignPart) -> list[str]:
    """The courses that it is for, or is not for."""
    named = dict.fromkeys(part.scope if isinstance(part.scope, list) else [], False)
    named |= dict.fromkeys(part.except_courses, True)
    told: list[str] = []
    for slug, is_excluded in named.items():
        key = {"campaign": campaign.id, "course": Course.get(slug=slug).id}
        told += put(CampaignCourse, key, {"is_excluded": is_excluded}, f"campaign {part.slug}, course {slug}")
    others = CampaignCourse.select().join(Course).where(CampaignCourse.campaign == campaign)
    gone = [row for row in others if row.course.slug not in named]
    for row in gone:
        row.delete_instance()
        told.append(f"- campaign {part.slug}, course {row.course.slug}")
    return told
