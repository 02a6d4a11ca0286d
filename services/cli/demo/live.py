"""Live: the facts go in while the services work, and three bars show how far each stage is."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from deploy.local_stack import Endpoints
from services.cli import publishing
from services.cli.connections import kafka, postgres
from services.cli.demo.facts import FactsFile
from services.cli.fact_files import Survey, survey
from services.cli.progress import Board
from services.cli.state import Observer, State, observing
from services.earning.background import holds
from shared.errors import TallystickError
from shared.topics import Topics

LOOK_EVERY_S = 0.5
STALLED_AFTER_S = 120.0
STANDS_STILL = timedelta(hours=12)
"""The data set ends years ago: for so long its members are not swept on to the present; the sums are the year's."""


class StalledError(TallystickError):
    """Nothing moved for two minutes.

    Attributes:
        state: what was seen last.
    """

    def __init__(self, state: State, logs: Path) -> None:
        super().__init__(
            f"Nothing has moved for {STALLED_AFTER_S:.0f} s: {state.lag:,} facts wait, {state.visible:,} of "
            f"{state.journal:,} point events are visible.",
            cure=f"The services' logs in {logs} say what they wait for.",
        )
        self.state = state


@dataclass(frozen=True)
class Run:
    """What the pipeline did: seconds from the first fact published until each stage had everything."""

    facts: int
    events: int
    published_s: float
    decided_s: float
    visible_s: float
    state: State


async def publish_and_watch(at: Endpoints, file: FactsFile, board: Board, logs: Path) -> Run:
    """Publish the file as history and watch until every fact is decided and every point event is visible.

    Raises:
        StalledError: nothing moves any more.
        UnreachableError: a server went away.
    """
    found = survey(file.path, Topics(), lambda _: None)
    with kafka(at.bootstrap_servers):
        sizes = await publishing.partitions(at.bootstrap_servers, found)
        await publishing.prepare_history(at.bootstrap_servers, found, fix_retention=True)
    async with postgres(at.dsn, role="earning") as earning:
        await holds.hold(earning, sorted(found.programs), "demo", STANDS_STILL)
    async with observing(at.bootstrap_servers, at.dsn) as observer:
        return await _Watch(at, file, board, observer, logs).run(found, sizes)


class _Watch:
    def __init__(self, at: Endpoints, file: FactsFile, board: Board, observer: Observer, logs: Path) -> None:
        self._at = at
        self._file = file
        self._observer = observer
        self._logs = logs
        total = file.counts.facts
        self._published = board.bar("published", total)
        self._decided = board.bar("decided", total)
        self._visible = board.bar("visible")
        self._began = time.monotonic()
        self._published_s = 0.0

    async def run(self, found: Survey, sizes: dict[str, int]) -> Run:
        self._began = time.monotonic()
        publishing_all = asyncio.ensure_future(self._publish(sizes))
        try:
            decided_s, state = await self._until_settled(found.facts, publishing_all)
        finally:
            publishing_all.cancel()
        visible_s = time.monotonic() - self._began
        return Run(found.facts, state.journal, self._published_s, decided_s, visible_s, state)

    async def _publish(self, sizes: dict[str, int]) -> None:
        at = self._at.bootstrap_servers
        await publishing.publish(at, self._file.path, sizes, history=True, progress=self._published.to)
        self._published_s = time.monotonic() - self._began

    async def _until_settled(self, facts: int, publishing_all: asyncio.Future[None]) -> tuple[float, State]:
        decided_s, moved, before = 0.0, time.monotonic(), (-1, -1)
        while True:
            state = await self._observer.look()
            self._show(state, facts)
            if not decided_s and state.counted >= facts:
                decided_s = time.monotonic() - self._began
            if publishing_all.done():
                publishing_all.result()  # its failure is ours
                if state.settled and state.counted >= facts:
                    return decided_s, state
            if (state.counted, state.visible) != before:
                moved, before = time.monotonic(), (state.counted, state.visible)
            elif time.monotonic() - moved > STALLED_AFTER_S:
                raise StalledError(state, self._logs)
            await asyncio.sleep(LOOK_EVERY_S)

    def _show(self, state: State, facts: int) -> None:
        self._decided.to(state.counted, note=f"{max(state.published - state.counted, 0):,} wait" if state.lag else "")
        # How many point events there will be isn't known before the last fact is decided.
        total = state.journal if state.counted >= facts else None
        behind = state.journal - state.visible
        self._visible.to(state.visible, total=total, note=f"{behind:,} behind" if behind > 0 else "")
