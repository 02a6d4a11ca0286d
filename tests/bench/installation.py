"""Where the services are measured: processes of their own, watched from outside through the tables they write."""

from __future__ import annotations

import asyncio
import re
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import asyncpg

from deploy.local_stack.processes import tail
from services.cli.supervise import ServiceProcess
from tests.bench.orders import PROGRAM
from tests.support.builders.programs import document

DOCUMENT = document(
    """
rules:
  - {id: base, rate: 1, except: {categories: [FUEL]}}
  - {id: fresh, rate: 0.5, only: {categories: [PRODUCE]}}
  - {id: big-basket, points: 25, minimum: 100}
tiers:
  measure: points_earned
  window: calendar_year
  levels:
    - {id: bronze}
    - {id: silver, threshold: 500, multiplier: 1.25}
    - {id: gold, threshold: 2000, multiplier: 1.5}
""",
    program=PROGRAM,
)
"""Real rules: what most merchants have, a category rule, a minimum, tiers with multipliers."""

POLL_S = 0.02
STUCK_S = 120.0

_ROOM = re.compile(r'tallystick_room_(seconds|records)_total\{room="(\w+)"\} (\S+)')


class Measured(NamedTuple):
    """A service's run: records a second of all workers, peak memory of one in MB, µs a record for each of its rooms."""

    rate: float
    memory_mb: float
    rooms: Mapping[str, float]


async def measure(processes: Sequence[ServiceProcess], session: asyncpg.Connection, query: str, whole: int) -> Measured:
    """Watch workers of a service that were just started until `query` gives `whole`.

    The clock runs from the first records visible to the last, so starting and joining a group are not in it.
    """
    first = await reached(processes, session, query, 1)
    began = time.perf_counter()
    await reached(processes, session, query, whole)
    rate = (whole - first) / (time.perf_counter() - began)
    return Measured(rate, max(map(_peak_mb, processes)), _rooms(processes[0]))


async def reached(processes: Sequence[ServiceProcess], session: asyncpg.Connection, query: str, at_least: int) -> int:
    """Wait until `query` gives as much; gives what it gave.

    Raises:
        RuntimeError: the process has ended, or it takes longer than two minutes.
    """
    deadline = time.monotonic() + STUCK_S
    while (done := await session.fetchval(query)) < at_least:
        if time.monotonic() > deadline or any(process.pid is None for process in processes):
            said = "\n".join(tail(process.log_file) for process in processes)
            raise RuntimeError(f"{processes[0].name} came to {done} of {at_least}:\n{said}")
        await asyncio.sleep(POLL_S)
    return int(done)


def _peak_mb(process: ServiceProcess) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text("ascii")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(peak[1]) / 1024 if peak else 0.0


def _rooms(process: ServiceProcess) -> dict[str, float]:
    """µs a record in each room, by the service's own metrics. Waiting inside a room counts as time in it."""
    with urllib.request.urlopen(f"{process.address}/metrics", timeout=5) as answer:  # noqa: S310 - our own process
        text = answer.read().decode()
    sums: dict[str, dict[str, float]] = {}
    for what, room, value in _ROOM.findall(text):
        sums.setdefault(room, {})[what] = float(value)
    return {
        room: 1e6 * both["seconds"] / both["records"]
        for room, both in sums.items()
        if both.get("records") and both.get("seconds")
    }
