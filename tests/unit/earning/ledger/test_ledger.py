"""The ledger: what a decision asks for is given once, and what can't be decided changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from types import coroutine
from typing import cast

import pytest

from services.earning.decide import Decision, Outcome
from services.earning.ledger.journal import Head, Journal
from services.earning.ledger.ledger import Ledger
from services.earning.ledger.memory import MemoryRows, at_once
from services.earning.state.keys import CommandState
from services.earning.state.standing import BusinessKey, KeyRow, Rows, RowsMissingError, Standing
from shared.errors import PermanentError
from shared.point_events import Balances, EventData
from shared.reasons import Reason

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ONE, OTHER = (BusinessKey("shop", "eu", "order", name) for name in ("1", "2"))
STANDING = Standing("shop", "ann", NOON, NOON, Balances())


def decision(*keys: BusinessKey, events: tuple[EventData, ...] = ()) -> Decision:
    """A decision that makes rows of keys."""
    return Decision(STANDING, {key: row(key) for key in keys}, {}, list(events), Outcome.APPLIED)


def row(key: BusinessKey) -> KeyRow:
    return KeyRow(key, "ann", CommandState(content_hash=1))


@pytest.fixture
def rows() -> MemoryRows:
    return MemoryRows(shards=1)


@pytest.fixture
def ledger(rows: MemoryRows) -> Ledger:
    return Ledger(rows, rows, Journal({0: Head(0, "")}, date(2026, 6, 1)))


def test_a_decision_is_given_the_rows_it_asks_for_and_decides_again(ledger: Ledger) -> None:
    ann, seen = ledger.member("shop", "ann"), []
    ledger.keep(ann, decision(ONE, OTHER))

    def work(given: Rows) -> Decision:
        seen.append(set(given.keys))
        if OTHER not in given.asked:
            raise RowsMissingError(keys=(OTHER,))
        if not given.all_keys:
            raise RowsMissingError(every_row=True)
        return decision()

    at_once(ledger.decide(ann, (ONE,), work))
    assert seen == [{ONE}, {ONE, OTHER}, {ONE, OTHER}]


@pytest.mark.parametrize("missing", [RowsMissingError(keys=(OTHER,)), RowsMissingError(points=1)])
def test_a_decision_that_asks_for_what_it_was_given_is_a_fault(ledger: Ledger, missing: RowsMissingError) -> None:
    def work(_: Rows) -> Decision:
        raise missing

    ann = ledger.member("shop", "ann")
    with pytest.raises(RowsMissingError):
        at_once(ledger.decide(ann, (), work))
    failed = at_once(ledger.attempt(ann, (), work))
    assert isinstance(failed, PermanentError)
    assert failed.reason == Reason.INTERNAL_ERROR


def test_what_is_decided_is_seen_by_the_next_decision_unless_it_was_not_to_be_kept(
    ledger: Ledger, rows: MemoryRows
) -> None:
    ann = ledger.member("shop", "ann")
    at_once(ledger.attempt(ann, (), lambda _: decision(ONE), keep=False))
    assert (rows.keys, rows.standings) == ({}, {})
    at_once(ledger.attempt(ann, (), lambda _: decision(ONE)))
    assert (rows.keys, rows.standings) == ({ONE: row(ONE)}, {("shop", "ann"): STANDING})


def test_where_an_event_has_no_bytes_nothing_of_its_decision_is_kept(ledger: Ledger, rows: MemoryRows) -> None:
    ann, event = ledger.member("shop", "ann"), cast("EventData", object())
    failed = at_once(ledger.attempt(ann, (), lambda _: decision(ONE, events=(event,))))
    assert isinstance(failed, PermanentError)
    assert (rows.keys, rows.standings) == ({}, {})
    assert ledger.journal is not None
    assert (ledger.journal.entries, ledger.journal.heads[0]) == ([], Head(0, ""))


@coroutine
def suspended() -> Iterator[None]:
    """What waits for somebody."""
    yield


def test_work_in_memory_may_not_wait_for_anybody() -> None:
    with pytest.raises(RuntimeError):
        at_once(suspended())
