"""Whatever bytes a record holds, reading it ends in a fact or in a reason, never in another error."""

import json
from datetime import UTC, datetime

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.earning.source_events.codec import decode
from services.earning.source_events.facts import Fact
from shared.errors import PermanentError
from shared.reasons import Reason

RECEIVED_AT = datetime(2026, 2, 1, tzinfo=UTC)
ORDER = json.dumps(
    {
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
            "lines": [{"line_id": "1", "sku": "\u00e9\U0001f600", "quantity": 12, "subtotal": "12.30"}],
        },
    }
).encode()
PIECES = [
    b"\x00",
    b"\xff",
    b"\\u0000",
    b"\\ud800",
    b"\\",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"0",
    b"-",
    b"e9",
    b".",
]
HEADER_NAMES = ["content-type", "ce_specversion", "ce_type", "ce_id", "ce_", "ce_\x00", "trace"]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """An order with up to five places cut, doubled or overwritten."""
    value = ORDER
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(value)))
        end = start + draw(st.integers(0, 8))
        piece = draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=4), st.just(value[start:end] * 2)))
        value = value[:start] + piece + value[end:]
    return value


headers = st.lists(
    st.tuples(st.sampled_from(HEADER_NAMES), st.one_of(st.none(), st.binary(max_size=6), st.just(b"1.0"))), max_size=4
)


@settings(max_examples=1_000, deadline=None)
@given(st.one_of(damaged(), st.binary(max_size=60)), st.one_of(st.just([]), headers))
@example(ORDER.replace(b"12,", b"9" * 5000 + b","), [])
@example(ORDER.replace(b'"12.30"', b"1e999999"), [])
@example(ORDER.replace(b"2026-", b"99999999999999999999-"), [])
@example(b'{"specversion":"1.0","type":[]}', [])
@example(b'{"specversion":"1.0","type":"commerce.order.paid.v1"}', [])
def test_every_record_is_a_fact_or_has_a_reason(value: bytes, headers: list[tuple[str, bytes | None]]) -> None:
    outcome = read(value, headers)
    assert isinstance(outcome, Fact) or (outcome.reason in set(Reason) and outcome.message)


def read(value: bytes, headers: list[tuple[str, bytes | None]]) -> Fact | PermanentError:
    try:
        return decode(value, headers, received_at=RECEIVED_AT)
    except PermanentError as refused:
        return refused
