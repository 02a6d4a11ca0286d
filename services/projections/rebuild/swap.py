"""The swap: views over the new tables, in one transaction that no reader has to queue behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from services.projections import generations
from services.projections.models import Model
from shared.broker import Backoff
from shared.errors import TransientError

PATIENCE_S = 60.0


async def swap(
    session: asyncpg.Connection,
    models: Sequence[Model],
    live_and_new: tuple[int, int],
    catch_up_locked: Callable[[], Awaitable[None]],
) -> None:
    """Show the new generation, and tell whoever waits for the old fences that it has a successor.

    The views are locked for an instant. Where a reader holds them longer than 50 ms we step back and try again, for a
    lock that waits makes every later reader wait behind it.

    Raises:
        TransientError: somebody read without a pause for a minute; says who.
    """
    live, generation = live_and_new

    async def attempt() -> None:
        async with session.transaction():
            await catch_up_locked()
            await session.execute(generations.QUERIES["wait_briefly"])
            await generations.show(session, generation, models)
            await session.execute(generations.QUERIES["set_current"], generation)
            await session.execute(generations.QUERIES.filled("retire", generation=live), generation)

    await _insist(session, attempt)


async def drop(session: asyncpg.Connection, generation: int) -> None:
    """Drop tables that no view shows, once nobody reads them any more.

    Raises:
        TransientError: somebody read without a pause for a minute; says who.
    """

    async def attempt() -> None:
        async with session.transaction():
            await session.execute(generations.QUERIES["wait_briefly"])
            await generations.drop(session, generation)

    await _insist(session, attempt)


async def _insist(session: asyncpg.Connection, attempt: Callable[[], Awaitable[None]]) -> None:
    backoff = Backoff(asyncio.Event(), first_s=0.05, max_s=1.0)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await _succeeds(attempt):
                await backoff.wait()
    except TimeoutError:
        readers = ", ".join(
            f"{row['usename']} (pid {row['pid']}, {row['application_name'] or 'unnamed'})"
            for row in await session.fetch(generations.QUERIES["readers"])
        )
        raise TransientError(
            f"The views are read without a pause, so they can't be swapped; by {readers or 'nobody now'}.",
            cure="Run the rebuild again when long queries are over.",
        ) from None


async def _succeeds(attempt: Callable[[], Awaitable[None]]) -> bool:
    try:
        await attempt()
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
        return False
    return True
