"""The catalogue file as YAML: what it says, and on which line."""

from typing import Any

import yaml


class BadCatalogue(Exception):
    """The file cannot be loaded; its text is one line for each mistake, with the line number."""


class _Loader(yaml.SafeLoader):
    """Plain YAML; a name that stands twice in one place is a mistake."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names: list[Any] = []
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if name in names:
                raise yaml.constructor.ConstructorError(None, None, f"{name} stands twice", key.start_mark)
            names.append(name)
        return super().construct_mapping(node, deep=deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, OverflowError) as wrong:  # 30 February
            raise yaml.constructor.ConstructorError(None, None, str(wrong), node.start_mark) from None


class Lines:
    """Where in the file each part stands."""

    def __init__(self, root: yaml.Node | None) -> None:
        self.root = root

    def of(self, location: tuple[int | str, ...]) -> int:
        """The line number of a place, or of the nearest part around it."""
        node, line = self.root, 1
        for step in location:
            found = self._step(node, step)
            if found is None:
                break
            node, line = found[1], found[0].start_mark.line + 1
        return line

    @staticmethod
    def _step(node: yaml.Node | None, step: int | str) -> tuple[yaml.Node, yaml.Node] | None:
        if isinstance(node, yaml.MappingNode):
            return next(((key, value) for key, value in node.value if key.value == str(step)), None)
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            return node.value[step], node.value[step]
        return None


def as_yaml(text: str) -> tuple[Any, Lines]:
    """The bare content and its line numbers; raises BadCatalogue for what is no YAML."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return loader.construct_document(node) if node else {}, Lines(node)
    except yaml.MarkedYAMLError as wrong:
        line = wrong.problem_mark.line + 1 if wrong.problem_mark else 1
        raise BadCatalogue(f"line {line}: {wrong.problem}") from None
    except yaml.reader.ReaderError as wrong:
        line = text.count("\n", 0, wrong.position) + 1
        raise BadCatalogue(f"line {line}: a character that is not allowed") from None
    except RecursionError:
        raise BadCatalogue("line 1: nested too deeply") from None
