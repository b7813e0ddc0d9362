"""What /openapi.json promises of the purchases API is what it answers."""

import json
import re
from datetime import datetime
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient

from tests.shop import Shop

gen = pytest.mark.gen_test(timeout=30)
KINDS = {"object": dict, "string": str, "integer": int, "array": list, "boolean": bool, "null": type(None)}


def problems(value: Any, schema: dict[str, Any], document: dict[str, Any], place: str = "$") -> list[str]:
    """Where a value is not what the schema says; knows the words that our document uses, and no other."""
    if "$ref" in schema:
        return problems(value, at(document, schema["$ref"]), document, place)
    found = [f"{place}: {word} is not known" for word in set(schema) - set(WORDS) - SILENT]
    return found + [f"{place}: {word}" for word in set(schema) & set(WORDS) if not WORDS[word](value, schema, document)]


def at(document: dict[str, Any], reference: str) -> dict[str, Any]:
    """What a `#/…` points at."""
    for step in reference.removeprefix("#/").split("/"):
        document = document[step]
    return document


def is_kind(value: Any, schema: dict[str, Any], _document: dict[str, Any]) -> bool:
    """`type`, one or several."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return any(isinstance(value, KINDS[kind]) and not (kind == "integer" and value is True) for kind in kinds)


def are_properties(value: Any, schema: dict[str, Any], document: dict[str, Any]) -> bool:
    """`properties`, and nothing else where `additionalProperties` is false."""
    if not isinstance(value, dict):
        return True
    known = schema["properties"]
    extra = set(value) - set(known) if schema.get("additionalProperties") is False else set()
    return not extra and not any(problems(value[name], known[name], document) for name in set(known) & set(value))


def is_format(value: Any, schema: dict[str, Any], _document: dict[str, Any]) -> bool:
    """`date-time` with its zone."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


SILENT = {"title", "description", "default", "additionalProperties"}
WORDS = {
    "type": is_kind,
    "properties": are_properties,
    "format": is_format,
    "required": lambda value, schema, _: not isinstance(value, dict) or set(schema["required"]) <= set(value),
    "enum": lambda value, schema, _: value in schema["enum"],
    "pattern": lambda value, schema, _: not isinstance(value, str) or bool(re.search(schema["pattern"], value)),
    "minimum": lambda value, schema, _: not isinstance(value, int) or value >= schema["minimum"],
    "maximum": lambda value, schema, _: not isinstance(value, int) or value <= schema["maximum"],
    "anyOf": lambda value, schema, document: any(not problems(value, one, document) for one in schema["anyOf"]),
}


class Checked:
    """The shop's calls, each answer held against the document."""

    def __init__(self, shop: Shop, document: dict[str, Any]) -> None:
        self.shop, self.document = shop, document
        self.path = document["paths"]["/api/v1/purchases/{platform}/{order_no}"]
        self.seen: set[tuple[str, str]] = set()

    async def call(self, method: str, order_no: str, body: Any = None, **how: str) -> int:
        """The status; fails when the answer is not what the document says of it."""
        raw = None if body is None else json.dumps(body)
        answer = await self.shop.call(method, order_no, raw, **how)
        said = self.path[method.lower()]["responses"][str(answer.code)]["content"]["application/json"]["schema"]
        assert answer.headers["Content-Type"].startswith("application/json")
        assert problems(json.loads(answer.body), said, self.document) == [], answer.body
        self.seen.add((method, str(answer.code)))
        return answer.code


async def document_of(site) -> dict[str, Any]:
    """What a machine gets."""
    answer = await AsyncHTTPClient().fetch(f"{site.base_url}/openapi.json")
    assert answer.headers["Content-Type"].startswith("application/json")
    return json.loads(answer.body)


@gen
async def test_every_answer_is_as_the_document_says(site):
    shop = Shop(site)
    checked = Checked(shop, await document_of(site))
    phone = {"openid": None, "phone": "13800000000"}
    assert [await checked.call("PUT", "A1", shop.body()) for _ in range(2)] == [201, 200]
    assert await checked.call("PUT", "A1", shop.body(paid_fen=1)) == 409
    assert await checked.call("PUT", "C1", shop.body(**phone)) == 201
    assert await checked.call("PUT", "A3", shop.body(paid_fen=-1)) == 422
    await site.links("anna")
    assert [await checked.call(method, "A1") for method in ("GET", "DELETE")] == [200, 409]
    assert await checked.call("DELETE", "A1", query=f"?override={'x' * 256}") == 422
    assert (await shop.get("A1"))[1]["status"] == "granted"
    assert await checked.call("DELETE", "A1", query="?override=mistake") == 200
    assert [await checked.call(method, "A9") for method in ("GET", "DELETE")] == [404, 404]
    assert await checked.call("GET", "A1", platform="other") == 403
    shop.authorization = None
    assert [await checked.call(method, "A1") for method in ("GET", "DELETE")] == [401, 401]
    assert len(checked.seen) == 13


@pytest.mark.parametrize("database_kind", ["sqlite"])
@gen
async def test_the_document_takes_and_refuses_the_bodies_that_we_take_and_refuse(site):
    shop, document = Shop(site), await document_of(site)
    path = document["paths"]["/api/v1/purchases/{platform}/{order_no}"]
    asked = path["put"]["requestBody"]["content"]["application/json"]["schema"]
    assert problems(shop.body(), asked, document) == []
    wrongs = [{"openid": None}, {"paid_fen": -1}, {"paid_fen": "1"}, {"openid": "x"}, {"extra": 1}, {"course": "A"}]
    wrongs += [{"paid_at": 1}, {"paid_at": "1999-12-31T23:00:00-05:00"}, {"paid_at": "2100-01-01T01:00:00+08:00"}]
    for wrong in wrongs:
        assert problems(shop.body(**wrong), asked, document), wrong
        assert (await shop.put("B1", **wrong))[0] == 422, wrong
    for right in ({"paid_at": "2000-01-01T00:00:00+14:00"}, {"paid_at": "2099-12-31T23:59:59-12:00"}):
        assert not problems(shop.body(**right), asked, document), right
        assert (await shop.put(f"R{right['paid_at'][:4]}", **right))[0] == 201, right
    assert document["servers"] == [{"url": site.base_url}]


@pytest.mark.parametrize("database_kind", ["sqlite"])
@gen
async def test_the_document_leads_nowhere_else(site):
    text = json.dumps(await document_of(site))
    for reference in set(re.findall(r'"\$ref": "([^"]+)"', text)):
        assert at(json.loads(text), reference)


@pytest.mark.parametrize("database_kind", ["sqlite"])
@gen
async def test_an_address_that_no_purchase_can_have_is_refused_as_json_too(site):
    shop = Shop(site)
    for order_no in ("a/b", "a" * 192, "%E6%98%9F" * 30):
        answer = await shop.call("GET", order_no)
        assert (answer.code, json.loads(answer.body)["code"]) == (404, "not_found"), order_no
