"""The last record read is looked at again where nothing comes; what is the same is nothing new."""

from services.projections.last_read import LOOK_AGAIN_S, LastRead
from tests.unit.projections.records import Record


def at(offset: int, value: bytes = b"v") -> Record:
    return Record("points", 0, offset, 0, b"k", value, ())


def test_a_silent_partition_is_looked_at_again_and_then_not_for_as_long() -> None:
    last = LastRead()
    last.take(0, [at(3), at(5)], 10.0)
    assert last.to_look_at([0, 1], 10.0 + LOOK_AGAIN_S - 1) == {}
    assert last.to_look_at([0, 1], 10.0 + LOOK_AGAIN_S) == {0: 5}
    assert last.to_look_at([0, 1], 10.0 + LOOK_AGAIN_S) == {}
    assert last.to_look_at([0, 1], 10.0 + 2 * LOOK_AGAIN_S) == {0: 5}


def test_the_same_record_is_nothing_new_and_what_follows_it_is() -> None:
    last = LastRead()
    assert last.take(0, [at(5)], 0.0) == [at(5)]
    assert last.take(0, [at(5)], 0.0) == []
    assert last.take(0, [at(5), at(6)], 0.0) == [at(6)]
    assert last.to_look_at([0], LOOK_AGAIN_S) == {0: 6}


def test_another_record_in_its_place_is_new() -> None:
    last = LastRead()
    last.take(0, [at(5)], 0.0)
    assert last.take(0, [at(5, b"other")], 0.0) == [at(5, b"other")]


def test_where_a_partition_begins_the_record_before_is_looked_at_too_and_new_whatever_it_is() -> None:
    last = LastRead()
    last.take(0, [at(5)], 0.0)
    last.begin(0, 6, 0.0)
    assert last.to_look_at([0], LOOK_AGAIN_S) == {0: 5}
    assert last.take(0, [at(5)], 0.0) == [at(5)]


def test_reading_goes_on_after_the_last_record_or_where_it_began() -> None:
    last = LastRead()
    last.begin(0, 7, 0.0)
    assert last.read_to(0) == 7
    last.take(0, [at(7), at(9)], 0.0)
    assert last.read_to(0) == 10


def test_before_a_logs_beginning_there_is_nothing_to_look_at() -> None:
    last = LastRead()
    last.begin(0, 0, 0.0)
    assert last.to_look_at([0], LOOK_AGAIN_S) == {}
