"""Decoding, record by record: ours, foreign, and unreadable."""

from dataclasses import replace
from pathlib import Path

import pytest

from services.projections.decode import decode_partition, received
from services.projections.events import KINDS, decode
from services.projections.models.history.fold import history_row
from services.projections.models.members.fold import fold_member
from shared.codec import headers_of
from shared.errors import PermanentError
from shared.point_events import EVENT_TYPES, PointsEarned
from tests.unit.projections.points_log import PointsLog
from tests.unit.projections.records import Record, record

GOLDEN = Path(__file__).parents[2] / "contract" / "golden" / "point_events"
OURS = record(PointsLog(shards=1).earn("m1", 50), offset=7)
EARNED = PointsEarned.TYPE


def test_a_record_of_ours_gives_its_event() -> None:
    decoded = received(OURS)
    assert (decoded.offset, decoded.position, decoded.error) == (7, 1, None)
    assert decoded.event is not None
    assert decoded.event.data.balances.available == 50


@pytest.mark.parametrize(
    "headers",
    [(), (("shard", b"0"), ("position", b"1")), (("shard", b"0"), ("position", b"one"), ("type", b"t"))],
    ids=["none", "no_type", "position_not_a_number"],
)
def test_a_record_without_our_headers_is_foreign(headers: tuple[tuple[str, bytes | None], ...]) -> None:
    with pytest.raises(PermanentError) as raised:
        received(replace(OURS, headers=headers))
    assert raised.value.reason == "foreign_record"


@pytest.mark.parametrize(
    "changed",
    [
        replace(OURS, value=None),
        replace(OURS, value=b"{"),
        replace(OURS, value=b"\xff"),
        replace(OURS, value=b'{"type": "t", "data": {}}'),
        replace(OURS, headers=tuple(headers_of(0, 2, EARNED))),
        replace(OURS, headers=tuple(headers_of(1, 1, EARNED))),
        replace(OURS, partition=3),
        replace(OURS, headers=tuple(headers_of(0, 1, "loyalty.points.redeemed.v9"))),
    ],
    ids=["no_value", "cut", "not_utf8", "other_shape", "position", "shard", "partition", "type_of_tomorrow"],
)
def test_a_record_of_ours_that_cannot_be_read_says_so(changed: Record) -> None:
    decoded = received(changed)
    assert decoded.event is None
    assert decoded.error is not None
    assert decoded.error.cure


def test_foreign_records_are_set_aside_and_take_no_position() -> None:
    foreign = replace(OURS, headers=(("who", None),), offset=8)
    decoded = decode_partition(0, [OURS, foreign])
    assert [one.position for one in decoded.records] == [1]
    (letter,) = decoded.foreign
    assert (letter.reason, letter.service, letter.offset) == ("foreign_record", "projections", 8)
    assert letter.value == OURS.value


def test_every_type_that_can_be_in_the_log_is_known() -> None:
    assert KINDS.keys() == EVENT_TYPES.keys()


@pytest.mark.parametrize("kind", sorted(folder.name for folder in GOLDEN.iterdir()))
def test_golden_events_of_every_type_are_folded(kind: str) -> None:
    files = sorted((GOLDEN / kind).iterdir())
    assert files
    for file in files:
        event = decode(file.read_bytes())
        assert history_row(event, b"").kind == KINDS[kind]
        assert fold_member(None, event).member == event.data.member
