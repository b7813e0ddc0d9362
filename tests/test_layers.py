"""The arrows between the layers go down only, without circles or hidden imports."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "models": set(),
    "clients": set(),
    "services": {"models", "clients"},
    "wxbot": {"services", "models"},
    "h5": {"services", "models"},
    "sandbox": set(),
}
JOINERS = {"wxbot/server.py", "wxbot/__main__.py", "wxbot/demo.py", "wxbot/playground.py"}
FILES = sorted(path for layer in MAY_IMPORT for path in (ROOT / layer).rglob("*.py") if "migrations" not in path.parts)


def imported(path: Path) -> set[str]:
    """The modules of ours that a file names in its imports, as dotted names."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] in MAY_IMPORT}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_go_down_only(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    own = name.split("/")[0]
    allowed = set(MAY_IMPORT) if name in JOINERS else MAY_IMPORT[own] | {own}
    breaches = {module for module in imported(path) if module.split(".")[0] not in allowed}
    assert not breaches, f"{name} reaches up or sideways: {sorted(breaches)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_import_hides_inside_a_function(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            hidden = [inner for inner in ast.walk(node) if isinstance(inner, ast.Import | ast.ImportFrom)]
            assert not hidden, f"{path.name}: {node.name} imports inside itself"


def test_modules_import_each_other_without_circles() -> None:
    modules = {path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."): path for path in FILES}
    graph = {name: imported(path) & set(modules) - {name} for name, path in modules.items()}
    done: set[str] = set()
    while left := {name: wanted - done for name, wanted in graph.items() if name not in done}:
        ready = {name for name, wanted in left.items() if not wanted}
        assert ready, f"these modules import each other in a circle: {sorted(left)}"
        done |= ready
