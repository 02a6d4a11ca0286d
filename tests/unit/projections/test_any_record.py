"""Whatever lies on the points topic is an event of ours, foreign, or stops its partition; reading it never fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.projections.decode import decode_partition
from shared.codec import headers_of
from shared.reasons import Reason
from tests.unit.projections.records import Record
from tests.unit.shared.damage import DEEP, broken_bytes, damaged

GOLDEN = sorted((Path(__file__).parents[2] / "contract" / "golden" / "point_events").glob("*/*.json"))
EVENTS = [file.read_bytes() for file in GOLDEN]
DOCUMENTS = [json.loads(value) for value in EVENTS]
FIRST = DOCUMENTS[0]
TEN_MB = 10 * 1024 * 1024

Headers = tuple[tuple[str, bytes | None], ...]


def headers(said: dict[str, Any]) -> Headers:
    data = said["data"]
    return tuple(headers_of(data.get("shard", 0), data.get("position", 0), said["type"]))


number = st.integers(0, len(EVENTS) - 1)
values = st.one_of(
    st.none(),
    number.map(lambda at: EVENTS[at]),
    damaged(number.map(lambda at: DOCUMENTS[at])),
    broken_bytes(number.map(lambda at: EVENTS[at])),
    st.binary(max_size=20),
)
own_headers = number.map(lambda at: headers(DOCUMENTS[at]))
odd_headers = st.lists(
    st.tuples(
        st.sampled_from(["shard", "position", "type", "content-type", "who"]),
        st.one_of(st.none(), st.sampled_from([b"", b"0", b"-1", b"1_0", b"9" * 5_000, b"\xff"]), st.binary(max_size=5)),
    ),
    max_size=5,
).map(tuple)


def record(value: bytes | None, headers: Headers) -> Record:
    return Record("points", 0, 7, 1_767_225_600_000, b"shop/m-1", value, headers)


OWN = headers(FIRST)


@settings(max_examples=400)
@given(values, st.one_of(own_headers, odd_headers))
@example(b'{"data":' + b"[" * DEEP * 100, OWN)
@example(json.dumps(FIRST | {"pad": "x" * TEN_MB}).encode(), OWN)
def test_reading_it_never_fails(value: bytes | None, headers: Headers) -> None:
    decoded = decode_partition(0, [record(value, headers)])
    assert len(decoded.records) + len(decoded.foreign) == 1
    for one in decoded.records:
        assert (one.event is None) == (one.error is not None)
        assert one.error is None or one.error.cure
    for letter in decoded.foreign:
        assert letter.reason == Reason.FOREIGN_RECORD
