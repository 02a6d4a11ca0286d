"""Point events keep their bytes, their headers say their place, and foreign records are told from broken ones."""

import json
from datetime import UTC, datetime

import pytest
from msgspec import UNSET, ValidationError
from msgspec.structs import replace

from shared.codec import chain_of, decoder_of, encode_data, envelope, headers_of, place_of
from shared.errors import PermanentError
from shared.point_events import COMMON, EVENT_TYPES, Balances, Cause, FactRecorded
from shared.reasons import Reason

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
RECORDED = FactRecorded(
    program="grocer",
    member="m-1",
    shard=3,
    position=7,
    chain="00" * 16,
    sequence=2,
    decision=2,
    occurred_at=NOON,
    decided_at=NOON,
    cause=Cause("commerce.order.paid.v1", "shop", "e-1", "commerce.orders", 3, 99),
    balances=Balances(available=5, earned=5),
    reason=Reason.TEST_ORDER,
    fact={"order_id": "o-1", "placed_at": NOON},
)
VALUE = encode_data(RECORDED)
HEADERS = headers_of(3, 7, FactRecorded.TYPE)


def test_an_event_is_read_back_and_written_again_as_the_same_bytes() -> None:
    event = decoder_of(FactRecorded.TYPE).decode(VALUE)
    assert encode_data(event.data) == VALUE
    assert event.data.fact == {"order_id": "o-1", "placed_at": "2026-01-31T12:00:00Z"}


@pytest.mark.parametrize("lost", COMMON)
def test_an_event_without_a_field_that_all_have_is_neither_read_nor_written(lost: str) -> None:
    whole = json.loads(VALUE)
    value = json.dumps(whole | {"data": {name: said for name, said in whole["data"].items() if name != lost}}).encode()
    with pytest.raises(ValidationError, match=f"has no {lost}"):
        decoder_of(FactRecorded.TYPE).decode(value)
    with pytest.raises(ValueError, match=f"has no {lost}"):
        encode_data(replace(RECORDED, **{lost: UNSET}))


def test_the_envelope_says_who_and_when() -> None:
    event = envelope(RECORDED)
    assert (event.id, event.partitionkey, event.subject, event.time) == ("grocer/m-1/2", "grocer/m-1", "m-1", NOON)


def test_headers_say_the_place_without_decoding() -> None:
    assert place_of(HEADERS) == (3, 7, "loyalty.fact.recorded.v1")


def test_the_chain_is_the_hash_of_the_bytes() -> None:
    assert chain_of(b"tally") == "8f43d0d1121c8fbeacd24c93fc790380"
    assert chain_of(VALUE) != chain_of(VALUE + b" ")


@pytest.mark.parametrize("lost", ["shard", "position", "type"])
def test_a_record_without_our_headers_is_foreign(lost: str) -> None:
    with pytest.raises(PermanentError) as refused:
        place_of([header for header in HEADERS if header[0] != lost])
    assert refused.value.reason == Reason.FOREIGN_RECORD


@pytest.mark.parametrize("broken", [("shard", None), ("position", b"first"), ("type", b"\xff"), ("type", None)])
def test_a_record_with_unreadable_headers_is_foreign(broken: tuple[str, bytes | None]) -> None:
    with pytest.raises(PermanentError) as refused:
        place_of([*HEADERS, broken])
    assert refused.value.reason == Reason.FOREIGN_RECORD


def test_every_type_begins_with_loyalty_and_ends_with_its_version() -> None:
    assert all(name.startswith("loyalty.") and name.endswith(".v1") for name in EVENT_TYPES)
