"""The catalogue file by itself: what is taken, and each mistake with the line it stands on."""

from pathlib import Path

import pytest

from services.catalogue_file import BadCatalogue, CatalogueFile, parse, read

EXAMPLE = Path(__file__).parent.parent / "deploy" / "catalogue.example.yaml"
COURSE = """
courses:
  - slug: a
    title: 课
    lecturer: lin
    prices: [{from: 2026-01-01T00:00:00+08:00, amount_fen: 9900}]
"""


def mistakes(text: str) -> list[str]:
    """What is said of a file that cannot be loaded, line by line."""
    with pytest.raises(BadCatalogue) as refused:
        parse(text)
    return str(refused.value).split("\n")


def test_the_example_can_be_read():
    file, lines = read(EXAMPLE)
    assert [course.slug for course in file.courses] == ["infosec-workplace", "python-first-steps"]
    assert EXAMPLE.read_text("utf-8").splitlines()[lines.of(("courses", 1, "slug")) - 1].endswith("python-first-steps")


def test_an_empty_file_names_nothing():
    assert parse("")[0] == parse("# nothing yet")[0] == CatalogueFile()


def test_a_moment_keeps_its_zone_and_is_the_same_in_any_other():
    east = parse(COURSE)[0].courses[0].prices[0].from_at
    universal = (
        parse(COURSE.replace("2026-01-01T00:00:00+08:00", "2025-12-31T16:00:00Z"))[0].courses[0].prices[0].from_at
    )
    assert east == universal


WRONG = {
    "title: 课": [
        ("title: ''", "line 4: courses[0].title"),
        ("title: 2018", "line 4: courses[0].title"),
        (f"title: {'长' * 129}", "line 4: courses[0].title"),
        ('title: "a\\0b"', "line 4: courses[0].title: must be at most"),
        ("titel: 课", "line 4: courses[0].titel: Extra inputs"),
        ("title: 课\n    title: 题", "line 5: title stands twice"),
        ("title: [", "line 6"),
        ("title: 'open", "line 7"),
        ("title: !!python/object:os.system x", "line 4: could not determine a constructor"),
        ("title: 课\n    ended_on: 2018-02-30", "line 5: day "),
        ("title: 课\n    ended_on: soon", "line 5: courses[0].ended_on"),
        (f"title: 课\n    audience: {'a' * 65_536}", "line 5: courses[0].audience: must be at most 65535 bytes"),
        (
            "title: 课\n    lessons: [{title: x, media_url: 'javascript:1'}]",
            "line 5: courses[0].lessons[0].media_url",
        ),
        (f"title: 课\n    lessons: [{{title: x, article: {'长' * 21_846}}}]", "line 5: courses[0].lessons[0].article"),
    ],
    "slug: a": [
        ("slug: A", "line 3: courses[0].slug"),
        ("slug: ../a", "line 3: courses[0].slug"),
        (f"slug: {'a' * 65}", "line 3: courses[0].slug"),
        ("id: a", "line 3: courses[0].slug: Field required"),
    ],
    "amount_fen: 9900": [
        ("amount_fen: -1", "line 6: courses[0].prices[0].amount_fen"),
        ("amount_fen: 99.0", "line 6: courses[0].prices[0].amount_fen"),
        ("amount_fen: '9900'", "line 6: courses[0].prices[0].amount_fen"),
        ("amount_fen: .nan", "line 6: courses[0].prices[0].amount_fen"),
        ("amount_fen: true", "line 6: courses[0].prices[0].amount_fen"),
        ("amount_fen: 100000001", "line 6: courses[0].prices[0].amount_fen"),
        ("amount_fen: ９９００", "line 6: courses[0].prices[0].amount_fen"),
    ],
    "2026-01-01T00:00:00+08:00": [
        ("2026-01-01T00:00:00", "line 6: courses[0].prices[0].from"),
        ("2026-01-01", "line 6: courses[0].prices[0].from"),
        ("tomorrow", "line 6: courses[0].prices[0].from"),
        ("2026-13-01T00:00:00Z", "line 6: month must be in 1..12"),
    ],
}
CASES = [(right, wrong, said) for right, pairs in WRONG.items() for wrong, said in pairs]


@pytest.mark.parametrize(("right", "wrong", "said"), CASES, ids=[said[:50] for *_, said in CASES])
def test_a_mistake_is_told_with_its_line(right, wrong, said):
    told = mistakes(COURSE.replace(right, wrong))
    assert any(line.startswith(said) for line in told), told


@pytest.mark.parametrize(
    "text", ["- a", "just words", "7", "a: &a [*a]", "? [x]\n: y", "[" * 5000, "%YAML 9.9\n---\n", "a\x07"]
)
def test_what_is_no_catalogue_at_all_is_refused(text):
    assert mistakes(text)[0].startswith("line ")


def test_every_mistake_is_told_at_once_and_in_order():
    text = COURSE.replace("title: 课", "title: ''").replace("9900", "-1") + "planets: [{slug: p}]"
    lines = [int(one.split(":")[0].removeprefix("line ")) for one in mistakes(text)]
    assert len(lines) > 4 and lines == sorted(lines)


def test_a_course_without_a_price_is_refused():
    assert mistakes(COURSE.replace("{from: 2026-01-01T00:00:00+08:00, amount_fen: 9900}", ""))[0].startswith("line 6")


CAMPAIGN = """
campaigns:
  - {slug: c, kind: manual, amount_fen: 3000, starts: 2026-01-01T00:00:00Z, ends: 2026-02-01T00:00:00Z}
"""


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("manual", "lottery", "campaigns[0].kind"),
        ("2026-02-01", "2026-01-01", "ends must be after starts"),
        ("manual", "price_rise", "a price_rise names its course"),
        ("amount_fen: 3000, ", "", "a manual has an amount_fen"),
        ("slug: c", "slug: c, quota: 0", "campaigns[0].quota"),
        ("slug: c", "slug: c, quota: '5'", "campaigns[0].quota"),
        ("slug: c", "slug: c, budget_fen: -1", "campaigns[0].budget_fen"),
        ("slug: c", "slug: c, scope: ALL", "campaigns[0].scope"),
        ("slug: c", "slug: c, bearer: learner", "campaigns[0].bearer"),
        ("slug: c", "slug: c, word: ''", "campaigns[0].word"),
        ("2026-02-01T00:00:00Z", "2026-02-01", "campaigns[0].ends"),
    ],
)
def test_a_campaign_is_checked_from_the_first_day(right, wrong, said):
    parse(CAMPAIGN)
    assert said in mistakes(CAMPAIGN.replace(right, wrong))[0]


def test_a_file_that_cannot_be_read_is_said(tmp_path):
    (tmp_path / "gbk.yaml").write_bytes("标题: 课".encode("gbk"))
    for name in ("gbk.yaml", "missing.yaml"):
        with pytest.raises(BadCatalogue, match=f"^{name}: "):
            read(tmp_path / name)
