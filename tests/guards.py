"""What a guard of the product is for the check by mutation: where it stands, and which tests must miss it."""

import ast
from dataclasses import dataclass


@dataclass(frozen=True)
class Guard:
    """One guard: `old` in `file` becomes `new`, and `tests` must fail on that database."""

    file: str
    old: str
    new: str
    tests: str
    database: str = "sqlite"

    def __str__(self) -> str:
        return f"{self.file}: {one_line(self.old)} -> {one_line(self.new) or '(nothing)'}"

    def switched_off(self, text: str) -> str:
        """The file without this guard; ValueError when it is not there, or not once."""
        if text.count(self.old) != 1:
            raise ValueError(f"{self} stands there {text.count(self.old)} times")
        return text.replace(self.old, self.new)

    def nodes(self) -> list[str]:
        """The tests by which pytest knows them."""
        return [f"tests/{name}" for name in self.tests.split()]

    def line(self, text: str) -> int:
        """The line where it begins to change the file."""
        return text[: text.index(self.old)].count("\n") + 1


@dataclass(frozen=True)
class Gutted(Guard):
    """A whole function that does nothing any more: `old` is its name, `new` the name it gives back."""

    def switched_off(self, text: str) -> str:
        lines, function = text.splitlines(keepends=True), self.function(text)
        first = function.body[0]
        lines.insert(first.lineno - 1, f"{' ' * first.col_offset}return {self.new}\n")
        return "".join(lines)

    def function(self, text: str) -> ast.FunctionDef:
        """The one function of that name."""
        (found,) = [one for one in functions(text) if one.name == self.old]
        return found

    def line(self, text: str) -> int:
        return self.function(text).lineno


def functions(text: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module."""
    return [one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]


def one_line(code: str) -> str:
    """Code on one line, not too long."""
    flat = " ".join(code.split())
    return flat if len(flat) < 90 else f"{flat[:87]}..."
