"""The double of services/earning/sql/dead_letters.sql: what its statements do to the simulated tables."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from tests.support.simulation.postgres import Backend, Waits, statement
from tests.support.simulation.statements.shapes import Rows
from tests.support.simulation.tables import DeadLetterRow

LETTER = "topic partition offset reason text field key value headers received_at log"


def _to_relay(backend: Backend, at_most: int) -> Rows:
    waiting = [row for row in backend.rows(DeadLetterRow) if row.relayed_at is None]
    waiting.sort(key=lambda row: row.recorded_at)
    return waiting[:at_most]


def _record_relayed(backend: Backend, *columns: Sequence[Any]) -> Waits:
    relayed = partial(DeadLetterRow._replace, relayed_at=backend.server.clock())
    return backend.update(DeadLetterRow, ((key, relayed) for key in zip(*columns, strict=True)))


STATEMENTS = [
    statement("to_relay", LETTER, _to_relay),
    statement("record_relayed", "", _record_relayed),
]
