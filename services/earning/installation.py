"""The installation: its number of shards, fixed at the first start, and the format of its state; others are refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from services.earning.state.standing import FORMAT
from shared.errors import ConfigurationError
from shared.postgres import Queries

QUERIES = Queries(Path(__file__).parent / "sql" / "installation.sql")

_NO_FORMAT = 0
"""What `state_format` is while state is put into another format, and where that was cut off."""


async def install(session: asyncpg.Connection, shards: int) -> int:
    """Fix the number of shards, and make their rows; gives the number that counts.

    An installation that has one keeps it, whatever is asked for. Anybody may call it, any number of times.
    """
    async with session.transaction():
        await session.execute(QUERIES["install"], shards, FORMAT)
        await session.execute(QUERIES["make_shards"])
        await session.execute(QUERIES["make_emissions"])
        number: int = await session.fetchval(QUERIES["shards"])
    return number


async def shards_of(session: asyncpg.Connection) -> int | None:
    """The installation's number of shards; None: nothing is installed yet."""
    number: int | None = await session.fetchval(QUERIES["shards"])
    return number


async def open_for_work(session: asyncpg.Connection, partitions: Mapping[str, int]) -> int:
    """Make ready for deciding: installation, shards, the journal's months; gives the number of shards.

    `partitions` has the number of partitions of every input topic and of the points topic.

    Raises:
        ConfigurationError: a topic has another number of partitions than the installation has shards, or the state is
            of another format than this code's.
    """
    shards = await shards_of(session) or max(partitions.values())
    wrong = {topic: number for topic, number in partitions.items() if number != shards}
    if wrong:
        named = ", ".join(f"{topic} has {number}" for topic, number in sorted(wrong.items()))
        raise ConfigurationError(
            f"This installation has {shards} shards, but {named} partitions.",
            cure="Input topics and the points topic need one partition a shard: `tallystick topics create` makes them.",
        )
    await install(session, shards)
    await check_state_format(session)
    await prepare_journal(session)
    return shards


async def check_state_format(session: asyncpg.Connection) -> None:
    """See that this code can read the standings, keys and lots that are there.

    Raises:
        ConfigurationError: they are of another format; it says what to do.
    """
    stored = await state_format(session)
    _refuse_newer(stored)
    if stored == FORMAT:
        return
    unfinished = "half way to another format" if stored == _NO_FORMAT else f"of format {stored}"
    raise ConfigurationError(
        f"Earning's standings, keys and lots are {unfinished}, and this code reads format {FORMAT}.",
        cure="Stop every earning process, run `tallystick rebuild --standings`, and start them again.",
    )


@asynccontextmanager
async def exchanging_state(session: asyncpg.Connection) -> AsyncIterator[bool]:
    """While all state is put anew, in this code's format; gives whether what is there so far can be read.

    Where it can't be, nobody reads or writes it from here on until all of it is there.

    Raises:
        ConfigurationError: it is newer than this code, or of another format and processes of earning are at work in it.
    """
    stored = await state_format(session)
    _refuse_newer(stored)
    if stored == FORMAT:
        yield True
        return
    await session.execute(QUERIES["set_state_format"], _NO_FORMAT)
    if workers := await session.fetchval(QUERIES["workers"]):
        await session.execute(QUERIES["set_state_format"], stored)
        raise ConfigurationError(
            f"Earning's state is to change from format {stored} to {FORMAT}, but {workers} of its sessions are open.",
            cure="Stop every earning process first: one that knows the old format would write it among the new.",
        )
    yield False
    await session.execute(QUERIES["set_state_format"], FORMAT)


async def state_format(session: asyncpg.Connection) -> int:
    """The format of what is stored; where nothing is installed yet, the one it will have."""
    stored: int | None = await session.fetchval(QUERIES["state_format"])
    return FORMAT if stored is None else stored


def _refuse_newer(stored: int) -> None:
    if stored > FORMAT:
        raise ConfigurationError(
            f"Earning's standings, keys and lots are of format {stored}, and this code is older: it knows {FORMAT}.",
            cure="Start the version of Tallystick that has worked here, or a newer one.",
        )


async def prepare_journal(session: asyncpg.Connection) -> None:
    """Make the journal's partitions of this month and the next two; to be called at the start and once a day."""
    await session.fetchval(QUERIES["prepare_journal"])
