"""Facts as earning knows them: what was published (`shared.facts`) or sent on, when it reached us, and from where."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from services.earning.source_events.messages import MESSAGE_TYPES, MessageData
from shared.facts.fact import FACT_TYPES, FactData
from shared.point_events import Cause, EventData


class Fact(msgspec.Struct, kw_only=True):
    """One input, ready to decide: who, when it happened, when it reached us, and what.

    Times are aware and in UTC; `occurred_at` is the publisher's, `received_at` the Kafka record's timestamp.
    """

    type: str
    id: str
    source: str
    program: str
    member: str
    occurred_at: datetime
    received_at: datetime
    data: FactData | MessageData
    topic: str = ""
    partition: int = -1
    offset: int = -1

    @property
    def cause(self) -> Cause:
        """Where this fact came from, as its point events tell it."""
        return Cause(self.type, self.source, self.id, self.topic, self.partition, self.offset)


class LoggedFact(msgspec.Struct, frozen=True, kw_only=True):
    """The canonical fact, as the first event of its decision carries it: enough to decide again from the log alone.

    The event says the rest: program, member, decided_at, and where the record lay (its cause).
    """

    type: str
    id: str
    source: str
    occurred_at: datetime
    received_at: datetime
    data: FactData | MessageData

    @classmethod
    def of(cls, fact: Fact) -> LoggedFact:
        """What the log keeps of a fact."""
        return cls(
            type=fact.type,
            id=fact.id,
            source=fact.source,
            occurred_at=fact.occurred_at,
            received_at=fact.received_at,
            data=fact.data,
        )


def fact_of(event: EventData) -> Fact:
    """The fact that the first event it caused carries, made whole again; for deciding the log anew.

    Raises:
        ValueError: the event carries none: it is not the first of its decision, or nothing but time caused it.
    """
    if event.fact is None:
        raise ValueError(f"event {event.sequence} of {event.member!r} carries no fact")
    kept = event.fact if isinstance(event.fact, dict) else msgspec.to_builtins(event.fact)
    return restored_fact(kept, event.program, event.member, event.cause)


def restored_fact(kept: dict[str, Any], program: str, member: str, cause: Cause | None = None) -> Fact:
    """A fact as it was kept (`LoggedFact` as plain values), made whole again.

    Raises:
        KeyError, msgspec.ValidationError: it was not kept so.
    """
    return Fact(
        type=kept["type"],
        id=kept["id"],
        source=kept["source"],
        program=program,
        member=member,
        occurred_at=msgspec.convert(kept["occurred_at"], datetime),
        received_at=msgspec.convert(kept["received_at"], datetime),
        data=msgspec.convert(kept["data"], FACT_TYPES.get(kept["type"]) or MESSAGE_TYPES[kept["type"]]),
        topic=cause.topic if cause is not None else "",
        partition=cause.partition if cause is not None else -1,
        offset=cause.offset if cause is not None else -1,
    )
