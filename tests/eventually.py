"""Waiting for a condition instead of for a time: the one place of the tests that pauses."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

PAUSE_SECONDS = 0.02
PATIENCE_SECONDS = 90.0
"""Far longer than anything takes: other work may be using the machine, and who waits in vain has found a fault."""


async def eventually(
    condition: Callable[[], bool | Awaitable[bool]], *, what: str, seconds: float = PATIENCE_SECONDS
) -> None:
    """Ask `condition` again and again until it holds.

    Raises:
        AssertionError: it does not hold within `seconds`; the message says what was waited for.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if await answer if inspect.isawaitable(answer) else answer:
            return
        if time.monotonic() > deadline:
            msg = f"waited {seconds:.0f} s in vain until {what}"
            raise AssertionError(msg)
        await asyncio.sleep(PAUSE_SECONDS)


async def let_pass(seconds: float) -> None:
    """Let a time pass that is itself the point: a paced load, a delay on a wire, a process that stands still."""
    await asyncio.sleep(seconds)
