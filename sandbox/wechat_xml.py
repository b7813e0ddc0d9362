"""XML as WeChat writes it, and a strict reader of what bots answer."""

from typing import Any
from xml.parsers import expat

MOST_DEPTH = 5


class BadXml(Exception):
    """An answer that is not well formed, or not in WeChat's form."""


def write_xml(fields: dict[str, Any]) -> str:
    """`<xml>…</xml>` with CDATA for texts and bare numbers for int; lists repeat their tag."""
    return f"<xml>{_inside(fields)}</xml>"


def _inside(fields: dict[str, Any]) -> str:
    parts = []
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            parts.append(f"<{name}>{_value(one)}</{name}>")
    return "".join(parts)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return _inside(value)
    if isinstance(value, int):
        return str(value)
    return "<![CDATA[" + str(value).replace("]]>", "]]]]><![CDATA[>") + "]]>"


class _Reader:
    """Builds nested dicts; an element that comes twice becomes a list."""

    def __init__(self) -> None:
        self.root: dict[str, Any] = {}
        self._stack: list[tuple[str, dict[str, Any], list[str]]] = [("", self.root, [])]

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if attributes or len(self._stack) > MOST_DEPTH:
            raise BadXml(f"<{name}> has attributes or lies too deep")
        self._stack.append((name, {}, []))

    def text(self, data: str) -> None:
        self._stack[-1][2].append(data)

    def end(self, name: str) -> None:
        _, children, texts = self._stack.pop()
        text = "".join(texts)
        if children and text.strip():
            raise BadXml(f"<{name}> mixes text and elements")
        value: Any = children or text
        parent = self._stack[-1][1]
        if name not in parent:
            parent[name] = value
        elif isinstance(parent[name], list):
            parent[name].append(value)
        else:
            parent[name] = [parent[name], value]


def read_xml(text: str) -> dict[str, Any]:
    """The fields inside `<xml>`; BadXml for anything else, a DOCTYPE included."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    if "<!DOCTYPE" in text.upper():
        raise BadXml("a DOCTYPE")
    try:
        parser.Parse(text, True)
    except expat.ExpatError as fault:
        raise BadXml(f"not well formed: {fault}") from None
    fields = reader.root.get("xml")
    if not isinstance(fields, dict):
        raise BadXml("the root is not <xml> with fields")
    return fields
