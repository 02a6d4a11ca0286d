"""Looking: the checks of a world, each in a process of its own, so that they hold up neither proxies nor shop."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from services.earning.replay.rederive import rederive
from services.projections.rebuild import rebuild
from services.verify.checker import Checker, verify
from services.verify.findings import Report
from shared.postgres import TRANSIENT_ERRORS
from shared.topics import Topics

TRIES = 3

Installation = tuple[str, str, Topics]
"""Kafka's address, the database, the topics."""

_OWN: dict[str, Any] = {}
"""The checker of a checking process, and the loop that it lives in."""


class Looker:
    """The independent checker, kept going: each look takes what has come since the one before."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._process = _processes(1)

    async def look(self) -> None:
        """Take a snapshot; the shop may go on as soon as this ends."""
        await self._do(_look, self._installation)

    async def compare(self) -> Report:
        """Compare what the snapshot holds and no one before did."""
        report: Report = await self._do(_compare)
        return report

    def stop(self) -> None:
        """End the process."""
        self._process.shutdown(wait=False, cancel_futures=True)

    async def _do(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._process, work, *arguments)


async def look_at_everything(installation: Installation, *, derive: bool) -> list[str]:
    """Check all of it afresh, rebuild the read models (I5), and perhaps derive the standings again (I10).

    A look that a busy machine's time limits cut off is tried again.
    """
    loop = asyncio.get_running_loop()
    processes = _processes(2)

    async def result(look: Callable[[Installation], list[str]]) -> list[str]:
        failed = ""
        for _ in range(TRIES):
            try:
                return await loop.run_in_executor(processes, look, installation)
            except TRANSIENT_ERRORS as error:
                failed = f"{look.__name__.strip('_')}: not possible: {error!r}"
        return [failed]

    try:
        found = [*await asyncio.gather(result(_verified), result(_rebuilt))]
        if derive:
            found = [*found, await result(_rederived)]
        return [said for one in found for said in one]
    finally:
        processes.shutdown(wait=False, cancel_futures=True)


def findings_of(report: Report) -> list[str]:
    """The findings in words."""
    return [f"{found.invariant} {found.where}: {found.what}" for found in report.findings]


def _processes(number: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(number, mp_context=multiprocessing.get_context("spawn"))


def _look(installation: Installation) -> None:
    if not _OWN:
        _OWN["loop"] = asyncio.new_event_loop()
        _OWN["checker"] = Checker(*installation)
    _OWN["loop"].run_until_complete(_OWN["checker"].look())


def _compare() -> Report:
    report: Report = _OWN["loop"].run_until_complete(_OWN["checker"].compare())
    return report


def _verified(installation: Installation) -> list[str]:
    return findings_of(asyncio.run(verify(*installation)))


def _rebuilt(installation: Installation) -> list[str]:
    bootstrap_servers, dsn, topics = installation
    rebuilt = asyncio.run(rebuild(dsn, bootstrap_servers, topics, check_only=True, processes=1))
    return [] if rebuilt.identical else [f"I5: rebuilt tables differ: {rebuilt.differences[:3]}"]


def _rederived(installation: Installation) -> list[str]:
    derived = asyncio.run(rederive(installation[1], check=True))
    if not derived.different:
        return []
    return [f"I10: decided again, {derived.different} things differ: {derived.differences[:3]}"]
