"""Dead letters: inputs that could not be decoded or decided, kept as they came, with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import asyncpg
import msgspec

from services.earning.ledger.batch import Headers, Input, Span
from shared.dead_letters import DeadLetter
from shared.errors import PermanentError
from shared.reasons import Reason

SERVICE = "earning"

COLUMNS = ("topic", "partition", "offset", "reason", "text", "field", "key", "value", "headers", "received_at")

_headers: msgspec.msgpack.Decoder[Headers] = msgspec.msgpack.Decoder(Headers)


def internal_error(error: BaseException) -> PermanentError:
    """A fault of ours, as the reason of a dead letter."""
    return PermanentError(Reason.INTERNAL_ERROR, f"{type(error).__name__}: {error}")


async def write(session: asyncpg.Connection, spans: Iterable[Span]) -> None:
    """Put those of the inputs that have an error into the table, in the transaction that moves the fences past them."""
    rows = [(*_row(one, one.error), span.log) for span in spans for one in span.inputs if one.error is not None]
    if rows:
        columns = (*COLUMNS, "log")
        await session.copy_records_to_table("dead_letters", schema_name="earning", columns=columns, records=rows)


def _row(one: Input, error: PermanentError) -> tuple[Any, ...]:
    letter = DeadLetter.of(error, service=SERVICE, record=one, received_at=one.received_at)
    return (
        letter.topic,
        letter.partition,
        letter.offset,
        letter.reason,
        letter.text,
        letter.field,
        letter.key,
        letter.value,
        msgspec.msgpack.encode(letter.headers),
        letter.received_at,
    )


def read(row: Iterable[Any]) -> DeadLetter:
    """A row of the table, with the columns of `COLUMNS`, as the dead letter it is."""
    topic, partition, offset, reason, text, field, key, value, headers, received_at = row
    return DeadLetter(
        reason=reason,
        text=text,
        field=field,
        service=SERVICE,
        topic=topic,
        partition=partition,
        offset=offset,
        received_at=received_at,
        key=key,
        value=value,
        headers=_headers.decode(headers),
    )
