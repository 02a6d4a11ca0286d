"""The codec in: one Kafka record to a fact as earning knows it, or to a dead letter with its reason and field."""

from __future__ import annotations

from datetime import datetime

from services.earning.source_events.facts import Fact
from shared.codec import Headers
from shared.errors import PermanentError
from shared.facts import codec
from shared.reasons import Reason


def decode(
    value: bytes | None,
    headers: Headers = (),
    *,
    key: bytes | None = b"",
    received_at: datetime,
    topic: str = "",
    partition: int = -1,
    offset: int = -1,
) -> Fact:
    """The fact in a record, all times in UTC and all money proved readable; structured or binary mode.

    `received_at` is the record's timestamp, aware; topic, partition and offset say where it lies.

    Raises:
        PermanentError: what is wrong, with a reason of its own for each kind of fault, and the field's path.
    """
    if value is None:
        raise PermanentError(Reason.NULL_VALUE, "the record has no value")
    if key is None:
        raise PermanentError(Reason.NULL_KEY, "the record has no key")
    event, data = codec.decode(value, headers)
    return Fact(
        type=data.TYPE,
        id=event.id,
        source=event.source,
        program=event.program,
        member=event.subject,
        occurred_at=event.time,
        received_at=received_at,
        data=data,
        topic=topic,
        partition=partition,
        offset=offset,
    )
