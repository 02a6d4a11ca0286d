"""Decisions of the log: events as the decisions they came from, and such a decision made again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec

from services.earning.decide import Decision, advance, decide_message, decided_at, needs, refuse
from services.earning.ledger.ledger import Ledger, deciding
from services.earning.program.registry import NONE
from services.earning.program.terms import Versions
from services.earning.source_events.facts import fact_of
from services.earning.state.standing import BusinessKey, Rows, Standing
from shared.codec import decoder_of
from shared.errors import UnreadableEventError
from shared.point_events import EventData, FactRecorded
from shared.reasons import Reason

Progress = Callable[[int, int], None]
"""Told how many events are decided again, and of how many."""


class LoggedEvent(NamedTuple):
    """An event of the log, and its bytes."""

    data: EventData
    bytes: bytes


def logged_event(shard: int, position: int, event_type: str, value: bytes) -> LoggedEvent:
    """An event of the log, read.

    Raises:
        UnreadableEventError: this code can't read it.
    """
    try:
        event: EventData = decoder_of(event_type).decode(value).data
    except (KeyError, msgspec.MsgspecError) as error:
        raise UnreadableEventError(shard, position, str(error)) from error
    return LoggedEvent(event, value)


def decisions(events: Iterable[LoggedEvent]) -> Iterator[list[LoggedEvent]]:
    """Events of a shard in their order, decision by decision: each lies there in one piece."""
    for _, group in groupby(events, decision_of):
        yield list(group)


def decision_of(event: LoggedEvent) -> tuple[str, str, int]:
    """Which decision an event belongs to: program, member, number."""
    return event.data.program, event.data.member, event.data.decision


def keys_of(events: Sequence[LoggedEvent]) -> tuple[BusinessKey, ...]:
    """The keys that the decision behind these events has read before it asked for more."""
    told = _told(events)
    return () if told is None else needs(fact_of(told)).keys


async def replay(ledger: Ledger, programs: Mapping[str, Versions], events: Sequence[LoggedEvent]) -> list[bytes]:
    """Make the decision again that gave these events, and keep it; gives the bytes that its events are now.

    Raises:
        UnreadableEventError: the events tell no fact, and there is no standing that time alone could have moved.
        PermanentError, RowsMissingError: it can't be decided any more.
    """
    first = events[0].data
    member = ledger.member(first.program, first.member)
    keys, work = _work(programs.get(first.program, NONE), member.standing, events)
    decision = await ledger.decide(member, keys, work)
    return [entry.bytes for entry in ledger.keep(member, decision)]


def _work(
    versions: Versions, standing: Standing | None, events: Sequence[LoggedEvent]
) -> tuple[tuple[BusinessKey, ...], Callable[[Rows], Decision]]:
    """The keys whose rows a decision reads, and the decision."""
    told = _told(events)
    if told is not None:
        fact = fact_of(told)
        if isinstance(told, FactRecorded) and told.reason == Reason.OWNED_BY_ANOTHER_MEMBER:
            # The row that says so may be of another shard: here the log is what knows of it.
            at = decided_at(standing, fact)
            return (), lambda rows: refuse(versions, standing, rows, fact, at, told.reason)
        return needs(fact).keys, deciding(decide_message, versions, standing, fact)
    if standing is None:
        first = events[0].data
        raise UnreadableEventError(first.shard, first.position, "a member's first event tells no fact")
    until = events[-1].data.occurred_at
    return (), lambda rows: advance(versions, standing, rows, until)


def _told(events: Sequence[LoggedEvent]) -> EventData | None:
    """The event of a decision that tells its fact; None: nothing but time caused it."""
    return next((event.data for event in events if event.data.fact is not None), None)
