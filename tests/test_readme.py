"""The README of both languages keeps up with the code: settings, commands, dependencies, links."""

import re
import tomllib
from pathlib import Path

import click
import pytest

from services.config import PREFIX, Config
from tests.commands import written
from wxbot.__main__ import main

ROOT = Path(__file__).parent.parent
README, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
PAGES = [README, CHINESE, *sorted((ROOT / "docs").glob("*.md")), ROOT / "deploy" / "README.md"]
both = pytest.mark.parametrize("page", [README, CHINESE], ids=lambda page: page.name)
LEAST_REASON = 10


def rows(page: Path) -> dict[str, list[str]]:
    """The rows of a page's tables whose first cell begins with a name in backticks, by that name."""
    found: dict[str, list[str]] = {}
    for line in page.read_text(encoding="utf-8").splitlines():
        if name := re.match(r"\| `([^`]+)`", line):
            found[name[1]] = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[2:-1]]
    return found


def commands(group: click.Group, path: str = "wxbot") -> list[str]:
    """Every command below a group, as it is typed."""
    names: list[str] = []
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        here = f"{path} {name}"
        names += commands(command, here) if isinstance(command, click.Group) else [here]
    return names


def anchor(heading: str) -> str:
    """The address of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@both
def test_each_setting_is_explained(page: Path) -> None:
    told = rows(page)
    wanted = {PREFIX + name.upper() for name in Config.model_fields}
    assert wanted == {name for name in told if name.startswith(PREFIX)}
    assert not [name for name in wanted if not all(told[name])], "a meaning or a default is missing"


@both
def test_each_default_is_the_true_one(page: Path) -> None:
    told = rows(page)
    for name, field in Config.model_fields.items():
        default = told[PREFIX + name.upper()][1]
        if field.default not in ("", ()) and not field.is_required():
            assert default == f"`{written(field.default)}`", name
        else:
            assert "`" not in default, name


@both
def test_each_command_is_mentioned(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [command for command in commands(main) if f"`{command}" not in text]
    assert not missing


@both
def test_each_option_that_one_may_use_is_mentioned(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    used = [option for command in main.commands.values() for option in options(command)]
    assert not [option for option in used if option not in text]


def options(command: click.Command) -> list[str]:
    """The long names of a command's options, its own commands' too; hidden ones are nobody's business."""
    below = command.commands.values() if isinstance(command, click.Group) else []
    mine = [p.opts[-1] for p in command.params if isinstance(p, click.Option) and not p.hidden]
    return mine + [option for one in below for option in options(one)]


def test_each_dependency_has_a_reason() -> None:
    file = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project, groups = file["project"], file["dependency-groups"].values()
    asked = [
        *project["dependencies"],
        *project["optional-dependencies"]["dev"],
        *(one for group in groups for one in group),
    ]
    told = rows(README)
    names = {re.match(r"[a-z0-9-]+", line)[0] for line in asked}
    assert not [name for name in names if len(told.get(name, [""])[0]) < LEAST_REASON]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    broken = []
    for target in targets:
        if target.startswith(("http://", "https://")):
            continue
        name, _, part = target.partition("#")
        file = page.parent / name if name else page
        headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.M) if part and file.is_file() else []
        if not file.exists() or (part and part not in map(anchor, headings)):
            broken.append(target)
    assert not broken
