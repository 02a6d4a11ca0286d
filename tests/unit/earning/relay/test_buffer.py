"""Fresh rows: a run without gaps, or nothing; never more than there is room for."""

from __future__ import annotations

from datetime import UTC, date, datetime

from services.earning.ledger.journal import Entry
from services.earning.relay.buffer import RelayBuffer

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def entries(*positions: int, shard: int = 0) -> list[Entry]:
    return [Entry(shard, position, date(2026, 1, 1), "shop/ann", "t", NOW, b"x" * 10) for position in positions]


def after(fresh: RelayBuffer, position: int, at_most: int = 100, shard: int = 0) -> list[int]:
    return [entry.position for entry in fresh.after(shard, position, at_most)]


def test_what_comes_right_after_is_given_in_order() -> None:
    fresh = RelayBuffer()
    fresh.add(entries(3, 4, 5))
    fresh.add(entries(6))
    assert after(fresh, 2) == [3, 4, 5, 6]
    assert after(fresh, 4) == [5, 6]
    assert after(fresh, 4, at_most=1) == [5]


def test_nothing_is_given_across_a_gap() -> None:
    fresh = RelayBuffer()
    fresh.add(entries(3, 4))
    assert after(fresh, 1) == []
    assert after(fresh, 2) == [3, 4]


def test_a_commit_heard_of_too_late_begins_a_new_run() -> None:
    fresh = RelayBuffer()
    fresh.add(entries(6, 7))
    fresh.add(entries(4, 5))
    assert after(fresh, 3) == [4, 5]
    assert after(fresh, 5) == []


def test_shards_have_nothing_to_do_with_each_other() -> None:
    fresh = RelayBuffer()
    fresh.add([*entries(1, shard=0), *entries(7, shard=1), *entries(2, shard=0)])
    assert after(fresh, 0, shard=0) == [1, 2]
    assert after(fresh, 6, shard=1) == [7]
    assert after(fresh, 0, shard=2) == []


def test_what_there_is_no_room_for_is_forgotten() -> None:
    fresh = RelayBuffer(bytes_max=25)
    fresh.add(entries(1, 2, 3))
    assert after(fresh, 0) == [1, 2, 3]
    fresh.add(entries(4))
    assert after(fresh, 0) == []
    assert after(fresh, 3) == [4]
