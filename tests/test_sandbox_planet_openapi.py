"""The published contract is complete, and the sandbox planet answers as it says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tornado.ioloop import IOLoop

from sandbox import planet_oauth, planet_rest
from sandbox.planet_events import RETRY_SECONDS
from tests.planet_kit import PlanetKit, running

DOCS = Path(__file__).parent.parent / "docs"
SPEC = yaml.safe_load((DOCS / "planet-partner.openapi.yaml").read_text("utf-8"))
PAGE = (DOCS / "planet-partner.md").read_text("utf-8")
KINDS = {"object": dict, "string": str, "integer": int, "array": list, "boolean": bool, "null": type(None)}
KNOWN = {"type", "required", "properties", "items", "const", "enum", "pattern", "minimum", "oneOf", "format"}
SAID = {"description", "examples", "maxItems", "default"}


@pytest.fixture
def planet(io_loop: IOLoop) -> Iterator[PlanetKit]:
    """A planet on a port of its own."""
    with running(io_loop) as kit:
        yield kit


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    """What a `$ref` points at."""
    while "$ref" in node:
        target: Any = SPEC
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def faults(value: Any, schema: dict[str, Any], where: str = "") -> list[str]:
    """Where a value differs from its schema; an undocumented field is a difference too."""
    schema = resolve(schema)
    assert set(schema) <= KNOWN | SAID, f"teach this test about {set(schema) - KNOWN - SAID}"
    kinds = schema.get("type", [])
    wanted = tuple(KINDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds))
    if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)):
        return [f"{where}: {value!r} is not {kinds}"]
    found = []
    if ("const" in schema and value != schema["const"]) or value not in schema.get("enum", [value]):
        found.append(f"{where}: {value!r} is none of the documented values")
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        found.append(f"{where}: {value!r} does not fit its pattern")
    if isinstance(value, str) and schema.get("format") == "date-time" and not value.endswith("Z"):
        found.append(f"{where}: {value!r} is not UTC")
    if isinstance(value, int) and value < schema.get("minimum", value):
        found.append(f"{where}: {value!r} is too small")
    if isinstance(value, dict):
        found += object_faults(value, schema, where)
    for number, item in enumerate(value if isinstance(value, list) else []):
        found += faults(item, schema["items"], f"{where}[{number}]")
    return found


def object_faults(value: dict[str, Any], schema: dict[str, Any], where: str) -> list[str]:
    """Missing, undocumented and wrong fields of one object."""
    found = [f"{where}.{name} is missing" for name in schema.get("required", []) if name not in value]
    found += [f"{where}.{name} is not documented" for name in value if name not in schema["properties"]]
    if "oneOf" in schema and sum(set(one["required"]) <= set(value) for one in schema["oneOf"]) != 1:
        found.append(f"{where} has not exactly one of its choices")
    for name in set(value) & set(schema["properties"]):
        found += faults(value[name], schema["properties"][name], f"{where}.{name}")
    return found


def schema_of(path: str, method: str, status: int) -> dict[str, Any]:
    """The documented answer of one call."""
    responses = SPEC["paths"][path][method]["responses"]
    response = resolve(responses.get(str(status)) or responses["default"])
    return response["content"]["application/json"]["schema"]


def methods(handler: type) -> set[str]:
    """The HTTP methods a handler has of its own."""
    return {name for name in ("get", "post", "put", "delete") if name in vars(handler)}


def test_each_route_of_the_sandbox_planet_is_documented_and_each_documented_one_exists():
    routes = [*planet_oauth.routes, *planet_rest.routes]
    documented = {}
    for path, item in SPEC["paths"].items():
        example = re.sub(r"{(\w+)}", r"\1", path)
        (handler,) = [handler for pattern, handler in routes if re.fullmatch(pattern, example)]
        documented[handler] = set(item) & {"get", "post", "put", "delete"}
    own_form = {planet_oauth.AuthorizeHandler: {"post"}}
    assert documented == {handler: methods(handler) - own_form.get(handler, set()) for _, handler in routes}


def test_every_reference_in_the_document_leads_somewhere():
    seen = re.findall(r'"?\$ref"?: "([^"]+)"', (DOCS / "planet-partner.openapi.yaml").read_text("utf-8"))
    assert seen
    for reference in seen:
        assert resolve({"$ref": reference})


def test_every_needed_field_is_described():
    for name, schema in SPEC["components"]["schemas"].items():
        if schema.get("type") == "object":
            assert set(schema["required"]) <= set(schema["properties"]), name


@pytest.mark.gen_test
async def test_the_token_answers_have_the_documented_fields(planet):
    back = await planet.decide("agree")
    good = await planet.redeem(back["code"])
    used = await planet.redeem(back["code"])
    stranger = await planet.redeem(back["code"], auth=None)
    assert [good[0], used[0], stranger[0]] == [200, 400, 401]
    for status, answer in (good, used, stranger):
        assert faults(answer, schema_of("/oauth/token", "post", status)) == []


@pytest.mark.gen_test
async def test_the_apis_answers_have_the_documented_fields(planet):
    planet.site.refund(planet.site.member_buys(planet.mei, "g1"))
    planet.site.joins_free(planet.mei, "g1")
    group = "/v1/groups/{group_id}"
    membership = f"{group}/memberships/{{ref}}"
    late = {"ends_at": "2020-01-01T00:00:00Z"}
    answers = [
        (membership, "put", await planet.grant()),
        (membership, "put", await planet.grant()),
        (membership, "put", await planet.grant(**late)),
        (membership, "put", await planet.grant(member_uid=planet.group.owner.uid)),
        (group, "get", await planet.api("GET", "/v1/groups/g1")),
        (group, "get", await planet.api("GET", "/v1/groups/none")),
        (f"{group}/members", "get", await planet.api("GET", "/v1/groups/g1/members?limit=1")),
        (f"{group}/members/{{member_uid}}", "get", await planet.api("GET", f"/v1/groups/g1/members/{planet.uid}")),
        (f"{group}/statements/{{month}}", "get", await planet.api("GET", "/v1/groups/g1/statements/2027-01")),
        (membership, "delete", await planet.api("DELETE", "/v1/groups/g1/memberships/r1?reason=refund")),
        (membership, "delete", await planet.api("DELETE", "/v1/groups/g1/memberships/r2?reason=refund")),
    ]
    statuses = [answer[0] for _, _, answer in answers]
    assert statuses == [201, 200, 422, 409, 200, 404, 200, 200, 200, 200, 404]
    for path, method, (status, answer) in answers:
        assert faults(answer, schema_of(path, method, status)) == [], (path, status)


@pytest.mark.gen_test
async def test_the_events_have_the_documented_fields(planet):
    planet.site.member_buys(planet.mei, "g1")
    planet.site.member_renews(planet.mei, "g1")
    await planet.grant()
    planet.site.remove(planet.mei, "g1")
    event = SPEC["webhooks"]["membership"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    kinds = resolve(event)["properties"]["type"]["examples"]
    assert len(planet.site.events.history) == 5
    for told in planet.site.events.history:
        assert faults(told.content, event) == []
        assert told.kind in kinds


def test_a_field_that_is_missing_or_undocumented_would_be_seen():
    group = {"group_id": "g1", "title": "x", "price_fen": -1, "owner_name": None, "entry_url": "x", "more": 1}
    assert len(faults(group, {"$ref": "#/components/schemas/Group"})) == 4


def test_the_page_for_engineers_names_what_the_document_has():
    for path in SPEC["paths"]:
        assert path.replace("{month}", "{YYYY-MM}") in PAGE
    events = SPEC["components"]["schemas"]["EventData"]["required"]
    fields = SPEC["components"]["schemas"]["Membership"]["required"] + events
    for name in [*fields, "next_cursor", "as_of", "closed", "removed_by_owner", "ref_conflict", "invalid_grant"]:
        assert name in PAGE
    told = "after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 20 h"
    assert told in PAGE
    assert RETRY_SECONDS == (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 72000)
