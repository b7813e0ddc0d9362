"""Scan-to-confirm as a machine of states: whatever comes in whatever order, the promises of the protocol hold.

Histories run on plain rows in memory, through the services that pages call; a PC, a second PC that is signed in,
people with the course, one without, a planet that says yes or no, and a clock that jumps.
"""

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from models import scans as states
from models.access import Grant
from models.all import ROWS
from models.base import database as bound
from models.catalogue import Course, CoursePlanet
from models.errors import BusinessError, Declined
from models.links import WAIVER_VERSION, Link, LinkAttempt, RefundWaiver
from models.people import Person, Session, digest
from models.prepared import Prepared
from models.scans import Scan
from services import (
    catalogue_file,
    catalogue_load,
    config,
    database,
    links,
    people,
    scan_pages,
    scan_secrets,
    scans,
    scans_at_pc,
)
from services.env import Env
from tests.example import CATALOGUE
from tests.site import COURSE

pytestmark = pytest.mark.soak
START = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
HOME, OFFICE = "a" * 64, "b" * 64
WHERE = {"ip": "203.0.113.1", "user_agent": "Chrome"}
NEXT = {
    states.WAITING: {states.SCANNED, states.DECLINED, states.SUPERSEDED, states.CANCELLED, states.EXPIRED},
    states.SCANNED: {states.CONFIRMED, states.DECLINED, states.CANCELLED, states.EXPIRED, states.SUPERSEDED},
    states.CONFIRMED: {
        states.LINKED, states.DONE, states.DECLINED, states.CANCELLED, states.EXPIRED, states.SUPERSEDED,
    },
}  # fmt: skip
FORWARD = {states.SCANNED, states.CONFIRMED, states.DONE}
MOMENTS = st.sampled_from([1, 30, 59, 60, 61, 119, 120, 121, 179, 180, 181, 600, 601])


class History(RuleBasedStateMachine):
    """One history: each rule is something that somebody does, and a "no" must change nothing."""

    config: Any

    @initialize()
    def begin(self) -> None:
        """An empty world with one course; anna and bob have it, carl has not."""
        for row in reversed(ROWS):
            if row not in CATALOGUE_ROWS:
                bound.execute_sql(f"DELETE FROM {row._meta.table_name}")
        self.now = START
        course = Course.get(slug=COURSE)
        self.people = [Person.create(created_at=START).id for _ in range(3)]
        for number, person in enumerate(self.people):
            people.Identity.create(
                person=person, side="oa", provider="wechat", uid=f"o{number}", created_at=START, followed_at=None
            )
        for person in self.people[:2]:
            Grant.create(person=person, course=course, source="purchase", source_ref=f"p:{person}", starts_at=START)
        self.signed_in = {HOME: None, OFFICE: self.people[0]}
        self.codes: dict[str, str] = {}
        self.pages: list[tuple[str, int, str]] = []
        self.seen: dict[int, tuple[str, int]] = {}
        self.looked_at = -1

    def does(self, service: Any, **asked: Any) -> Any:
        """One transaction; a refusal rolls back, and leaves every row as it was."""
        env = Env(now=self.now, new_code=lambda bits: secrets.token_hex(bits // 8), config=self.config)
        try:
            with bound.atomic():
                return service(env, **asked)
        except BusinessError:
            return None

    def some(self, data: st.DataObject, of: list[Any]) -> Any:
        """One of them."""
        return data.draw(st.sampled_from(of))

    @rule(browser=st.sampled_from([HOME, OFFICE]), purpose=st.sampled_from(["link", "link", "sign_in"]), data=st.data())
    def a_pc_asks(self, browser: str, purpose: str, data: st.DataObject) -> None:
        """Anew, or in place of an old one."""
        old = data.draw(st.sampled_from(["", *(scan.public_id for scan in Scan.select())]))
        course = COURSE if purpose == "link" else ""
        who = {"browser": browser, "person_id": self.signed_in[browser]}
        made = self.does(scans.ask, purpose=purpose, course_slug=course, target="", renews=old, **who, **WHERE)
        if made:
            self.codes[made.public_id] = made.code

    @precondition(lambda self: self.codes)
    @rule(who=st.integers(0, 2), data=st.data())
    def a_phone_scans(self, who: int, data: st.DataObject) -> None:
        """Whoever it is."""
        self.does(scans.opened, code=self.some(data, list(self.codes.values())), person_id=self.people[who])

    @precondition(lambda self: self.codes)
    @rule(who=st.integers(0, 2), data=st.data())
    def a_phone_looks(self, who: int, data: st.DataObject) -> None:
        """Looking changes nothing; the page it shows may be used later."""
        code, before = self.some(data, list(self.codes.values())), bound.connection().total_changes
        shown = self.does(scan_pages.page, code=code, person_id=self.people[who])
        assert bound.connection().total_changes == before
        if shown and shown.page:
            self.pages.append((code, self.people[who], shown.page))

    @precondition(lambda self: self.pages)
    @rule(who=st.integers(-1, 2), agreed=st.sampled_from([WAIVER_VERSION, WAIVER_VERSION, ""]), data=st.data())
    def a_phone_says_yes(self, who: int, agreed: str, data: st.DataObject) -> None:
        """From a page that it was shown, or with a page of somebody else."""
        code, person, page = self.some(data, self.pages)
        person = person if who < 0 else self.people[who]
        yes = {"code": code, "person_id": person, "page": page, "browser": f"{person:064x}", "agreed": agreed}
        first = self.does(scans.confirm, **yes, **WHERE)
        assert first == self.does(scans.confirm, **yes, **WHERE), "the same page leads to the same place"

    @precondition(lambda self: self.codes)
    @rule(who=st.integers(0, 2), data=st.data())
    def a_phone_says_no(self, who: int, data: st.DataObject) -> None:
        """Not me."""
        code = self.some(data, list(self.codes.values()))
        self.does(scans.decline, code=code, person_id=self.people[who], no=Declined())

    @precondition(lambda self: self.codes)
    @rule(browser=st.sampled_from([HOME, OFFICE]), data=st.data())
    def a_pc_calls_it_off(self, browser: str, data: st.DataObject) -> None:
        """Its own, or tries another's."""
        self.does(scans_at_pc.cancel, public_id=self.some(data, list(self.codes)), browser=browser)

    @precondition(lambda self: self.codes)
    @rule(browser=st.sampled_from([HOME, OFFICE]), is_right=st.booleans(), data=st.data())
    def digits_are_typed(self, browser: str, is_right: bool, data: st.DataObject) -> None:
        """The right ones open one session, for the browser that asked, and only while they are good."""
        public_id = self.some(data, list(self.codes))
        scan, before = Scan.get(public_id=public_id), Session.select().count()
        env = Env(now=self.now, new_code=secrets.token_hex, config=self.config)
        digits = scan_secrets.digits_of(env, scan) if is_right else "wrong!"
        came = self.does(scans_at_pc.type_digits, public_id=public_id, browser=browser, digits=digits)
        opened = Session.select().count() - before
        assert opened <= 1
        if opened:
            assert is_right and scan.state == states.CONFIRMED and scan.purpose == states.SIGN_IN
            assert scan.browser_hash == digest(browser) and self.now < scan.expires_at and scan.tries < states.TRIES
            assert isinstance(came, scans_at_pc.SignedIn)

    @precondition(lambda self: LinkAttempt.select().where(LinkAttempt.outcome.is_null()).exists())
    @rule(says_yes=st.booleans(), data=st.data())
    def the_planet_answers(self, says_yes: bool, data: st.DataObject) -> None:
        """In time, for the browser that was sent there."""
        under_way = LinkAttempt.select().where(LinkAttempt.outcome.is_null(), LinkAttempt.expires_at > self.now)
        if not (open_ones := list(under_way)):
            return
        attempt = self.some(data, open_ones)
        if says_yes:
            uid = f"uid{attempt.person_id}"
            self.does(links.complete, attempt_id=attempt.id, member_uid=uid, display_name="夜行的灯塔")
        else:
            self.does(links.refuse, attempt_id=attempt.id, no=Declined())

    @rule(browser=st.sampled_from([HOME, OFFICE]))
    def a_pc_signs_out(self, browser: str) -> None:
        """Nothing it has asked for works any more."""
        self.does(scans_at_pc.end_of_browser, browser=browser)
        self.signed_in[browser] = None

    @rule(seconds=MOMENTS)
    def time_goes_by(self, seconds: int) -> None:
        """Up to a limit, to it, and over it."""
        self.now += timedelta(seconds=seconds)

    @invariant()
    def the_promises_hold(self) -> None:
        """I12, I14, I15, I17, I26; looked at again when a row has changed."""
        if self.looked_at == (changes := bound.connection().total_changes):
            return
        self.looked_at = changes
        scans_now, attempts = list(SCANS.rows()), {one.id: one for (one,) in ATTEMPTS.rows()}
        for (scan,) in scans_now:
            self.check_move(scan)
            check_one(scan, attempts.get(scan.attempt_id))
        self.check_effects([scan for (scan,) in scans_now], list(attempts.values()))

    def check_move(self, scan: Scan) -> None:
        """It moves only as allowed, and its version grows with each move."""
        state, version = self.seen.get(scan.id, (states.WAITING, 0))
        if scan.state != state:
            assert scan.state in NEXT.get(state, set()), (state, scan.state)
            assert scan.version > version
        assert scan.version >= version
        self.seen[scan.id] = (scan.state, scan.version)

    def check_effects(self, all_scans: list[Scan], attempts: list[LinkAttempt]) -> None:
        """A session comes only from digits, a link only from a yes."""
        done = [scan for scan in all_scans if scan.state == states.DONE]
        assert count(Session) == len(done) and all(one.purpose == states.SIGN_IN for one in done)
        linked = [one for one in attempts if one.outcome == links.LINKED]
        assert len(linked) == count(RefundWaiver) and count(Link) <= 2
        by_scan = {scan.attempt_id for scan in all_scans if scan.state == states.LINKED}
        assert by_scan <= {one.id for one in linked}


SCANS, ATTEMPTS = Prepared(Scan.select), Prepared(LinkAttempt.select)
CATALOGUE_ROWS = {row for row in ROWS if row.__module__ == Course.__module__} | {CoursePlanet}


def count(row: type) -> int:
    """How many there are."""
    return bound.execute_sql(f"SELECT COUNT(*) FROM {row._meta.table_name}").fetchone()[0]


def check_one(scan: Scan, attempt: LinkAttempt | None) -> None:
    """What holds of every scan at every time."""
    was_confirmed = scan.confirmed_at is not None
    assert (scan.scanned_by_id is None) == (scan.scanned_at is None)
    assert not was_confirmed or scan.scanned_by_id is not None
    assert scan.scanned_at is None or scan.scanned_at < scan.created_at + timedelta(seconds=120)
    assert not was_confirmed or scan.confirmed_at < min(
        scan.scanned_at + states.SCANNED_LIFE, scan.created_at + states.LONGEST_LIFE
    )
    assert scan.pc_person_id is None or scan.scanned_by_id in {None, scan.pc_person_id}
    assert scan.tries <= states.TRIES
    if attempt:
        assert was_confirmed and attempt.person_id == scan.scanned_by_id, "the confirmer is the scanner"


@pytest.fixture
def world(tmp_path: Path):
    """Rows in memory, with the example's catalogue."""
    db = database.connect(f"sqlite:///{tmp_path}/histories.db")
    database.migrate(db)
    bound.initialize(db)
    History.config = config.load(_env_file=None, base_url="http://127.0.0.1:1", secret_keys=["k" * 40])
    with db.connection_context():
        db.execute_sql("PRAGMA synchronous = OFF")
        env = Env(now=START, new_code=lambda bits: secrets.token_hex(bits // 8), config=History.config)
        file, lines = catalogue_file.read(CATALOGUE)
        with db.atomic():
            catalogue_load.load(env, file=file, lines=lines)
        db.execute_sql("DROP TRIGGER refund_waiver_delete_refused")
        db.execute_sql("DROP TRIGGER audit_entry_delete_refused")
        yield db


def test_whatever_comes_in_whatever_order_the_promises_hold(world, rounds):
    histories = settings(
        max_examples=rounds(300, soak=20_000), stateful_step_count=12, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(History, settings=histories)
