"""The OpenAPI document of what an existing course platform may call (`/openapi.json`)."""

from typing import Any

from services.purchase_body import PurchaseBody
from services.purchases import MOST_REASON

ANSWER = {
    "type": "object",
    "required": ["platform", "order_no", "course", "status", "claim_url", "waived_at"],
    "additionalProperties": False,
    "properties": {
        "platform": {"type": "string"},
        "order_no": {"type": "string"},
        "course": {"type": "string"},
        "status": {"enum": ["granted", "claimable", "refunded"]},
        "claim_url": {"type": ["string", "null"], "description": "to be opened in WeChat by the learner, once"},
        "waived_at": {"type": ["string", "null"], "format": "date-time", "description": "the refund was given up then"},
    },
}
ERROR = {
    "type": "object",
    "required": ["code", "message", "rid"],
    "properties": {"code": {"type": "string"}, "message": {"type": "string"}, "rid": {"type": "string"}},
}
ERRORS = {
    "401": "no or malformed credentials",
    "403": "wrong key, or another platform's address",
    "404": "unknown order number",
    "409": "the number came with another body, the purchase is waived, or its voucher is spent",
    "422": "a field is missing or out of shape",
    "429": "too often; see Retry-After",
    "503": "busy; see Retry-After",
}


def schema(name: str) -> dict[str, Any]:
    """A JSON body by its schema's name."""
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def answers(*good: str) -> dict[str, Any]:
    """The good answers and every refusal."""
    told = {status: {"description": "the purchase as it stands", "content": schema("Answer")} for status in good}
    return told | {status: {"description": why, "content": schema("Error")} for status, why in ERRORS.items()}


def document(base_url: str) -> dict[str, Any]:
    """The whole document."""
    named = {"in": "path", "required": True}
    parameters = [
        {"name": "platform", "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,31}$"}, **named},
        {"name": "order_no", "schema": {"type": "string", "pattern": "^[0-9A-Za-z_.\\-]{1,64}$"}, **named},
    ]
    reason = {"name": "override", "in": "query", "schema": {"type": "string", "maxLength": MOST_REASON}}
    put = {"operationId": "putPurchase", "requestBody": {"required": True, "content": schema("Purchase")}}
    path = {
        "parameters": parameters,
        "put": put | {"responses": answers("200", "201"), "summary": "Tell of a purchase; again is the same"},
        "get": {"operationId": "getPurchase", "responses": answers("200"), "summary": "The purchase as it stands"},
        "delete": {
            "operationId": "refundPurchase", "responses": answers("200"), "parameters": [reason],
            "summary": "Refunded there; 409 `waived`, `earned_voucher_spent`, `…_held` unless `override` says why",
        },
    }  # fmt: skip
    body = PurchaseBody.model_json_schema()
    known_by = ("openid", "phone", "email")
    body["anyOf"] = [{"required": [name], "properties": {name: {"type": "string"}}} for name in known_by]
    parts = {"Purchase": body, "Answer": ANSWER, "Error": ERROR}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Purchases of an existing course platform", "version": "1"},
        "servers": [{"url": base_url}],
        "security": [{"platform": []}],
        "paths": {"/api/v1/purchases/{platform}/{order_no}": path},
        "components": {"schemas": parts, "securitySchemes": {"platform": {"type": "http", "scheme": "basic"}}},
    }
