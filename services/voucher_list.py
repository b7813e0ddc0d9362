"""Vouchers for a list of people, as an operator has it in a file: all of them or none (V1, kind `manual`)."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from models import audit
from models.base import shanghai_words
from models.errors import WrongInput
from models.people import digest
from models.vouchers import MANUAL, Campaign, Voucher
from services import letters, notices, people, vouchers
from services.context import Context
from services.env import Env

OPENID = re.compile(r"[0-9A-Za-z_-]{6,128}")
MOST_LINES = 100_000


@dataclass(frozen=True, slots=True)
class Line:
    """One voucher to be given."""

    openid: str
    reference: str


class Rehearsed(Exception):
    """Rolls a rehearsal back; carries how many would have been given."""

    def __init__(self, given: int) -> None:
        super().__init__()
        self.given = given


def read(file: Path) -> list[Line]:
    """The lines of a file; raises WrongInput with the number of the first that is none."""
    lines: list[Line] = []
    with file.open(encoding="utf-8-sig", newline="") as rows:
        for number, row in enumerate(csv.reader(rows), 1):
            if not row or row == ["openid"] or row == ["openid", "reference"]:
                continue
            openid, reference = row[0].strip(), ",".join(row[1:]).strip()
            if not OPENID.fullmatch(openid) or len(reference) > 64:
                raise WrongInput(what=f"{file.name}, line {number}: openid, and a reference of at most 64 letters")
            lines.append(Line(openid, reference))
    if len(lines) > MOST_LINES:
        raise WrongInput(what=f"{file.name}: at most {MOST_LINES} lines")
    return lines


async def give(ctx: Context, *, slug: str, lines: list[Line], is_rehearsal: bool) -> int:
    """Give each line its voucher in one transaction; how many were given, or would be. Raises as `give_all` does."""
    try:
        return await ctx.transact(rehearse if is_rehearsal else give_all, slug=slug, lines=lines)
    except Rehearsed as done:
        return done.given


def rehearse(env: Env, *, slug: str, lines: list[Line]) -> int:
    """Give them all and always raise Rehearsed."""
    raise Rehearsed(give_all(env, slug=slug, lines=lines))


def give_all(env: Env, *, slug: str, lines: list[Line]) -> int:
    """How many got one; raises NotFound, WrongInput for a campaign of another kind or not live, QuotaExhausted."""
    campaign = Campaign.find(slug=slug)
    if campaign.kind != MANUAL or not campaign.is_live(now=env.now):
        raise WrongInput(what=f"{slug} is no live campaign of the kind {MANUAL}")
    given = sum([give_one(env, campaign, line) for line in lines])
    new = f"{given} of {len(lines)}"
    audit.record(at=env.now, who="command", action="vouchers given", subject=f"campaign:{slug}", new=new)
    return given


def give_one(env: Env, campaign: Campaign, line: Line) -> bool:
    """One line; False when its voucher was given before."""
    person = people.person_with_openid(env, line.openid)
    cause = f"list:{person.id}:{digest(line.reference)[:32]}"
    if Voucher.get_or_none(campaign=campaign, cause=cause):
        return False
    worth = {"amount_fen": campaign.amount_fen, "starts_at": env.now}
    voucher = vouchers.issue_new(env, campaign, person=person.id, cause=cause, **worth)
    until = shanghai_words(voucher.last_day)
    fields = (campaign.name, letters.yuan(voucher.amount_fen), until)
    text = f"送您一张 ¥{voucher.amount_fen / 100:.2f} 代金券「{campaign.name}」：{voucher.code}，{until}前有效。"
    where = f"\n去看看能买什么：{env.config.base_url}/me/vouchers"
    letter = {"purpose": letters.VOUCHER_ISSUED, "fields": fields, "page": "/me/vouchers"}
    notices.tell(env, person_id=person.id, text=text + where, is_news=True, **letter)
    return True
