"""The double of services/earning/sql/leases.sql: what its statements do to the simulated tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from tests.support.simulation.postgres import Backend, Waits, statement
from tests.support.simulation.statements.shapes import Rows
from tests.support.simulation.tables import Lease

LEASE_TERMS_AHEAD = 10


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


STATEMENTS = [
    statement("lease", "shard", _lease),
    statement("release", "", _release),
]
