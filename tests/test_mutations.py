"""Every guard of the product is missed by a test when it is off; the table of guards knows all of them."""

import ast
import re
from pathlib import Path

import pytest

from tests.guards import functions
from tests.mutations import GUARDS, ROOT, spread, try_all

FOLDERS = ("models", "services", "clients", "h5", "wxbot")
SOURCES = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts]
CALLS = {"change_if", "compare_digest", "is_one"}
CATALOGUE = "one command at a time writes the catalogue, and looks before it writes"
NIGHTLY = "one process at a time compares, by its lease, and looks before it writes"
CHANCE = "at least 80 bits of chance: two are never alike, and the index is for finding"

LEFT_ALONE = {
    "clients/planets/__init__.py check_issuer": "only says what a provider promises",
    "h5/base.py check_xsrf_cookie": "no guard but its absence, on a page that changes nothing; see test_routes",
    "h5/webhooks.py check_xsrf_cookie": "no guard but its absence, for a machine that signs; see test_routes",
    "h5/purchases.py check_xsrf_cookie": "no guard but its absence, for machines with a key; see test_routes",
    "services/pay_differences.py resolve_gone": "closing what is closed changes no money, only who closed it",
    "services/line.py answer_some": "the inbox decides once; this only spares the second one its work",
    "UNIQUE ChatAsk key": "the inbox decides once; a copy would only stand in line in vain",
    "services/paying.py note_ready": "what opens a cashier for a closed payment is shown to nobody",
    "services/refunds.py suspend": "locks the right; that a refund is the only one is decided by UNIQUE active_order",
    "services/purchases.py claim_code": "finds which of our own keys made a link, for who may see it anyway",
    "services/scans_at_pc.py entry_of": "finds which of our own keys made a code, for the browser that asked for it",
    "wxbot/commands.py check_command": "a command of that name",
    "UNIQUE Campaign slug": CATALOGUE,
    "UNIQUE CampaignCourse campaign course": CATALOGUE,
    "UNIQUE Course slug": CATALOGUE,
    "UNIQUE CoursePlanet course": CATALOGUE,
    "UNIQUE Guest planet name": CATALOGUE,
    "UNIQUE KeywordReply word": "one command at a time sets a word, and looks before it writes",
    "UNIQUE Lecturer slug": CATALOGUE,
    "UNIQUE Lesson course position": CATALOGUE,
    "UNIQUE Mismatch provider kind key": NIGHTLY,
    "UNIQUE Planet provider group_id": CATALOGUE,
    "UNIQUE Planet slug": CATALOGUE,
    "UNIQUE Price course from_at": CATALOGUE,
    "UNIQUE LecturerInvite code_hash": CHANCE,
    "UNIQUE LinkAttempt state_hash": CHANCE,
    "UNIQUE Membership ref": CHANCE,
    "UNIQUE Purchase claim_hash": CHANCE,
    "UNIQUE Session token_hash": CHANCE,
    "UNIQUE Order no": CHANCE,
    "UNIQUE PayBill day": "one process at a time has the bills, by its lease, and looks before it writes",
    "UNIQUE PayDifference kind key": "a second line of one difference would only be read twice",
    "UNIQUE Payment order active_type": "made under the lock of its order, after a look",
    "UNIQUE Payment out_trade_no": CHANCE,
    "UNIQUE Payment transaction_id": "WeChat gives each number once; a second row of it would be a fault of theirs",
    "UNIQUE Refund no": CHANCE,
    "UNIQUE Scan attempt": "each confirmation makes its own state, and of one scan there is one",
    "UNIQUE Scan code_hash": CHANCE,
    "UNIQUE Scan public_id": CHANCE,
    "UNIQUE SignInState state_hash": CHANCE,
}


def places(path: Path) -> dict[str, range]:
    """The functions of a file that guard something, with their lines."""
    name = path.relative_to(ROOT).as_posix()
    found = (one for one in functions(path.read_text("utf-8")) if one.name.startswith("check_") or decides(one))
    return {f"{name} {one.name}": range(one.lineno, one.end_lineno + 1) for one in found}


def decides(function: ast.AST) -> bool:
    """Whether it changes a row on a condition, or compares a secret."""
    called = (one.func for one in ast.walk(function) if isinstance(one, ast.Call))
    return bool(CALLS & {getattr(one, "attr", "") or getattr(one, "id", "") for one in called})


def uniques(text: str) -> set[str]:
    """Every UNIQUE of the tables that a migration makes."""
    found = set()
    for table in (one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.ClassDef)):
        for line in (one for one in ast.walk(table) if isinstance(one, ast.Assign)):
            name = line.targets[0].id
            if isinstance(line.value, ast.Call) and any(one.arg == "unique" for one in line.value.keywords):
                found.add(f"UNIQUE {table.name} {name}")
            elif name == "indexes" and table.name != "Meta":
                pairs = ast.literal_eval(line.value)
                found |= {f"UNIQUE {table.name} {' '.join(columns)}" for columns, is_unique in pairs if is_unique}
    return found


def test_every_guard_can_still_be_switched_off():
    for guard in GUARDS:
        text = (ROOT / guard.file).read_text("utf-8")
        changed = guard.switched_off(text)
        assert changed != text, guard
        compile(changed, guard.file, "exec")


def test_every_test_that_a_guard_names_is_there():
    for guard in GUARDS:
        for node in guard.nodes():
            file, _, name = node.partition("::")
            text = (ROOT / file).read_text("utf-8")
            assert not name or re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), f"{guard}: {node}"


def switched_off_in(path: Path) -> set[int]:
    """The lines of a file at which the table switches something off."""
    text = path.read_text("utf-8")
    return {one.line(text) for one in GUARDS if one.file == path.relative_to(ROOT).as_posix()}


def test_every_place_that_guards_is_in_the_table_or_left_alone_for_a_reason():
    guarding, unknown = set(LEFT_ALONE), []
    for path in SOURCES:
        lines = switched_off_in(path)
        for place, span in places(path).items():
            guarding.discard(place)
            if place not in LEFT_ALONE and not any(line in span for line in lines):
                unknown.append(place)
    assert unknown == []
    assert {one for one in guarding if not one.startswith("UNIQUE")} == set(), "left alone, and not there"


def test_every_unique_is_in_the_table_or_left_alone_for_a_reason():
    there, lost = set(), []
    for path in sorted((ROOT / "models" / "migrations").glob("0*.py")):
        text, name = path.read_text("utf-8"), path.relative_to(ROOT).as_posix()
        there |= uniques(text)
        lost += [uniques(text) - uniques(one.switched_off(text)) for one in GUARDS if one.file == name]
    assert all(lost), "each takes one away"
    left = {one for one in LEFT_ALONE if one.startswith("UNIQUE")}
    assert there == set().union(*lost) | left
    assert not set().union(*lost) & left


@pytest.mark.soak
def test_every_guard_that_is_off_is_missed_by_a_test(rounds):
    chosen = spread(GUARDS, rounds(2, soak=len(GUARDS)))
    missed = [f"{guard}: {said}" for guard, said in try_all(chosen) if not said.startswith("caught")]
    assert missed == []
