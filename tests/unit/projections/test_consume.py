"""Lanes end when they are broken off, whatever their clients make of it."""

import asyncio
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from services.projections.assignment import Assignment
from services.projections.consume import Lane
from services.projections.metrics import Metrics
from services.projections.settings import ProjectionsSettings


class Swallowing(Lane):
    """A lane whose session puts an error of its own in the place of a cancellation, and is waited for again."""

    turns = 0

    async def _turn(self, *_: Any) -> None:
        self.turns += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return


async def test_a_lane_ends_though_its_cancellation_was_lost() -> None:
    nobody = cast("Any", None)
    metrics = Metrics(CollectorRegistry())
    lane = Swallowing(0, "", nobody, Assignment("points", nobody), ProjectionsSettings(), metrics)
    running = asyncio.create_task(lane.run(asyncio.Event()))
    while not lane.turns:
        await asyncio.wait([running], timeout=0.001)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert lane.turns == 1
