"""A page as the phone's browser holds it: enough HTML to read, tap and fill in; never any JavaScript."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
UNSEEN = {"script", "style", "template", "title"}
INLINE = {"a", "abbr", "b", "code", "em", "i", "mark", "s", "small", "span", "strong", "sub", "sup", "time", "u"}


@dataclass(eq=False)
class Element:
    """One element of the page."""

    tag: str
    attrs: dict[str, str]
    parent: "Element | None" = None
    children: list["Element | str"] = field(default_factory=list)

    def walk(self) -> Iterator["Element"]:
        """This element and all inside, in the order of the page."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    @property
    def text(self) -> str:
        """What a person reads, blanks squeezed."""
        return re.sub(r"\s+", " ", "".join(self._texts())).strip()

    def _texts(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            elif child.tag not in UNSEEN:
                gap = "" if child.tag in INLINE else " "
                yield gap
                yield from child._texts()
                yield gap

    def inside(self, tag: str) -> "Element | None":
        """The nearest element of this tag around it, itself included."""
        around: Element | None = self
        while around and around.tag != tag:
            around = around.parent
        return around


class _Builder(HTMLParser):
    """Makes the tree; forgives what browsers forgive."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("html", {})
        self._at = self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self._at)
        self._at.children.append(element)
        if tag not in VOID:
            self._at = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._at.children.append(Element(tag, {name: value or "" for name, value in attrs}, self._at))

    def handle_endtag(self, tag: str) -> None:
        found = self._at.inside(tag)
        if found and found.parent:
            self._at = found.parent

    def handle_data(self, data: str) -> None:
        self._at.children.append(data)


@dataclass
class Form:
    """One form with what it would send as it stands."""

    element: Element
    action: str
    method: str
    controls: list[Element]

    @property
    def role(self) -> str:
        """Its data-role."""
        return self.element.attrs.get("data-role", "")

    def filled(self, fields: dict[str, object]) -> list[tuple[str, str]]:
        """Names and values to send. True ticks a box, False or None leaves a control out.

        A name that the form does not have raises LookupError: a person cannot fill in what is not there.
        """
        known = {control.attrs.get("name", "") for control in self.controls}
        if missing := set(fields) - known:
            raise LookupError(f"the form has no {sorted(missing)}; it has {sorted(known)}")
        sent: list[tuple[str, str]] = []
        for control in self.controls:
            sent += self._one(control, fields)
        return sent

    def _one(self, control: Element, fields: dict[str, object]) -> list[tuple[str, str]]:
        name, kind = control.attrs.get("name", ""), control.attrs.get("type", "text").lower()
        if not name or "disabled" in control.attrs or control.tag == "button":
            return []
        if kind in ("submit", "button", "image", "reset", "file"):
            return []
        own = _value(control)
        wanted = fields.get(name, "checked" in control.attrs if kind in ("checkbox", "radio") else own)
        if kind in ("checkbox", "radio"):
            chosen = wanted if isinstance(wanted, bool) else wanted == own
            return [(name, own)] if chosen else []
        return [] if wanted is None or wanted is False else [(name, str(wanted))]


def _value(control: Element) -> str:
    if control.tag == "textarea":
        return "".join(child for child in control.children if isinstance(child, str))
    if control.tag == "select":
        options = [one for one in control.walk() if one.tag == "option"]
        chosen = [one for one in options if "selected" in one.attrs] or options[:1]
        return chosen[0].attrs.get("value", chosen[0].text) if chosen else ""
    default = "on" if control.attrs.get("type", "").lower() in ("checkbox", "radio") else ""
    return control.attrs.get("value", default)


@dataclass
class Hop:
    """One request on the way to a page."""

    method: str
    url: str
    status: int


class Page:
    """What the browser shows after a navigation; `hops` are all requests that led here, redirects included."""

    def __init__(self, url: str, status: int, headers: dict[str, str], raw: bytes, hops: list[Hop]) -> None:
        self.url = url
        self.status = status
        self.headers = headers
        self.raw = raw
        self.body = raw.decode(errors="replace")
        self.hops = hops
        builder = _Builder()
        if "html" in headers.get("Content-Type", "text/html"):
            builder.feed(self.body)
            builder.close()
        self.root = builder.root

    @property
    def text(self) -> str:
        """What a person reads on it."""
        return self.root.text

    def find(self, role: str) -> Element | None:
        """The first element with this data-role."""
        return next(iter(self.find_all(role)), None)

    def find_all(self, role: str) -> list[Element]:
        """All elements that carry this data-role (alone or among others)."""
        return [one for one in self.root.walk() if role in one.attrs.get("data-role", "").split()]

    @property
    def links(self) -> list[str]:
        """Where the page's links lead, as full addresses."""
        found = [one.attrs["href"] for one in self.root.walk() if one.tag == "a" and one.attrs.get("href")]
        return [urljoin(self.url, href) for href in found]

    @property
    def forms(self) -> list[Form]:
        """The page's forms."""
        return [self._form(one) for one in self.root.walk() if one.tag == "form"]

    def form_of(self, element: Element) -> Form | None:
        """The form that a control belongs to, by place or by its `form` attribute."""
        if wanted := element.attrs.get("form"):
            return next((form for form in self.forms if form.element.attrs.get("id") == wanted), None)
        around = element.inside("form")
        return self._form(around) if around else None

    @property
    def refresh_url(self) -> str | None:
        """Where a meta refresh would lead."""
        for one in self.root.walk():
            if one.tag == "meta" and one.attrs.get("http-equiv", "").lower() == "refresh":
                match = re.match(r"\s*[\d.]+\s*(?:[;,]\s*url\s*=\s*['\"]?(.*?)['\"]?\s*)?$", one.attrs["content"], re.I)
                return urljoin(self.url, match[1] or "") if match else None
        return None

    def _form(self, element: Element) -> Form:
        kinds = ("input", "select", "textarea", "button")
        own = element.attrs.get("id")
        controls = [
            one
            for one in self.root.walk()
            if one.tag in kinds and (one.attrs["form"] == own if "form" in one.attrs else one.inside("form") is element)
        ]
        action = urljoin(self.url, element.attrs.get("action") or self.url)
        return Form(element, action, element.attrs.get("method", "get").upper(), controls)
