"""Purchases by CSV: good lines are taken, bad ones told by their number, twice is once."""

import os
import pty
from pathlib import Path

import pytest

from models.people import Person, digest
from models.purchases import Purchase
from services import catalogue_file, catalogue_load, config, purchases
from services.env import Env
from tests.example import CATALOGUE
from tests.site import COURSE, START, table_hashes
from tests.test_migrations import rows  # noqa: F401 - a fixture

pytest_plugins = ["tests.commands"]
HEAD = "platform,order_no,course,openid,phone,email,paid_fen,paid_at"
GOOD = f"yiling,A1,{COURSE},oABCDEF0123456789abcdefABCDEF,,,19900,2026-01-01T08:00:00+08:00"
CLAIMABLE = f"yiling,C1,{COURSE},,13800000000,,19900,2026-01-01T08:00:00+08:00"


@pytest.fixture
def shop_file(rows, database_url, wxbot, tmp_path):  # noqa: F811 - the fixture
    """`shop_file(text, *options)` writes the file and imports it, with the example's courses and platform `yiling`."""
    settings = config.load(_env_file=None, base_url="http://127.0.0.1:8000", secret_keys=["k" * 40])
    env = Env(now=START, new_code=lambda bits: "0" * (bits // 4), config=settings)
    file, lines = catalogue_file.read(CATALOGUE)
    with rows.atomic():
        catalogue_load.load(env, file=file, lines=lines)
        purchases.add_platform(env, name="yiling")

    def bring_in(text: str | bytes, *options: str):
        path = tmp_path / "purchases.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return wxbot("purchases", "import", str(path), *options, database_url=database_url)

    return bring_in


def told() -> list[tuple[str, str]]:
    """Number and state of every purchase."""
    return [(row.order_no, row.status) for row in Purchase.select().order_by(Purchase.order_no)]


def test_good_lines_are_taken(shop_file):
    done = shop_file(f"{HEAD}\n{GOOD}\n{CLAIMABLE}\n")
    assert (done.code, done.out) == (0, "2 new\n")
    assert told() == [("A1", "granted"), ("C1", "claimable")]


def test_twice_is_once(shop_file):
    shop_file(f"{HEAD}\n{GOOD}\n")
    before = table_hashes(None)
    done = shop_file(f"{HEAD}\n{GOOD}\n{CLAIMABLE}\n")
    assert (done.code, done.out) == (0, "1 new, 1 same\n")
    assert told() == [("A1", "granted"), ("C1", "claimable")]
    assert table_hashes(None)["course_grant"] == before["course_grant"]


def test_bad_lines_are_told_by_number_and_keep_no_good_one_out(shop_file):
    bad = [
        GOOD.replace("A1", "A 1"), GOOD.replace("yiling", "nobody"), GOOD.replace(COURSE, "no-such-course"),
        GOOD.replace("19900", "199.00"), GOOD.replace("19900", "１９９"), GOOD.replace("19900", "9" * 5000),
        GOOD.replace("+08:00", ""), GOOD.replace("2026-01-01T08:00:00+08:00", "yesterday"), GOOD + ",more",
        GOOD.rpartition(",")[0], GOOD.replace("oABCDEF0123456789abcdefABCDEF", ""), "", GOOD.replace("A1", ""),
        GOOD.replace("yiling", "y\0"), GOOD.replace("2026", "0001").replace("08:00:00", "00:00:00"), "," * 7,
    ]  # fmt: skip
    done = shop_file("\r\n".join([HEAD, *bad, CLAIMABLE]))
    assert done.code == 1
    assert told() == [("C1", "claimable")]
    said = [line for line in done.err.splitlines() if line.startswith("line ")]
    numbers = [int(line.split(":")[0].removeprefix("line ")) for line in said]
    assert numbers == [number for number in range(2, len(bad) + 2) if bad[number - 2]], "an empty line is no line"
    words = ["order_no", "platform", "course", "paid_fen", "paid_fen", "paid_fen", "paid_at", "paid_at", "columns"]
    assert all(word in line for word, line in zip(words, said, strict=False)), said
    assert done.out == f"1 new, {len(said)} bad\n"


def test_a_number_with_another_body_is_a_bad_line(shop_file):
    done = shop_file(f"{HEAD}\n{GOOD}\n{GOOD.replace('19900', '1')}\n")
    assert (done.code, done.out) == (1, "1 new, 1 bad\n")
    assert "line 3: 这个订单号已经登记过" in done.err
    assert Purchase.get().paid_fen == 19900


def test_a_dry_run_says_what_a_real_one_would_and_changes_nothing(shop_file):
    shop_file(f"{HEAD}\n{GOOD}\n")
    before = table_hashes(None)
    lines = [HEAD, CLAIMABLE, GOOD.replace("19900", "1"), GOOD.replace("A1", "A 1")]
    done = shop_file("\n".join(lines), "--dry-run")
    assert (done.code, done.out) == (1, "1 checked, 2 bad\n")
    assert "line 3: " in done.err and "line 4: order_no" in done.err
    assert table_hashes(None) == before


CLAIMS_HEAD = "platform,order_no,phone,email,claim_url"


def test_the_claim_links_are_had_with_whom_to_send_them_to(shop_file, tmp_path):
    mailed = CLAIMABLE.replace("C1", "C2").replace("13800000000,", ",a@example.com")
    done = shop_file(
        "\n".join([HEAD, GOOD, CLAIMABLE, mailed, CLAIMABLE, GOOD.replace("A1", "A 1")]), "--claims", "out.csv"
    )
    assert (done.code, done.out) == (1, "3 new, 1 same, 1 bad\nclaim links in out.csv: 2\n")
    links = {row.order_no: row.claim_hash for row in Purchase.select().where(Purchase.claim_hash.is_null(False))}
    head, first, second = (tmp_path / "out.csv").read_text("utf-8").splitlines()
    assert head == CLAIMS_HEAD
    assert first.startswith("yiling,C1,13800000000,,http://127.0.0.1:8000/claims/")
    assert second.startswith("yiling,C2,,a@example.com,http://127.0.0.1:8000/claims/")
    assert [digest(line.rpartition("/")[2]) for line in (first, second)] == [links["C1"], links["C2"]]


def test_a_repeated_import_gives_the_links_that_nobody_has_used(shop_file, tmp_path):
    other = CLAIMABLE.replace("C1", "C2")
    shop_file(f"{HEAD}\n{CLAIMABLE}\n{other}\n")
    Purchase.update(person=Person.create(created_at=START)).where(Purchase.order_no == "C2").execute()
    done = shop_file(f"{HEAD}\n{CLAIMABLE}\n{other}\n", "--claims", "out.csv")
    assert (done.code, done.out) == (0, "2 same\nclaim links in out.csv: 1\n")
    assert [line.split(",")[1] for line in (tmp_path / "out.csv").read_text("utf-8").splitlines()] == ["order_no", "C1"]


sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


@sqlite
def test_the_file_of_claim_links_is_for_its_owner_alone_and_runs_no_formula(shop_file, tmp_path):
    evil = CLAIMABLE.replace("13800000000,", '+8613800000000,"=1+cmd|x@example.com"')
    assert shop_file(f"{HEAD}\n{evil}\n", "--claims", "out.csv").code == 0
    assert (tmp_path / "out.csv").stat().st_mode & 0o777 == 0o600
    assert ",+8613800000000,'=1+cmd|x@example.com,http" in (tmp_path / "out.csv").read_text("utf-8")


@sqlite
@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--claims", "out.csv", "--dry-run"), 2, "leave out one of --dry-run and --claims"),
        (("--claims", "purchases.csv"), 2, "--claims would overwrite the file that is read"),
        (("--claims", "no/such/folder.csv"), 1, "No such file or directory"),
    ],
)
def test_a_file_of_claim_links_that_cannot_be_is_refused_before_anything_changes(
    shop_file, tmp_path, options, code, said
):
    before = table_hashes(None)
    done = shop_file(f"{HEAD}\n{CLAIMABLE}\n", *options)
    assert (done.code, done.out) == (code, "") and said in done.err
    assert table_hashes(None) == before
    assert not (tmp_path / "out.csv").exists()
    assert CLAIMABLE in (tmp_path / "purchases.csv").read_text("utf-8")


@sqlite
def test_a_link_whose_key_is_gone_is_said_to_be_missing(shop_file, tmp_path):
    shop_file(f"{HEAD}\n{CLAIMABLE}\n")
    Purchase.update(claim_hash="0" * 64).execute()
    assert shop_file(f"{HEAD}\n{CLAIMABLE}\n", "--claims", "out.csv").code == 0
    assert (tmp_path / "out.csv").read_text("utf-8").splitlines() == [CLAIMS_HEAD, "yiling,C1,13800000000,,"]


def test_a_mark_at_the_beginning_of_the_file_is_no_letter(shop_file):
    assert shop_file(f"\N{ZERO WIDTH NO-BREAK SPACE}{HEAD}\n{GOOD}\n").out == "1 new\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the columns must be platform,order_no"),
        (GOOD, "line 1: the columns must be"),
        (HEAD.replace(",paid_at", ""), "line 1: the columns must be"),
        (HEAD.replace("phone,email", "email,phone"), "line 1: the columns must be"),
        (f"{HEAD}\n{GOOD}\n".encode("utf-16"), "purchases.csv is not UTF-8"),
        (f"{HEAD}\n{GOOD},备注".encode("gbk"), "purchases.csv is not UTF-8"),
        (f'{HEAD}\n{GOOD}\n"open', "line 3: unexpected end of data"),
        (f"{HEAD}\n{'x' * 200_000}", "line 2: field larger than field limit"),
    ],
)
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_file_that_is_none_is_refused_in_one_line(shop_file, text, said):
    before = table_hashes(None)
    done = shop_file(text)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"Error: {said}") and done.err.count("\n") == 1
    assert table_hashes(None) == before


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_file_without_lines_says_so(shop_file):
    assert (shop_file(HEAD).code, shop_file(HEAD).out) == (0, "no lines\n")


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_no_line_of_the_report_tells_whose_purchase_it_was(shop_file):
    done = shop_file(f"{HEAD}\n{CLAIMABLE.replace('19900', 'x')}\n")
    assert "13800000000" not in done.out + done.err


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_progress_goes_to_the_terminal_and_not_into_the_answer(shop_file, tmp_path, command_server, database_url):
    shop_file(HEAD)
    Path(tmp_path / "purchases.csv").write_text(f"{HEAD}\n{GOOD}\n{CLAIMABLE}\n")
    screen, terminal = pty.openpty()
    settings = {"database_url": database_url}
    asked = ("purchases", "import", str(tmp_path / "purchases.csv"))
    done = command_server.run(tmp_path, asked, settings, err=Path(os.ttyname(terminal)))
    shown = os.read(screen, 65536).decode()
    for handle in (screen, terminal):
        os.close(handle)
    assert done.out == "2 new\n"
    assert "purchases" in shown and "100%" in shown
