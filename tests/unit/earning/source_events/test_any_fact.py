"""What the published schemas promise is taken, and whatever else comes is refused with a reason: never an exception."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.earning.source_events.codec import decode
from services.earning.source_events.facts import Fact
from shared.errors import PermanentError
from shared.facts.builders import Publisher
from shared.facts.fact import FACT_TYPES, FactData
from shared.facts.limits import SIZE_MAX_BYTES
from shared.reasons import Reason
from tests.unit.earning.source_events.from_schema import facts_of
from tests.unit.shared.damage import DEEP, broken_bytes, damaged

SCHEMAS = Path(__file__).parents[4] / "docs" / "reference" / "schemas" / "facts"
RECEIVED_AT = datetime(2026, 2, 1, tzinfo=UTC)
TEN_MB = 10 * 1024 * 1024
ORDER: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "shop",
    "type": "commerce.order.paid.v1",
    "subject": "m-1",
    "time": "2026-01-31T15:00:00+01:00",
    "program": "grocer",
    "data": {
        "order_id": "o-1",
        "currency": "EUR",
        "lines": [{"line_id": "1", "sku": "s", "quantity": 1, "subtotal": "12.30"}],
    },
}
BODY = json.dumps(ORDER["data"]).encode()
ATTRIBUTES = {name: value for name, value in ORDER.items() if name != "data"}
BINARY = [(f"ce_{name}", value.encode()) for name, value in ATTRIBUTES.items()]

STRUCTURED = ("content-type", b"application/cloudevents+json")

Headers = list[tuple[str, bytes | None]]

UNSAID = {"data.points", "data.exchange_rate", "data"}
"""Where codec and rules ask for more than the schemas say: that a number isn't 0, one of two fields."""

any_fact = st.sampled_from(sorted(FACT_TYPES)).flatmap(lambda kind: facts_of(SCHEMAS / f"{kind}.json"))


def read(value: bytes | None, headers: Headers) -> Fact | PermanentError:
    try:
        return decode(value, headers, received_at=RECEIVED_AT)
    except PermanentError as refused:
        return refused


def said_again(fact: Fact) -> bytes:
    assert isinstance(fact.data, FactData)
    shop = Publisher(fact.program, fact.source)
    return shop.encode(fact.data, id=fact.id, member=fact.member, time=fact.occurred_at)


@settings(max_examples=200)
@given(any_fact)
def test_what_the_schema_allows_is_taken_and_said_again_alike(said: dict[str, Any]) -> None:
    fact = read(json.dumps(said).encode(), [])
    if isinstance(fact, PermanentError):
        assert fact.field in UNSAID, fact
        return
    value = said_again(fact)
    assert said_again(decode(value, received_at=RECEIVED_AT)) == value


@settings(max_examples=300)
@given(st.one_of(damaged(any_fact), broken_bytes(any_fact.map(lambda said: json.dumps(said).encode()))))
@example(b'{"a":' * DEEP * 100)
@example(b"[" * TEN_MB)
@example(json.dumps(ORDER | {"pad": "x" * TEN_MB}).encode())
@example(b'"' + b"\\ud800" * 1_000 + b'"')
@example(json.dumps(ORDER).replace("1,", "9" * 400_000 + ",").encode())
def test_what_is_damaged_is_a_fact_all_the_same_or_has_a_reason(value: bytes) -> None:
    outcome = read(value, [])
    if isinstance(outcome, PermanentError):
        assert outcome.reason in set(Reason)
        assert outcome.message
        assert len(outcome.message) < 1_000, "a dead letter's text stays short, however long what it complains of"


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([name for name, _ in BINARY] + ["content-type", "ce_", "CE_ID", "ce_data", "trace"]),
            st.one_of(st.none(), st.binary(max_size=8), st.sampled_from([value for _, value in BINARY])),
        ),
        max_size=9,
    ),
    st.one_of(st.just(BODY), st.just(json.dumps(ORDER).encode()), broken_bytes(st.just(BODY))),
)
def test_headers_of_any_kind_give_a_fact_or_a_reason(headers: Headers, value: bytes) -> None:
    outcome = read(value, headers)
    assert isinstance(outcome, Fact) or (outcome.reason in set(Reason) and outcome.message)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in ORDER.items() if key != name}


WRONG_ENVELOPES: list[tuple[str, Any, Headers, Reason]] = [
    ("a batch", [ORDER], [("content-type", b"application/cloudevents-batch+json")], Reason.NOT_CLOUDEVENTS),
    ("of another specification", ORDER | {"specversion": "0.3"}, [], Reason.NOT_CLOUDEVENTS),
    ("whose specversion is a number", ORDER | {"specversion": 1.0}, [], Reason.NOT_CLOUDEVENTS),
    ("without specversion", without("specversion"), [], Reason.NOT_CLOUDEVENTS),
    ("without type", without("type"), [], Reason.MISSING_FIELD),
    ("of a type nobody knows", ORDER | {"type": "commerce.order.paid.v2"}, [], Reason.UNKNOWN_TYPE),
    ("whose type is no text", ORDER | {"type": ["commerce.order.paid.v1"]}, [], Reason.UNKNOWN_TYPE),
    ("without subject", without("subject"), [], Reason.MISSING_FIELD),
    ("without time", without("time"), [], Reason.MISSING_FIELD),
    ("with a time of nowhere", ORDER | {"time": "2026-01-31T15:00:00"}, [], Reason.INVALID_TIME),
    ("whose data is base64", without("data") | {"data_base64": "e30="}, [], Reason.MISSING_FIELD),
    ("whose data is text", ORDER | {"data": json.dumps(ORDER["data"])}, [], Reason.WRONG_TYPE),
    ("structured, called binary", ORDER, list(BINARY), Reason.MISSING_FIELD),
    ("binary, called structured", ORDER["data"], [STRUCTURED], Reason.NOT_CLOUDEVENTS),
    ("binary, without its id", ORDER["data"], [one for one in BINARY if one[0] != "ce_id"], Reason.MISSING_FIELD),
    ("binary, its id twice", ORDER["data"], [*BINARY, ("ce_id", b"e-2")], Reason.INVALID_HEADERS),
    ("binary, its id null", ORDER["data"], [*BINARY, ("ce_source2", None)], Reason.INVALID_HEADERS),
]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "headers", "reason"), [row[1:] for row in WRONG_ENVELOPES], ids=[row[0] for row in WRONG_ENVELOPES]
)
def test_an_envelope(said: Any, headers: Headers, reason: Reason) -> None:
    outcome = read(json.dumps(said).encode(), headers)
    assert isinstance(outcome, PermanentError)
    assert outcome.reason == reason, outcome


def test_what_lies_beyond_the_size_is_refused_before_it_is_read() -> None:
    within = json.dumps(ORDER | {"pad": "x" * (SIZE_MAX_BYTES - 1_000)}).encode()
    assert isinstance(read(within, []), Fact)
    outcome = read(within + b" " * 1_000, [])
    assert isinstance(outcome, PermanentError)
    assert outcome.reason == Reason.TOO_LARGE
