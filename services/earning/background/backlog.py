"""Backlog: what waits in the database, looked at now and then and told to Prometheus.

The numbers are the installation's, not the process's: each process tells the same, so take the greatest, not the sum.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge

from services.earning.tasks.retry import OnProgress
from shared.postgres import Queries, connect
from shared.waiting import wait_for_event

QUERIES = Queries(Path(__file__).parents[1] / "sql" / "backlog.sql")

LOOK_EVERY_S = 15.0
CHANGED_LATELY = timedelta(hours=1)
"""How long a log that was found changed is told of: long enough for somebody to be called."""

WAITING = {
    "events_to_publish": "Point events decided that are not known to be on the points topic.",
    "dead_letters_to_publish": "Dead letters of earning that are not on their topic yet.",
    "messages": "Messages from members to members that wait to be decided.",
    "messages_failed": "Messages that can't be decided: a fault of ours, which waits for somebody.",
    "message_age_s": "Seconds that the oldest message has waited.",
    "overdue_s": "Seconds since the first thing fell due that no sweep has written yet; an hour is usual.",
    "logs_changed": "Input partitions whose log was found changed within the last hour.",
}
"""Column of the statement `waiting` → what it is."""


class Backlog:
    """The gauges of what waits."""

    def __init__(self, dsn: str, registry: CollectorRegistry, stopping: asyncio.Event) -> None:
        self._dsn = dsn
        self._stopping = stopping
        self._letters = Gauge(
            "tallystick_earning_open_dead_letters",
            "Inputs set aside that nobody has given again or discarded, of the whole installation.",
            ["reason"],
            registry=registry,
        )
        self._waiting = {
            name: Gauge(f"tallystick_earning_waiting_{name}", text, registry=registry) for name, text in WAITING.items()
        }

    async def attempt(self, on_progress: OnProgress) -> None:
        """Look until told to stop.

        Raises:
            asyncpg.PostgresError, OSError, TimeoutError: begin again later.
        """
        session = await connect(self._dsn, role="earning", application="tallystick-earning-backlog")
        try:
            while not self._stopping.is_set():
                letters = await session.fetch(QUERIES["open_dead_letters"])
                (waiting,) = await session.fetch(QUERIES["waiting"], CHANGED_LATELY)
                self._letters.clear()
                for reason, number in letters:
                    self._letters.labels(reason).set(number)
                for name, gauge in self._waiting.items():
                    gauge.set(waiting[name])
                on_progress()
                await wait_for_event(self._stopping, LOOK_EVERY_S)
        finally:
            session.terminate()
