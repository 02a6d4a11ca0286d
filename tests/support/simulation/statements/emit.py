"""The double of services/earning/sql/emit.sql: what its statements do to the simulated tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from tests.support.simulation.postgres import Backend, Waits, statement
from tests.support.simulation.tables import (
    DeadLetterRow,
    Emission,
    JournalRow,
    Lease,
)

Rows = list[tuple[Any, ...]]

LEASE_TERMS_AHEAD = 10
LETTER = "topic partition offset reason text field key value headers received_at log"


def _lease(backend: Backend, kind: str, owner: str, shards: Sequence[int], term: timedelta) -> Waits:
    mine: Rows = []
    now = backend.server.clock()
    for shard in sorted(shards):
        wanted = Lease(kind, shard, owner, now + term)
        if (yield from backend.insert(wanted, unless_there=True)):
            mine.append((shard,))
            continue
        held = backend.get(Lease, (kind, shard))
        ahead = now + LEASE_TERMS_AHEAD * term
        if held is None or held.owner == owner or held.until < now or held.until > ahead:
            backend.put(wanted)
            mine.append((shard,))
    return mine


def _release(backend: Backend, owner: str) -> Waits:
    for row in [row for row in backend.rows(Lease) if row.owner == owner]:
        held = yield from backend.lock(Lease, (row.kind, row.shard))
        if held is not None and held.owner == owner:
            backend.delete(Lease, (row.kind, row.shard))


def _emitted(backend: Backend, shards: Sequence[int]) -> Rows:
    return [row for row in backend.rows(Emission) if row.shard in shards]


def _to_emit(backend: Backend, shards: Sequence[int], after: Sequence[int], at_most: int) -> Rows:
    found: Rows = []
    for shard, position in zip(shards, after, strict=True):
        # Positions are looked up one after the other: a hole would end it, where the real statement steps over it.
        rows = sorted(row for row in backend.rows(JournalRow) if row.shard == shard and row.position > position)
        found += rows[:at_most]
    return found


def _record_emitted(backend: Backend, shards: Sequence[int], emitted: Sequence[int]) -> Waits:
    return backend.update(
        Emission,
        (((shard,), partial(_at_least, position=position)) for shard, position in zip(shards, emitted, strict=True)),
    )


def _at_least(row: Emission, position: int) -> Emission:
    return row._replace(emitted=max(row.emitted, position))


def _record_lost(backend: Backend, shards: Sequence[int], emitted: Sequence[int]) -> Waits:
    return backend.update(
        Emission,
        (((shard,), partial(_at_most, position=position)) for shard, position in zip(shards, emitted, strict=True)),
    )


def _at_most(row: Emission, position: int) -> Emission:
    return row._replace(emitted=min(row.emitted, position))


def _record_look(backend: Backend, shards: Sequence[int], *columns: Sequence[int]) -> Waits:
    looks = {(shard,): values for shard, *values in zip(shards, *columns, strict=True)}
    return backend.update(Emission, ((key, partial(_looked_at, *values)) for key, values in looks.items()))


def _looked_at(whole_to_before: int, looked_to_before: int, whole_to: int, looked_to: int, row: Emission) -> Emission:
    if (row.whole_to, row.looked_to) != (whole_to_before, looked_to_before):
        return row
    return row._replace(whole_to=whole_to, looked_to=looked_to)


def _dead_letters_to_relay(backend: Backend, at_most: int) -> Rows:
    waiting = [row for row in backend.rows(DeadLetterRow) if row.relayed_at is None]
    waiting.sort(key=lambda row: row.recorded_at)
    return waiting[:at_most]


def _record_relayed(backend: Backend, *columns: Sequence[Any]) -> Waits:
    relayed = partial(DeadLetterRow._replace, relayed_at=backend.server.clock())
    return backend.update(DeadLetterRow, ((key, relayed) for key in zip(*columns, strict=True)))


STATEMENTS = [
    statement("lease", "shard", _lease),
    statement("release", "", _release),
    statement("emitted", "shard emitted whole_to looked_to", _emitted),
    statement("to_emit", "shard position month key type decided_at bytes", _to_emit),
    statement("record_emitted", "", _record_emitted),
    statement("record_lost", "", _record_lost),
    statement("record_look", "", _record_look),
    statement("dead_letters_to_relay", LETTER, _dead_letters_to_relay),
    statement("record_relayed", "", _record_relayed),
]
