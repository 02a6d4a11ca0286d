"""Two workers of each service give the tables of one, also while one is paused, replaced, and wakes up late."""

from __future__ import annotations

import os
import signal

from tests.e2e.pipeline import Pipeline, Tables
from tests.e2e.runs import SMALL_BATCHES
from tests.e2e.test_kills import same_as_undisturbed

SERVICES = ("earning", "projections")


async def test_two_workers_are_as_good_as_one(pipeline: Pipeline, undisturbed: Tables) -> None:
    async def start_two(pipeline: Pipeline, _inputs: int) -> None:
        for number in (1, 2):
            for service in SERVICES:
                pipeline.start(service, SMALL_BATCHES, number=number)

    await same_as_undisturbed(pipeline, undisturbed, start_two)


async def test_a_paused_worker_that_wakes_up_late_changes_nothing(pipeline: Pipeline, undisturbed: Tables) -> None:
    async def pause_and_replace(pipeline: Pipeline, inputs: int) -> None:
        paused = [pipeline.start(service, SMALL_BATCHES) for service in SERVICES]
        await pipeline.visible(inputs // 8)
        for process in paused:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGSTOP)
        for service in SERVICES:
            pipeline.start(service, SMALL_BATCHES, number=2)
        # Its replacements have all of its partitions once everything is through; only then does it go on.
        await pipeline.settled(inputs)
        for process in paused:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGCONT)
        for process in paused:
            process.await_ready()

    await same_as_undisturbed(pipeline, undisturbed, pause_and_replace)
