"""Races for one code: sixteen phones, sixteen taps, sixteen tries; each beside the same with its guard off."""

from models import scans as states
from models.people import digest
from models.scans import Scan
from services import scan_secrets, scans, scans_at_pc
from services.env import Env
from tests.race_kit import RACE, RACERS, buys, counted, each_round, goes_wrong, overspends
from tests.site import COURSE, Site

pytestmark = RACE
BROWSER, PHONE = "b" * 64, "c" * 64
WHERE = {"ip": "203.0.113.1", "user_agent": "Chrome"}


async def asked(site: Site, number: int, purpose: str = states.LINK) -> scans.Asked:
    """A PC of its own wants a phone."""
    fields = {"course_slug": COURSE if purpose == states.LINK else "", "target": "", "renews": "", "person_id": None}
    return await site.ctx.transact(scans.ask, browser=f"{number:064x}", purpose=purpose, **fields, **WHERE)


async def persons(site: Site, number: int) -> list[int]:
    """Sixteen people with the course."""
    return [
        await site.ctx.transact(lambda env, who=who: buys(env, who=f"S{number}x{who}")) for who in range(RACERS)
    ]  # fmt: skip


async def one_code(site: Site, number: int) -> list:
    """One QR, sixteen phones."""
    made, people = await asked(site, number), await persons(site, number)

    def scanned(person_id: int):
        return lambda env: scans.opened(env, code=made.code, person_id=person_id)

    return [scanned(one) for one in people]


def page_of(env: Env, code: str, person_id: int) -> str:
    """What one page of the phone carries."""
    return scan_secrets.confirm_id(env, Scan.get(code_hash=digest(code)), person_id)


async def held(site: Site, number: int, purpose: str = states.LINK) -> tuple[scans.Asked, int]:
    """A QR that one phone has scanned."""
    made = await asked(site, number, purpose)
    person_id = await site.ctx.transact(lambda env: buys(env, who=f"H{number}"))
    await site.ctx.transact(scans.opened, code=made.code, person_id=person_id)
    return made, person_id


async def one_yes(site: Site, number: int) -> list:
    """One phone, sixteen pages of it, each tapped at once."""
    made, person_id = await held(site, number)
    pages = [await site.ctx.read(page_of, code=made.code, person_id=person_id) for _ in range(RACERS)]

    def said_yes(page: str):
        asked = {"code": made.code, "person_id": person_id, "browser": PHONE, "agreed": site.waiver}
        return lambda env: scans.confirm(env, page=page, **asked, **WHERE)

    return [said_yes(page) for page in pages]


async def one_guess(site: Site, number: int) -> list:
    """One sign-in, sixteen wrong digits."""
    made, person_id = await held(site, number, states.SIGN_IN)
    page = await site.ctx.read(page_of, code=made.code, person_id=person_id)
    yes = {"page": page, "browser": PHONE, "agreed": "", "code": made.code, "person_id": person_id}
    await site.ctx.transact(scans.confirm, **yes, **WHERE)
    pc = {"public_id": made.public_id, "browser": f"{number:064x}"}
    return [lambda env, one=one: scans_at_pc.type_digits(env, digits=f"x{one}", **pc) for one in range(RACERS)]


async def test_one_code_scanned_by_sixteen_phones_is_held_by_one(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, one_code, times, ok=1, scan_taken=RACERS - 1)
    assert await counted(arena, Scan, Scan.scanned_by.is_null(False)) == times


async def test_the_control_without_the_condition_on_its_state_is_held_by_more(arena, careless):
    careless(Scan)
    assert await overspends(arena, one_code)


async def test_sixteen_pages_of_one_phone_confirm_once(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, one_yes, times, ok=1, scan_taken=RACERS - 1)
    assert await counted(arena, Scan, Scan.attempt.is_null(False)) == times


async def test_the_control_without_the_condition_confirms_more_often(arena, careless):
    careless(Scan)
    assert await overspends(arena, one_yes)


async def test_sixteen_wrong_digits_at_once_are_three_tries(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, one_guess, times, wrong_digits=2, scan_expired=RACERS - 2)
    assert await counted(arena, Scan, (Scan.tries == states.TRIES) & (Scan.state == states.CANCELLED)) == times


async def test_the_control_without_the_count_has_more_tries(arena, careless):
    async def has_more(times: int) -> bool:
        return await counted(arena, Scan, Scan.tries > states.TRIES) > 0

    careless(Scan)
    assert await goes_wrong(arena, one_guess, has_more)
