"""Dead letters: inputs that could not be decoded or decided, kept as they came, with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import asyncpg

from services.earning.batch import Input, Span
from shared.dead_letters import COLUMNS, DeadLetter
from shared.errors import PermanentError
from shared.reasons import Reason

SERVICE = "earning"


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
    return DeadLetter.of(error, service=SERVICE, record=one, received_at=one.received_at).to_row()


def read(row: Iterable[Any]) -> DeadLetter:
    """A row of the table, with the columns of `COLUMNS`, as the dead letter it is."""
    return DeadLetter.from_row(row, service=SERVICE)
