"""The fold of history: each point event is one row, and no row depends on another."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec

from services.projections.events import KINDS, Event


class HistoryRow(NamedTuple):
    """A row of history, in the order of its columns; points, and instants in UTC.

    `rules` is JSON: each rule that gave or took points, with its points; None where none did.
    """

    partition: int
    position: int
    program: str
    member: str
    sequence: int
    kind: str
    occurred_at: datetime
    booked_at: datetime
    change: int
    balance: int
    pending: int
    deficit: int
    net: int
    source: str
    key_kind: str | None
    key_id: str | None
    reason: str | None
    rules: str | None
    card: str | None
    tier: str | None
    program_version: int
    hash: bytes


HISTORY_COLUMNS = HistoryRow._fields

_encode = msgspec.json.Encoder().encode


def history_row(event: Event, digest: bytes) -> HistoryRow:
    """The row of an event of a known type; `digest` is the hash of its bytes.

    Raises:
        KeyError: the type is not in `KINDS`.
    """
    data = event.data
    key, balances, moved = data.key, data.balances, data.postings
    return HistoryRow(
        data.shard,
        data.position,
        data.program,
        data.member,
        data.sequence,
        KINDS[event.type],
        data.occurred_at,
        data.decided_at,
        moved.available,
        balances.available,
        balances.pending,
        balances.deficit,
        moved.available + moved.pending + moved.deficit,
        data.cause.source if key is None else key.source,
        None if key is None else key.kind,
        None if key is None else key.id,
        data.reason,
        _encode(data.rules).decode() if data.rules else None,
        data.card,
        data.after,
        data.program_version,
        digest,
    )
