"""Cycles are collected when their time has come, and deciding leaves none between."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from services.earning.tasks.garbage import collect_each_minute
from tests.contract.golden_log import read_log
from tests.contract.golden_log_results import replay


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Nobody collects cycles but who is asked to."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Cycle:
    """Something that holds itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.usefixtures("uncollected")
async def test_cycles_are_collected_while_a_worker_works() -> None:
    stopping, cycle = asyncio.Event(), Cycle()
    collected = asyncio.Event()
    weakref.finalize(cycle, collected.set)
    del cycle
    collecting = asyncio.create_task(collect_each_minute(stopping, every_s=0.001))
    await collected.wait()
    stopping.set()
    await collecting


@pytest.mark.usefixtures("uncollected")
def test_deciding_every_kind_of_fact_leaves_no_cycle_behind() -> None:
    replay(read_log("v1"))
    gc.collect()
    replay(read_log("v1"))
    assert gc.collect() == 0
