"""The double of services/earning/sql/backlog.sql: numbers that nothing depends on; ages are not kept here."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from services.earning.background.backlog import WAITING
from tests.support.simulation.postgres import Backend, Statement, statement
from tests.support.simulation.statements.shapes import Rows
from tests.support.simulation.tables import DeadLetterRow, Emission, InboxRow, Shard


def _open_dead_letters(backend: Backend) -> Rows:
    return sorted(Counter(row.reason for row in backend.rows(DeadLetterRow)).items())


def _waiting(backend: Backend, _lately: timedelta) -> Rows:
    found = dict.fromkeys(WAITING, 0) | {
        "events_to_publish": sum(row.position for row in backend.rows(Shard))
        - sum(row.emitted for row in backend.rows(Emission)),
        "dead_letters_to_publish": sum(row.relayed_at is None for row in backend.rows(DeadLetterRow)),
        "messages": sum(row.failed is None for row in backend.rows(InboxRow)),
        "messages_failed": sum(row.failed is not None for row in backend.rows(InboxRow)),
    }
    return [tuple(found.values())]


STATEMENTS: list[Statement] = [
    statement("open_dead_letters", "reason number", _open_dead_letters),
    statement("waiting", " ".join(WAITING), _waiting),
]
