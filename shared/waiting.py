"""Waiting for something that may not come: an event, or the end of a time."""

from __future__ import annotations

import asyncio


async def wait_for_event(event: asyncio.Event, seconds: float) -> bool:
    """Wait until an event happens, at most so long; gives whether it has."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


def is_asked_to_stop() -> bool:
    """Whether somebody has cancelled the task that asks; another error may have taken the cancellation's place."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
