"""WeChat Pay's successes count only where it has signed them, now, and about what was asked."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from clients.errors import RemoteDown
from tests.pay_calls import (
    CALLS,
    NO,
    check_silent,
    failure,
    good,
    jsapi,
    native,
    raw_of,
    refund,
)
from tests.pay_kit import (
    CERTIFICATE_SERIAL,
    NOW,
    PROBE,
    REFUND,
    STRANGER_KEY,
    TRANSACTION,
    Clock,
    both_modes,
    lines_of,
    paying,
    reply,
    signed_headers,
)
from tests.stand_in import CUT, answer

WRONG_SIGNATURES: dict[str, tuple[str, Callable[[str], bytes]]] = {
    "none at all": ("headers", lambda name: answer(raw_of(name), status=204 if name == "close" else 200)),
    "no signature": ("headers", lambda name: good(name, Signature=None)),
    "no time": ("headers", lambda name: good(name, Timestamp=None)),
    "no nonce": ("headers", lambda name: good(name, Nonce=None)),
    "no serial": ("headers", lambda name: good(name, Serial=None)),
    "empty": ("headers", lambda name: good(name, Signature="")),
    "twice": ("headers", lambda name: twice(name)),
    "another way of signing": ("headers", lambda name: good(name, Signature_Type="WECHATPAY2-SM2-WITH-SM3")),
    "probe": ("signtest", lambda name: good(name, Signature=PROBE)),
    "stranger": ("signature", lambda name: good(name, key=STRANGER_KEY)),
    "of another body": ("signature", lambda name: of_another_body(name)),
    "not base64": ("signature", lambda name: good(name, Signature="canary")),
    "unknown serial": ("serial", lambda name: good(name, serial="PUB_KEY_ID_9999")),
    "stale": ("stale", lambda name: good(name, now=NOW - 301)),
    "early": ("stale", lambda name: good(name, now=NOW + 301)),
}


def twice(name: str) -> bytes:
    """Every header of the signature, two times."""
    raw = raw_of(name)
    headers = lines_of(signed_headers(raw)) * 2
    return answer(raw, status=204 if name == "close" else 200, headers=headers)


def of_another_body(name: str) -> bytes:
    """A right signature that goes with something else."""
    return answer(raw_of(name), status=204 if name == "close" else 200, headers=lines_of(signed_headers(b"{}")))


@pytest.mark.gen_test
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("wrong", WRONG_SIGNATURES)
async def test_a_success_that_wechat_has_not_signed_now_is_no_answer(name: str, wrong: str, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    code, made = WRONG_SIGNATURES[wrong]
    async with paying(lambda _: made(name)) as (pay, _):
        found = await failure(pay, CALLS[name][0])
    assert isinstance(found, RemoteDown) and (found.code, found.unknown) == (code, True)
    check_silent(found, caplog.text)


@pytest.mark.gen_test
@pytest.mark.parametrize("off", [-300, 300])
async def test_an_answer_of_five_minutes_ago_still_counts(off: int) -> None:
    async with paying(lambda _: good("query", now=NOW + off)) as (pay, _):
        assert await pay.query(NO)


@pytest.mark.gen_test
async def test_an_answer_may_leave_its_way_of_signing_unsaid_or_be_signed_by_either_key_of_a_change() -> None:
    async with paying(lambda _: good("query", Signature_Type=None), platform_keys=both_modes()) as (pay, remote):
        assert await pay.query(NO)
        remote.script = lambda _: good("query", serial=CERTIFICATE_SERIAL)
        assert await pay.query(NO)


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


WRONG_TRANSACTIONS = {
    "empty": b"",
    "html": b"<html>canary</html>",
    "half": json.dumps(TRANSACTION).encode()[:100],
    "list": [TRANSACTION],
    "null": b"null",
    "another app": TRANSACTION | {"appid": "wxcanary"},
    "another merchant": TRANSACTION | {"mchid": "1900000001"},
    "another order": TRANSACTION | {"out_trade_no": "C20260101000002"},
    "no app": without(TRANSACTION, "appid"),
    "no state": without(TRANSACTION, "trade_state"),
    "a state that is no word": TRANSACTION | {"trade_state": "canary"},
    "paid without a number": without(TRANSACTION, "transaction_id"),
    "paid without an amount": without(TRANSACTION, "amount"),
    "refunded without an amount": TRANSACTION | {"trade_state": "REFUND", "amount": {"currency": "CNY"}},
    "amount as text": TRANSACTION | {"amount": {"total": "19900"}},
    "amount as a fraction": TRANSACTION | {"amount": {"total": 19900.0}},
    "amount below nothing": TRANSACTION | {"amount": {"total": -1}},
    "amount beyond all": TRANSACTION | {"amount": {"total": 10**12 + 1}},
    "amount true": TRANSACTION | {"amount": {"total": True}},
    "payer with a newline": TRANSACTION | {"payer": {"openid": "canary\n"}},
    "payer as text": TRANSACTION | {"payer": "canary"},
    "naive time": TRANSACTION | {"success_time": "2026-01-01T08:00:10"},
    "unix time": TRANSACTION | {"success_time": NOW},
    "time of no century of ours": TRANSACTION | {"success_time": "9999-12-31T23:59:59-12:00"},
}


WRONG_REFUNDS = {
    "empty": b"",
    "half": json.dumps(REFUND).encode()[:100],
    "another refund": REFUND | {"out_refund_no": "R2"},
    "another payment": REFUND | {"transaction_id": "4200000000000000000000000000"},
    "less back": REFUND | {"amount": {"refund": 1, "total": 19900}},
    "of another amount": REFUND | {"amount": {"refund": 19900, "total": 29900}},
    "no amount": without(REFUND, "amount"),
    "no status": without(REFUND, "status"),
    "a status that is new": REFUND | {"status": "CANARY"},
}


@pytest.mark.gen_test
@pytest.mark.parametrize("wrong", WRONG_TRANSACTIONS)
async def test_a_signed_answer_that_is_half_or_about_something_else_is_no_answer(wrong: str, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    async with paying(lambda _: reply(WRONG_TRANSACTIONS[wrong])) as (pay, _):
        found = await failure(pay, CALLS["query"][0])
    assert isinstance(found, RemoteDown) and (found.code, found.unknown) == ("wrong_body", True)
    check_silent(found, caplog.text)


@pytest.mark.gen_test
@pytest.mark.parametrize("wrong", WRONG_REFUNDS)
async def test_a_refund_counts_only_as_it_was_asked_for(wrong: str) -> None:
    async with paying(lambda _: reply(WRONG_REFUNDS[wrong])) as (pay, _):
        found = await failure(pay, refund)
    assert isinstance(found, RemoteDown) and (found.code, found.unknown) == ("wrong_body", True)


@pytest.mark.gen_test
async def test_what_would_lead_a_phone_elsewhere_is_no_answer() -> None:
    async with paying(lambda _: CUT) as (pay, remote):
        for wrong in ("https://canary.example/", "weixin://", "", 7, None, "weixin://wx pay"):
            remote.script = lambda _, wrong=wrong: reply({"code_url": wrong, "prepay_id": wrong and f" {wrong}"})
            for call in (native, jsapi):
                found = await failure(pay, call)
                assert isinstance(found, RemoteDown) and found.code == "wrong_body"


@pytest.mark.gen_test
async def test_a_clock_that_goes_wrong_makes_no_answer_of_a_good_one() -> None:
    clock = Clock()
    async with paying(lambda _: good("query"), now=clock) as (pay, _):
        clock.now = NOW + 600
        assert (await failure(pay, CALLS["query"][0])).code == "stale"
        clock.now = NOW
        assert await pay.query(NO)
