"""Holding: while history is published, the sweeps of its programs wait; see `services.earning.background.holds`."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

import asyncpg

from services.cli.connections import postgres
from services.earning.background import holds
from services.earning.background.watermark import ends_of
from shared.broker import reading


@asynccontextmanager
async def sweeps_held(
    dsn: str, bootstrap_servers: str, programs: Sequence[str], sizes: Mapping[str, int]
) -> AsyncIterator[None]:
    """Hold the programs' sweeps inside the block, and after it until all of these topics that is there is decided.

    Where the block fails, the hold ends with its term.

    Raises:
        UnreachableError, ConfigurationError: Postgres can't be used.
        KafkaError: Kafka doesn't say where the topics end.
    """
    holder = uuid.uuid4().hex
    async with postgres(dsn, role="earning") as session:
        await holds.hold(session, programs, holder)
        renewing = asyncio.ensure_future(_renew(session, programs, holder))
        try:
            yield
        finally:
            renewing.cancel()
            with suppress(asyncio.CancelledError):
                await renewing
        async with reading(bootstrap_servers) as consumer:
            ends = await ends_of(consumer, sizes)
        await holds.hold_to_the_end(session, programs, holder, ends)


async def _renew(session: asyncpg.Connection, programs: Sequence[str], holder: str) -> None:
    while True:
        await asyncio.sleep(holds.TERM.total_seconds() / 4)
        await holds.hold(session, programs, holder)
