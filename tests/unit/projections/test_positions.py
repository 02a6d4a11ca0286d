"""Go back, never forward: which records of a partition are applied."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.projections.positions import Fence, Received, follow
from shared.errors import ForkError, UnreadableEventError
from tests.unit.projections.points_log import PointsLog
from tests.unit.projections.records import all_received

LOG = PointsLog(shards=1).busy(40, members=5)
RECORDS = all_received(LOG.entries)
FIRST = Fence(0)


def positions(records: list[Received]) -> list[int]:
    return [record.position for record in records]


def unreadable(position: int) -> Received:
    return Received(position, position, b"?" * 16, None, UnreadableEventError(0, position, "not JSON"))


def test_events_in_order_are_all_applied() -> None:
    followed = follow(FIRST, RECORDS[:5])
    assert positions(followed.applied) == [1, 2, 3, 4, 5]
    assert followed.fence == Fence(0, 5, RECORDS[4].hash, 5)
    assert followed.stop is None


def test_what_is_below_the_fence_is_known() -> None:
    fence = follow(FIRST, RECORDS[:5]).fence
    followed = follow(fence, RECORDS[2:7])
    assert positions(followed.known) == [3, 4, 5]
    assert positions(followed.applied) == [6, 7]


def test_an_event_may_come_twice_in_one_batch() -> None:
    followed = follow(FIRST, [RECORDS[0], RECORDS[0], RECORDS[1]])
    assert positions(followed.applied) == [1, 2]
    assert positions(followed.known) == [1]


def test_what_comes_too_early_is_read_past_until_the_missing_one_comes() -> None:
    followed = follow(FIRST, [RECORDS[0], *RECORDS[2:5], *RECORDS[1:5]])
    assert positions(followed.applied) == [1, 2, 3, 4, 5]
    assert followed.beyond == 3


def test_a_gap_that_is_not_filled_applies_nothing_behind_it() -> None:
    followed = follow(FIRST, RECORDS[1:])
    assert followed.applied == []
    assert followed.beyond == len(RECORDS) - 1
    assert followed.fence == FIRST


def test_the_fence_remembers_where_the_log_goes_on() -> None:
    assert follow(FIRST, [RECORDS[0], *RECORDS[5:]]).fence.next_offset == 1


def test_where_nothing_is_left_undone_the_log_goes_on_after_what_was_read() -> None:
    assert follow(FIRST, RECORDS[:3], read_to=9).fence.next_offset == 9
    assert follow(follow(FIRST, RECORDS[:5]).fence, RECORDS[1:3], read_to=40).fence.next_offset == 40
    assert follow(FIRST, [RECORDS[0], RECORDS[5]], read_to=9).fence.next_offset == 1


def test_an_event_that_follows_another_history_is_a_fork() -> None:
    (other,) = all_received([PointsLog(shards=1).busy(4, members=5, seed=99).entries[3]])
    followed = follow(FIRST, [*RECORDS[:3], other])
    assert positions(followed.applied) == [1, 2, 3]
    assert isinstance(followed.stop, ForkError)
    assert (followed.stop.shard, followed.stop.position) == (0, 4)


def test_the_last_position_again_with_other_bytes_is_a_fork() -> None:
    other = msgspec.structs.replace(RECORDS[2], hash=b"x" * 16)
    followed = follow(FIRST, [*RECORDS[:3], other, *RECORDS[3:]])
    assert positions(followed.applied) == [1, 2, 3]
    assert isinstance(followed.stop, ForkError)


def test_an_unreadable_event_stops_its_partition_after_what_was_before_it() -> None:
    followed = follow(FIRST, [*RECORDS[:3], unreadable(4), *RECORDS[4:]])
    assert positions(followed.applied) == [1, 2, 3]
    assert isinstance(followed.stop, UnreadableEventError)


def test_an_unreadable_event_beyond_a_gap_does_not_matter_yet() -> None:
    followed = follow(FIRST, [RECORDS[0], unreadable(3), *RECORDS[1:4]])
    assert positions(followed.applied) == [1, 2, 3, 4]
    assert followed.stop is None


@pytest.mark.parametrize("position", [1, 3])
def test_an_unreadable_record_at_a_known_position_stops_its_partition(position: int) -> None:
    followed = follow(FIRST, [*RECORDS[:3], unreadable(position)])
    assert followed.stop is not None


RUNS = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 20), st.integers(0, 3)), max_size=6)


@given(RUNS, st.lists(st.integers(1, 15), max_size=8))
def test_whatever_the_relay_repeats_each_event_is_applied_once_and_in_order(
    runs: list[tuple[int, int, int]], sizes: list[int]
) -> None:
    # A relay that dies goes on from somewhere at or before where it was: the log is runs that overlap, or leave gaps
    # that a later run fills.
    log: list[Received] = []
    done = 0
    for back, length, lost in runs:
        begin = max(0, done - back)
        done = max(done, min(begin + length, len(RECORDS)))
        log += [*RECORDS[begin:done], *RECORDS[done + lost : done + lost + 2]]
    log += RECORDS[max(0, done - 1) :]
    applied: list[Received] = []
    fence = FIRST
    for size in [*sizes, len(log)]:
        followed = follow(fence, log[:size])
        assert followed.stop is None
        fence, log = followed.fence, log[size:]
        applied += followed.applied
    assert applied == RECORDS
