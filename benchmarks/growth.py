"""`python -m benchmarks.growth`: what a page and a push cost as the catalogue and the rights grow.

The same learners ask in a small installation, in one with 10,000 courses, in one with a million rights, and in one with
both; the rounds of all take turns. Takes about eight minutes and one GiB of disk.
"""

import os
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from peewee import SqliteDatabase

from benchmarks import kit
from benchmarks.pages.seed import Seeded, seed
from benchmarks.pages.subjects import PAGE, loaded, page_lines
from benchmarks.pages.subjects import script as page_script
from benchmarks.push.__main__ import linked_openids, product
from benchmarks.push.letters import script as push_script
from models.base import database as bound
from models.catalogue import Course, Lecturer, Lesson, Price
from services import catalogue
from services.database import set_limits
from tests.databases import create_database
from tests.servers import PostgreSQL

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = int(os.environ.get("SECONDS", "3"))
WARM_UP_SECONDS = 2
FEW_COURSES, MANY_COURSES = 10, 10_000
FEW_RIGHTS, MANY_RIGHTS = 1_000, 1_000_000
RIGHTS_EACH = 10
CHUNK = 500
SIZES = {
    "small": (FEW_COURSES, FEW_RIGHTS),
    "10,000 courses": (MANY_COURSES, FEW_RIGHTS),
    "10⁶ rights": (FEW_COURSES, MANY_RIGHTS),
    "both": (MANY_COURSES, MANY_RIGHTS),
}
NUMBERS = {  # 1 … n, in each database's own words
    True: "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {most}) ",
    False: "WITH s AS (SELECT generate_series(1, {most}) AS n) ",
}
STAMP = "(SELECT MIN(created_at) FROM identity)"


def grow(courses: int, rights: int) -> None:
    """Fill the bound database up to so many courses and rights; the rights are other people's."""
    is_sqlite = isinstance(bound.obj, SqliteDatabase)
    numbers = NUMBERS[is_sqlite]
    with bound.connection_context(), bound.atomic():
        if not is_sqlite:
            set_limits(bound.obj, statement_timeout=0)  # a page's limit is not for a million rows
        add_courses(courses - Course.select().count())
        base = bound.execute_sql("SELECT MAX(id) FROM person").fetchone()[0]
        people = numbers.format(most=rights // RIGHTS_EACH)
        bound.execute_sql(f"INSERT INTO person (id, created_at) {people} SELECT {base} + n, {STAMP} FROM s")
        whose = f"{base} + 1 + (n - 1) / {RIGHTS_EACH}"
        of_what = f"(SELECT MIN(id) FROM course) + n - n / {FEW_COURSES} * {FEW_COURSES}"
        names = "source, source_ref, person_id, course_id, starts_at"
        rows = f"{numbers.format(most=rights)} SELECT 'gift', 'bulk:' || n, {whose}, {of_what}, {STAMP} FROM s"
        bound.execute_sql(f"INSERT INTO course_grant ({names}) {rows}")
    with bound.connection_context():
        bound.execute_sql("ANALYZE")


def add_courses(number: int) -> None:
    """So many more, each with a price and a lesson."""
    lecturer = Lecturer.select().first()
    for start in range(0, number, CHUNK):
        wanted = range(start, min(start + CHUNK, number))
        slugs = [f"bulk-{one:05d}" for one in wanted]
        Course.insert_many([{"slug": slug, "title": f"课程 {slug}", "lecturer": lecturer} for slug in slugs]).execute()
        made = list(Course.select(Course.id).where(Course.slug.in_(slugs)))
        since = datetime(2026, 1, 1, tzinfo=UTC)
        Price.insert_many([{"course": one, "from_at": since, "amount_fen": 100} for one in made]).execute()
        Lesson.insert_many([{"course": one, "position": 1, "title": "开课"} for one in made]).execute()
    catalogue.changed()


class Installation:
    """One size: its learners' sessions and openids, and the product that serves them."""

    def __init__(self, url: str, size: tuple[int, int], stack: ExitStack) -> None:
        self.seeded: Seeded = seed(loaded(url))
        self.openids = linked_openids()
        grow(*size)
        self.served = stack.enter_context(product(url))


def measured(installations: dict[str, Installation], script: Callable[[Installation], str]) -> dict[str, kit.Load]:
    """The medians of each, in turn."""
    loads: dict[str, list[kit.Load]] = {name: [] for name in installations}
    for one in installations.values():
        kit.load(one.served, script(one), seconds=WARM_UP_SECONDS)
    for _ in range(ROUNDS):
        for name, one in installations.items():
            loads[name].append(kit.load(one.served, script(one), seconds=SECONDS))
    return {name: kit.medians(found) for name, found in loads.items()}


def compare(database: str, urls: dict[str, str], folder: Path) -> list[list[str]]:
    """The lines of one database."""
    with ExitStack() as stack:
        installations = {name: Installation(urls[name], size, stack) for name, size in SIZES.items()}
        subjects = {
            "course page": lambda one: page_script(folder / "page.txt", PAGE, page_lines(one.seeded.linked)),
            "星球": lambda one: push_script(folder / "push.txt", "星球", one.openids, 1000),
        }
        return [
            line
            for what, script in subjects.items()
            for line in lines(f"{database}, {what}", measured(installations, script))
        ]


def lines(what: str, loads: dict[str, kit.Load]) -> list[list[str]]:
    """Each size beside the small one."""
    small = loads["small"]
    return [
        [
            f"{what}, {name}",
            f"{one.rps:,.0f}",
            f"{one.cpu_us:.0f}",
            f"{one.cpu_us / small.cpu_us:.2f}",
            f"{one.p99:.0f}",
        ]
        for name, one in loads.items()
    ]


def main() -> None:
    """Measure, and keep the section of the results."""
    with TemporaryDirectory() as name, kit.postgresql() as server:
        folder = Path(name)
        files = {size: f"sqlite:///{folder / f'{number}.db'}" for number, size in enumerate(SIZES)}
        rows = compare("SQLite", files, folder)
        rows += compare("PostgreSQL", databases(server), folder)
    how = f"`python -m benchmarks.growth` · {kit.machine()} · medians of {ROUNDS} rounds of {SECONDS} s in turn"
    table = kit.table(["", "requests/s", "CPU µs", "× small", "p99 ms"], rows)
    kit.keep("Growth", f"{how}\n\n{table}")


def databases(server: PostgreSQL) -> dict[str, str]:
    """One for each size."""
    return {size: create_database(server, f"growth{number}") for number, size in enumerate(SIZES)}


if __name__ == "__main__":
    main()
