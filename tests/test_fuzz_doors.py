"""Bounded fuzzes of the two doors that machines knock at: whatever comes is answered, and a refusal leaves no trace.

What is sent is rightly signed and sealed as often as not, so that the search gets behind the signature.
"""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tornado.ioloop import IOLoop

from tests.attack_kit import SLOW_SECONDS, Answer, raw, watched
from tests.event_kit import DATA, EVENT, EVENTS, signed
from tests.pushes import AES_KEY, APP_ID, TEXT, TOKEN, encrypt, envelope, sealed_query
from tests.site import Site

pytestmark = pytest.mark.soak
TRIES = 3
ACCOUNT = {"wechat_token": TOKEN, "wechat_app_id": APP_ID, "wechat_aes_keys": [AES_KEY]}
WORDS = [
    "xml", "ToUserName", "FromUserName", "CreateTime", "MsgType", "MsgId", "Content", "Event", "EventKey", "Encrypt",
    "text", "event", "subscribe", "CLICK", "SCAN", "HELP", "oUSER1", "帮助", "星球", "解绑", "1767225600", "0",
]  # fmt: skip
BREAKERS = ["]]>", "<![CDATA[", "&lt;", "&#0;", "&x;", "\ud7ff"]
texts = st.text(max_size=20) | st.sampled_from(WORDS) | st.sampled_from(BREAKERS)
names = st.sampled_from(WORDS) | st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,12}", fullmatch=True)
leaves = st.tuples(names, texts)
trees = st.recursive(leaves, lambda inner: st.tuples(names, st.lists(inner, max_size=4)), max_leaves=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
cuts = st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 6)), max_size=4)


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


@pytest.fixture
def site(make_site) -> Site:
    """A site whose account is the one of the kit, and whose limits no fuzz reaches."""
    return make_site(limits_factor=1_000_000, **ACCOUNT)


def xml_of(tree: Any) -> str:
    """An element, its text as it stands: what is wrong with it is the point."""
    name, inside = tree
    return f"<{name}>{inside if isinstance(inside, str) else ''.join(map(xml_of, inside))}</{name}>"


def mutated(data: bytes, changes: list[tuple[float, bytes, int]]) -> bytes:
    """Pieces put in and cut out at places given as parts of the whole."""
    for place, piece, length in changes:
        at = int(place * len(data))
        data = data[:at] + piece + data[at + length :]
    return data


def document(inside: list[Any]) -> bytes:
    """A message of these elements."""
    return f"<xml>{''.join(map(xml_of, inside))}</xml>".encode("utf-8", "replace")


def event_with(name: str, value: Any) -> bytes:
    """An event of which one field is another."""
    changed = EVENT | {name: value} if name in EVENT else EVENT | {"data": DATA | {name: value}}
    return json.dumps(changed).encode()


anything = st.binary(max_size=200) | st.builds(lambda value: json.dumps(value).encode(), json_values)
messages = (
    st.builds(document, st.lists(trees, max_size=8)) | st.builds(mutated, st.just(TEXT.encode()), cuts) | anything
)
fields = st.sampled_from([*DATA, *EVENT])
events = st.builds(event_with, fields, json_values) | st.builds(mutated, st.just(json.dumps(EVENT).encode()), cuts)
events |= anything
ways = st.sampled_from(["sealed", "changed", "bare"])


class Fuzz:
    """Sends to one site and looks at each answer; every so often at all rows."""

    def __init__(self, loop: IOLoop, site: Site) -> None:
        self.loop, self.site = loop, site
        self.refused = self.taken = 0

    def ask(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """One request on a connection of its own."""
        lines = {"Host": "x", "Connection": "close", "Content-Length": str(len(body))} | headers
        head = [f"POST {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in lines.items())]
        return self.loop.run_sync(lambda: raw(self.site, "\r\n".join([*head, "", ""]).encode("latin1") + body))

    def in_time(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """An answer that did not take long: a machine that stood still is asked again, a slow input is always slow."""
        for _ in range(TRIES):
            with suppress(TimeoutError):
                answer = self.ask(path, body, headers)
                if answer.seconds < SLOW_SECONDS:
                    return answer
        raise AssertionError((path, body, "was slow each time"))

    def send(self, path: str, body: bytes, headers: dict[str, str], taken: set[int], refused: set[int]) -> None:
        """It is answered in time with one of these; a refusal changes no row."""
        before = self.rows()
        answer = self.in_time(path, body, headers)
        assert answer.status in taken | refused, (answer, path, body)
        if answer.status in refused:
            self.refused += 1
            assert self.rows() == before, (path, body)
        else:
            self.taken += 1

    def rows(self) -> dict[str, int]:
        """A hash of every table."""
        return self.loop.run_sync(self.site.every_row)


@pytest.fixture
def fuzz(io_loop: IOLoop, site: Site) -> Fuzz:
    """The site, knocked at."""
    return Fuzz(io_loop, site)


def bounded(examples: int) -> Any:
    """So many examples, the same in each run."""
    return settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )


def test_whatever_is_pushed_is_answered_and_a_refusal_leaves_no_trace(fuzz, rounds) -> None:
    now = int(fuzz.site.clock.now().timestamp())

    @bounded(rounds(300, soak=20_000))
    @given(messages, ways, cuts)
    def knock(message: bytes, way: str, changes: list[Any]) -> None:
        body, query = message, sealed_query("x", now)
        if way != "bare":
            sealed = encrypt(message.decode("utf-8", "replace").replace("1767225600", str(now)))
            body = envelope(sealed)
            query = sealed_query(sealed, now)
            body = mutated(body, changes) if way == "changed" else body
        fuzz.send(f"/wx/push?{query}", body, {"Content-Type": "text/xml"}, {200}, {400, 403, 413})

    with watched():
        knock()
    assert fuzz.taken and fuzz.refused, "the search got behind the signature"


def test_whatever_a_planet_tells_is_answered_and_a_refusal_leaves_no_trace(fuzz, rounds) -> None:
    @bounded(rounds(300, soak=20_000))
    @given(events, ways, cuts, st.integers(0, 10**9))
    def knock(body: bytes, way: str, changes: list[Any], number: int) -> None:
        headers = signed(fuzz.site, body, event_id=f"msg_{number}") if way != "bare" else {}
        sent = mutated(body, changes) if way == "changed" else body
        fuzz.send(EVENTS, sent, headers, {204}, {400, 401, 413})

    with watched():
        knock()
    assert fuzz.taken and fuzz.refused, "the search got behind the signature"
    assert fuzz.loop.run_sync(fuzz.site.broken) == []
