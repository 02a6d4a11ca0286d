"""Each kind of bad input has a reason of its own, and names the field at fault."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.earning.source_events.codec import decode
from services.earning.source_events.facts import Fact
from shared.errors import PermanentError
from shared.reasons import MEANINGS, Reason

RECEIVED_AT = datetime(2026, 2, 1, tzinfo=UTC)
LINE: dict[str, Any] = {"line_id": "1", "sku": "tea", "quantity": 1, "subtotal": "12.30"}
ORDER: dict[str, Any] = {"order_id": "o-1", "currency": "EUR", "lines": [LINE]}
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "shop",
    "type": "commerce.order.paid.v1",
    "subject": "m-1",
    "time": "2026-01-31T15:00:00+01:00",
    "program": "grocer",
    "data": ORDER,
}
HEADERS: list[tuple[str, bytes | None]] = [(f"ce_{k}", v.encode()) for k, v in EVENT.items() if k != "data"]
DATA = json.dumps(ORDER).encode()


def event(**changes: object) -> bytes:
    return json.dumps(EVENT | changes).encode()


def order(**changes: object) -> bytes:
    return event(data=ORDER | changes)


def line(**changes: object) -> bytes:
    return order(lines=[LINE | changes])


def without(field: str) -> bytes:
    return json.dumps({name: value for name, value in EVENT.items() if name != field}).encode()


def nested(levels: int) -> list[Any]:
    innermost: list[Any] = []
    for _ in range(levels - 1):
        innermost = [innermost]
    return innermost


def refusal(value: bytes | None, headers: Any = (), key: bytes | None = b"k") -> PermanentError:
    with pytest.raises(PermanentError) as refused:
        decode(value, headers, key=key, received_at=RECEIVED_AT)
    return refused.value


def read(value: bytes, headers: Any = ()) -> Fact:
    return decode(value, headers, received_at=RECEIVED_AT)


BAD_VALUES: list[tuple[bytes | None, Reason, str]] = [
    (None, Reason.NULL_VALUE, ""),
    (b" " * (2**20 + 1), Reason.TOO_LARGE, ""),
    (b"", Reason.NOT_JSON, ""),
    (b"order 5", Reason.NOT_JSON, ""),
    (event() + b"}", Reason.NOT_JSON, ""),
    (event(x=float("nan")), Reason.NOT_JSON, ""),
    (b'"text"', Reason.NOT_CLOUDEVENTS, "specversion"),
    (b"[" + event() + b"]", Reason.NOT_CLOUDEVENTS, "specversion"),
    (DATA, Reason.NOT_CLOUDEVENTS, "specversion"),
    (event(specversion="0.3"), Reason.NOT_CLOUDEVENTS, "specversion"),
    (event(type="commerce.order.paid.v2"), Reason.UNKNOWN_TYPE, "type"),
    (event(type=5), Reason.UNKNOWN_TYPE, "type"),
    (without("type"), Reason.MISSING_FIELD, "type"),
    (without("id"), Reason.MISSING_FIELD, "id"),
    (without("program"), Reason.MISSING_FIELD, "program"),
    (without("data"), Reason.MISSING_FIELD, "data"),
    (event(data=None), Reason.WRONG_TYPE, "data"),
    (event(data={}), Reason.MISSING_FIELD, "data.order_id"),
    (event(id=""), Reason.OUT_OF_RANGE, "id"),
    (event(id=7), Reason.WRONG_TYPE, "id"),
    (event(id=None), Reason.WRONG_TYPE, "id"),
    (event(subject="x" * 201), Reason.OUT_OF_RANGE, "subject"),
    (event(subject="a/b"), Reason.OUT_OF_RANGE, "subject"),
    (event(program="a/b"), Reason.OUT_OF_RANGE, "program"),
    (event(subject="a\r\n"), Reason.INVALID_TEXT, "subject"),
    (event(program="\x85"), Reason.INVALID_TEXT, "program"),
    (event(time="2026-01-31T15:00:00"), Reason.INVALID_TIME, "time"),
    (event(time="yesterday"), Reason.INVALID_TIME, "time"),
    (event(time="58000-01-01T00:00:00Z"), Reason.INVALID_TIME, "time"),
    (event(time="0001-01-01T00:00:00+14:00"), Reason.INVALID_TIME, "time"),
    (event(time=1767225600), Reason.WRONG_TYPE, "time"),
    (order(currency="XXX"), Reason.UNKNOWN_CURRENCY, "data.currency"),
    (order(currency="eur"), Reason.UNKNOWN_CURRENCY, "data.currency"),
    (order(discount=1.5), Reason.MONEY_NOT_TEXT, "data.discount"),
    (line(subtotal=12), Reason.MONEY_NOT_TEXT, "data.lines[0].subtotal"),
    (line(subtotal=True), Reason.WRONG_TYPE, "data.lines[0].subtotal"),
    (line(tax="-0.50"), Reason.INVALID_MONEY, "data.lines[0].tax"),
    (line(subtotal="12,30"), Reason.INVALID_MONEY, "data.lines[0].subtotal"),
    (line(subtotal="1e2"), Reason.INVALID_MONEY, "data.lines[0].subtotal"),
    (line(subtotal=""), Reason.INVALID_MONEY, "data.lines[0].subtotal"),
    (line(discount="0.1234567"), Reason.EXCESS_PRECISION, "data.lines[0].discount"),
    (order(exchange_rate="0.00"), Reason.OUT_OF_RANGE, "data.exchange_rate"),
    (order(exchange_rate=0.92), Reason.MONEY_NOT_TEXT, "data.exchange_rate"),
    (order(lines={"1": LINE}), Reason.WRONG_TYPE, "data.lines"),
    (order(lines=[LINE, LINE]), Reason.DUPLICATE_LINE, "data.lines"),
    (order(lines=[LINE] * 1001), Reason.TOO_MANY_LINES, "data.lines"),
    (line(quantity="1"), Reason.WRONG_TYPE, "data.lines[0].quantity"),
    (line(quantity=1.0), Reason.WRONG_TYPE, "data.lines[0].quantity"),
    (line(quantity=-1), Reason.OUT_OF_RANGE, "data.lines[0].quantity"),
    (line(quantity=10**30), Reason.OUT_OF_RANGE, "data.lines[0].quantity"),
    (line(categories=["x"] * 101), Reason.OUT_OF_RANGE, "data.lines[0].categories"),
    (order(revision=2**53), Reason.OUT_OF_RANGE, "data.revision"),
    (order(placed_at="2026-01-31"), Reason.INVALID_TIME, "data.placed_at"),
    (event(x="\x00"), Reason.INVALID_TEXT, ""),
    (event(x="\ud800"), Reason.INVALID_TEXT, ""),
    (event().replace(b"tea", b"\xff"), Reason.INVALID_TEXT, ""),
    (event(x=nested(20)), Reason.TOO_DEEP, ""),
    (b"[" * 100_000, Reason.TOO_DEEP, ""),
]


@pytest.mark.parametrize(("value", "reason", "field"), BAD_VALUES, ids=lambda part: str(part)[:40])
def test_a_bad_value_has_its_reason_and_field(value: bytes | None, reason: Reason, field: str) -> None:
    refused = refusal(value)
    assert (refused.reason, refused.field) == (reason, field)
    assert refused.message


BAD_HEADERS: list[tuple[list[tuple[str, bytes | None]], Reason, str]] = [
    ([("ce_id", None)], Reason.INVALID_HEADERS, "ce_id"),
    ([("ce_id", b"\xff")], Reason.INVALID_HEADERS, "ce_id"),
    ([("ce_traceparent", None), *HEADERS], Reason.INVALID_HEADERS, "ce_traceparent"),
    ([*HEADERS, ("ce_id", b"e-2")], Reason.INVALID_HEADERS, "ce_id"),
    ([("content-type", None)], Reason.INVALID_HEADERS, "content-type"),
    ([("ce_id", b"\x00")], Reason.INVALID_TEXT, "ce_id"),
    ([("ce_id", b"e-1")], Reason.NOT_CLOUDEVENTS, "specversion"),
    ([h for h in HEADERS if h[0] != "ce_type"], Reason.MISSING_FIELD, "type"),
    ([h for h in HEADERS if h[0] != "ce_subject"], Reason.MISSING_FIELD, "subject"),
    ([("ce_type", b"x"), *(h for h in HEADERS if h[0] != "ce_type")], Reason.UNKNOWN_TYPE, "type"),
    ([("ce_time", b"x"), *(h for h in HEADERS if h[0] != "ce_time")], Reason.INVALID_TIME, "time"),
]


@pytest.mark.parametrize(("headers", "reason", "field"), BAD_HEADERS, ids=lambda part: str(part)[:40])
def test_bad_headers_have_their_reason_and_name(headers: Any, reason: Reason, field: str) -> None:
    refused = refusal(DATA, headers)
    assert (refused.reason, refused.field) == (reason, field)


def test_a_null_key_is_refused() -> None:
    assert refusal(event(), key=None).reason == Reason.NULL_KEY


def test_broken_json_in_binary_mode_is_not_json() -> None:
    assert refusal(b"{", HEADERS).reason == Reason.NOT_JSON


def test_both_modes_say_the_same() -> None:
    structured = read(event(), [("content-type", b"application/cloudevents+json; charset=UTF-8")])
    assert read(DATA, [*HEADERS, ("content-type", b"application/json")]) == structured
    assert read(event()) == structured


def test_headers_of_others_are_nobodys_business() -> None:
    assert read(event(), [("trace", None), ("blob", b"\xff\x00")]) == read(event())
    assert read(DATA, [*HEADERS, ("trace", None)]) == read(event())


def test_times_come_out_in_utc() -> None:
    fact = read(order(placed_at="2026-01-31T15:00:00+01:00"))
    assert fact.occurred_at == datetime(2026, 1, 31, 14, tzinfo=UTC)
    assert fact.occurred_at.tzinfo is UTC
    assert fact.data.placed_at.tzinfo is UTC  # type: ignore[union-attr]


def test_unknown_fields_are_left_out() -> None:
    assert read(event(colour="red", data=ORDER | {"email": "a@b.example"})) == read(event())


@pytest.mark.parametrize("text", ["é", "\U0001f600", "\\u0000", "\\ud800", '"[[[', "\\"])
def test_clean_text_of_every_kind_is_taken(text: str) -> None:
    fact = read(event(source=text))
    assert fact.source == text
    assert read(json.dumps(EVENT | {"source": text}, ensure_ascii=False).encode()) == fact


@pytest.mark.parametrize("brackets_in_text", ["", "]" * 30, '"\\' + "[" * 30])
def test_twenty_levels_are_taken_and_one_more_is_refused(brackets_in_text: str) -> None:
    lines = [LINE | {"line_id": str(n), "sku": "x" + brackets_in_text, "categories": ["a"]} for n in range(30)]
    assert read(event(data=ORDER | {"lines": lines}, x=nested(19))).id == "e-1"
    assert refusal(event(data=ORDER | {"lines": lines}, x=nested(20))).reason == Reason.TOO_DEEP


def test_the_limits_themselves_are_within() -> None:
    lines = [LINE | {"line_id": str(n)} for n in range(1000)]
    assert len(read(order(lines=lines, order_id="é" * 200)).data.lines) == 1000  # type: ignore[union-attr]
    padded = order(order_id="o-2")
    assert read(padded + b" " * (2**20 - len(padded))).id == "e-1"


def test_every_reason_is_explained_to_people() -> None:
    assert set(MEANINGS) == set(Reason)
