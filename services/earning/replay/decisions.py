"""Again: events of the log as the decisions they came from, and what is to be done to make such a decision again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec

from services.earning.decide import Decision, advance, decide_message, needs, refuse
from services.earning.ledger.load import LoadedMember
from services.earning.program.terms import Versions
from services.earning.source_events.facts import fact_of
from services.earning.state.standing import BusinessKey, Rows
from shared.codec import decoder_of
from shared.errors import UnreadableEventError
from shared.point_events import EventData, FactRecorded
from shared.reasons import Reason


class LoggedEvent(NamedTuple):
    """An event of the log, and its bytes."""

    data: EventData
    bytes: bytes


class Replay(NamedTuple):
    """A decision to be made again: the keys whose rows it reads, and the pure work, which may ask for further rows."""

    keys: tuple[BusinessKey, ...]
    decide: Callable[[Rows], Decision]


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


def replay_of(versions: Versions, wallet: LoadedMember, events: Sequence[LoggedEvent]) -> Replay:
    """The decision that gave these events, to be made again on what its member's wallet holds.

    Raises:
        UnreadableEventError: the events tell no fact, and there is no standing that time alone could have moved.
    """
    standing, told = wallet.standing, _told(events)
    if told is None:
        if standing is None:
            first = events[0].data
            raise UnreadableEventError(first.shard, first.position, "a member's first event tells no fact")
        until = events[-1].data.occurred_at
        return Replay((), lambda rows: advance(versions, standing, rows, until))
    fact = fact_of(told)
    decided_at = fact.received_at if standing is None else max(standing.decided_at, fact.received_at)
    if isinstance(told, FactRecorded) and told.reason == Reason.OWNED_BY_ANOTHER_MEMBER:
        # The row that says so may be of another shard: here the log is what knows of it.
        return Replay((), lambda rows: refuse(versions, standing, rows, fact, decided_at, told.reason))
    return Replay(needs(fact).keys, lambda rows: decide_message(versions, standing, rows, fact, decided_at))


def _told(events: Sequence[LoggedEvent]) -> EventData | None:
    """The event of a decision that tells its fact; None: nothing but time caused it."""
    return next((event.data for event in events if event.data.fact is not None), None)
