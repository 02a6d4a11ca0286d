"""Backoff waits longer each time, never longer than its bound, and not at all once we are to stop."""

import asyncio
import time

from shared.broker import CONSUMER_SETTINGS, Backoff


async def test_a_stop_ends_the_wait_at_once() -> None:
    stopping = asyncio.Event()
    backoff = Backoff(stopping, first_s=600, max_s=600)
    waiting = asyncio.create_task(backoff.wait())
    stopping.set()
    assert await asyncio.wait_for(waiting, timeout=90) is False


async def test_waits_grow_to_their_bound_and_start_again_after_success() -> None:
    backoff = Backoff(asyncio.Event(), first_s=0.001, max_s=0.004)
    waits = []
    for _ in range(4):
        began = time.perf_counter()
        assert await backoff.wait() is True
        waits.append(time.perf_counter() - began)
    assert all(wait >= 0.0005 for wait in waits)
    assert waits[3] >= 0.002
    backoff.reset()
    assert backoff._next_s == 0.001


def test_the_consumer_never_chooses_a_position_by_itself() -> None:
    assert CONSUMER_SETTINGS["auto_offset_reset"] == "none"
