"""Aligning inputs: what may be decided of what was read, while some of it lags."""

from __future__ import annotations

from typing import NamedTuple

from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from services.earning.intake.alignment import PATIENCE_S, Alignment

ORDERS, COMMANDS, OTHER = TopicPartition("orders", 0), TopicPartition("commands", 0), TopicPartition("orders", 1)


class Record(NamedTuple):
    offset: int
    timestamp: int


def records(*timestamps: int, begin: int = 0) -> list[Record]:
    return [Record(begin + at, timestamp) for at, timestamp in enumerate(timestamps)]


def fetched(alignment: Alignment, partition: TopicPartition, *timestamps: int, begin: int = 0) -> None:
    alignment.add(partition, records(*timestamps, begin=begin), begin + len(timestamps), None)


def taken(alignment: Alignment, now_s: float = 0.0) -> dict[TopicPartition, tuple[list[int], int]]:
    return {one: ([r.timestamp for r in run.records], run.end) for one, run in alignment.take(now_s).items()}


def test_what_does_not_lag_is_decided_as_it_comes() -> None:
    alignment = Alignment({ORDERS: 0, COMMANDS: 0}, {ORDERS: 0, COMMANDS: 0})
    fetched(alignment, COMMANDS, 50, 70)
    assert taken(alignment) == {COMMANDS: ([50, 70], 2)}
    assert taken(alignment) == {}


def test_nothing_is_decided_before_what_lags_beside_it_is_known() -> None:
    alignment = Alignment({ORDERS: 0, COMMANDS: 0}, {ORDERS: 4, COMMANDS: 2})
    fetched(alignment, COMMANDS, 50, 70)
    assert taken(alignment) == {}
    assert alignment.wanted(2) == ([ORDERS], 1)
    fetched(alignment, ORDERS, 10, 60)
    assert taken(alignment) == {ORDERS: ([10, 60], 2), COMMANDS: ([50], 1)}
    fetched(alignment, ORDERS, 65, 90, begin=2)
    assert taken(alignment) == {ORDERS: ([65, 90], 4), COMMANDS: ([70], 2)}


def test_partitions_of_another_number_wait_for_nobody_here() -> None:
    alignment = Alignment({ORDERS: 0, COMMANDS: 0, OTHER: 0}, {ORDERS: 4, COMMANDS: 2, OTHER: 9})
    fetched(alignment, COMMANDS, 50)
    fetched(alignment, OTHER, 99)
    assert taken(alignment) == {OTHER: ([99], 1)}


def test_a_partition_that_gives_nothing_holds_the_others_back_for_a_while_only() -> None:
    alignment = Alignment({ORDERS: 0, COMMANDS: 0}, {ORDERS: 4, COMMANDS: 1})
    fetched(alignment, COMMANDS, 50)
    assert taken(alignment, 100.0) == {}
    assert taken(alignment, 99.0 + PATIENCE_S) == {}
    assert taken(alignment, 100.0 + PATIENCE_S) == {COMMANDS: ([50], 1)}


def test_a_timestamp_of_a_distant_future_holds_up_neither_its_own_partition_nor_others() -> None:
    alignment = Alignment({ORDERS: 0, COMMANDS: 0}, {ORDERS: 4, COMMANDS: 3})
    fetched(alignment, ORDERS, 10, 9_999_999, 20)
    fetched(alignment, COMMANDS, 15, 30)
    assert taken(alignment) == {ORDERS: ([10], 1), COMMANDS: ([15, 30], 2)}
    fetched(alignment, COMMANDS, 40, begin=2)
    assert taken(alignment) == {ORDERS: ([9_999_999, 20], 3), COMMANDS: ([40], 3)}


def test_with_its_hands_full_it_asks_only_for_what_the_others_wait_for() -> None:
    alignment = Alignment({ORDERS: 0, COMMANDS: 0, OTHER: 0}, {ORDERS: 4, COMMANDS: 2, OTHER: 0})
    assert alignment.wanted(8) == ([ORDERS, COMMANDS, OTHER], 8)
    fetched(alignment, COMMANDS, 50, 70)
    assert alignment.wanted(8) == ([ORDERS, OTHER], 6)
    assert alignment.wanted(2) == ([ORDERS], 1)


@given(
    logs=st.lists(st.lists(st.integers(0, 50), max_size=30), min_size=2, max_size=3),
    sizes=st.lists(st.integers(1, 7), min_size=1),
    records_max=st.integers(1, 12),
)
def test_all_is_decided_once_in_its_partitions_order_and_sorted_logs_are_merged(
    logs: list[list[int]], sizes: list[int], records_max: int
) -> None:
    """However fetches fall: sorted logs come out as one sorted log, batch for batch."""
    logs = [sorted(log) for log in logs]
    partitions = [TopicPartition(f"topic-{at}", 0) for at in range(len(logs))]
    whole = dict(zip(partitions, logs, strict=True))
    read = dict.fromkeys(partitions, 0)
    alignment = Alignment(read, {one: len(log) for one, log in whole.items()})
    decided: dict[TopicPartition, list[int]] = {one: [] for one in partitions}
    batches: list[list[int]] = []
    for turn in range(sum(map(len, logs)) * 3 + 3):
        wanted, at_most = alignment.wanted(records_max)
        size = min(at_most, sizes[turn % len(sizes)])
        one = next((each for each in wanted if read[each] < len(whole[each])), None)
        if one is not None:
            more = whole[one][read[one] : read[one] + size]
            fetched(alignment, one, *more, begin=read[one])
            read[one] += len(more)
        batch = taken(alignment)
        for partition, (timestamps, end) in batch.items():
            decided[partition] += timestamps
            assert end == len(decided[partition])
        batches.append(sorted(stamp for timestamps, _ in batch.values() for stamp in timestamps))
    assert decided == whole
    flat = [stamp for batch in batches for stamp in batch]
    assert flat == sorted(flat)
