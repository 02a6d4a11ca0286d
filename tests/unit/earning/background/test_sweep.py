"""The sweeper takes as many members a transaction as it has time for."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import asyncpg
import pytest

from services.earning.background import holds, sweep
from services.earning.replay.recover import Recovery
from services.earning.settings import EarningSettings
from services.earning.tasks.leases import Leases
from shared.settings import Connections

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
IN_TIME = 100
"""So many members can be swept before the server ends the session."""


class OneShard:
    """Leases of a single shard."""

    mine = frozenset({0})
    due = False

    async def renew(self, _session: object) -> None:
        """Nothing to renew."""


async def test_after_each_failure_it_tries_half_as_many_and_then_more_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    left = 250

    async def nobody(*_: Any) -> list[str]:
        return []

    async def swept(*arguments: Any) -> sweep.Swept:
        nonlocal left
        at_most = arguments[-1]
        tried.append(at_most)
        if at_most > IN_TIME:
            raise asyncpg.IdleInTransactionSessionTimeoutError
        taken = min(left, at_most)
        left -= taken
        return sweep.Swept(taken, [])

    monkeypatch.setattr(sweep, "sweep", swept)
    monkeypatch.setattr(sweep, "mark_versions", nobody)
    monkeypatch.setattr(holds, "held", nobody)
    connections = Connections(kafka_bootstrap_servers="nowhere", postgres_dsn="nowhere")
    recovery = cast("Recovery", None)  # begun before any round
    sweeper = sweep.Sweeper(connections, (), 1, EarningSettings(), lambda *_: None, recovery, asyncio.Event())
    for _ in range(10):  # its loop begins anew after each failure
        try:
            await sweeper._round(cast("asyncpg.Connection", None), cast("Leases", OneShard()), NOON)
        except asyncpg.IdleInTransactionSessionTimeoutError:
            continue
        break
    assert left == 0
    assert tried[:4] == [500, 250, 125, 62]
    assert tried[4] == 124  # each success doubles
