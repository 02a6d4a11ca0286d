"""Cases of the contract with Postgres: what the services rely on of locks, visibility and timeouts.

Each runs on the double (tests/unit/simulation) and on the real server (tests/integration/simulation).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from services.earning import installation
from services.earning.ledger import journal
from services.earning.ledger.fences import QUERIES as FENCES
from services.earning.ledger.journal import QUERIES as JOURNAL
from services.earning.ledger.journal import Entry
from services.earning.ledger.transaction import QUERIES as SHARDS
from services.earning.tasks.leases import QUERIES as LEASES
from shared.postgres import SESSIONS, TRANSIENT_ERRORS
from tests.eventually import let_pass
from tests.support.simulation.servers import PARTITIONS, Case, Door, taking

Work = Callable[[Any], Awaitable[Any]]

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
MONTH = date(2026, 1, 1)
TERM = timedelta(seconds=0.4)
MOMENT_S = 0.15
LONG_S = 0.6


class GaveUpError(Exception):
    """A transaction ends without a commit."""


async def opened(door: Door, **settings: str) -> Any:
    """A session of earning in an installation of two shards, with fences for one topic."""
    session = await door.session("earning", **settings)
    await installation.install(session, PARTITIONS)
    await session.execute(FENCES["new_fences"], ["orders", "orders"], [0, 1], [0, 5])
    return session


async def in_transaction(session: Any, *works: Work) -> Any:
    """Do work after work in one transaction; gives what the last says."""
    said = None
    async with session.transaction():
        for work in works:
            said = await work(session)
    return said


async def waiting(work: Awaitable[Any]) -> asyncio.Future[Any]:
    """Begin work that has to wait for somebody, and see that it does."""
    task = asyncio.ensure_future(work)
    await let_pass(MOMENT_S)
    assert not task.done()
    return task


async def heads(session: Any) -> list[tuple[Any, ...]]:
    """Lock both shards."""
    return [tuple(row)[:3] for row in await session.fetch(SHARDS["lock_shards"], [1, 0])]


async def fences(session: Any) -> list[tuple[Any, ...]]:
    """Lock the fences."""
    return [tuple(row)[:3] for row in await session.fetch(FENCES["lock_fences"], ["orders"] * 2, [1, 0])]


async def one_head(session: Any) -> list[tuple[Any, ...]]:
    """Lock the second shard."""
    return [tuple(row)[:3] for row in await session.fetch(SHARDS["lock_shards"], [1])]


async def move_shard(session: Any) -> None:
    """Move the first shard to position 7."""
    await session.execute(SHARDS["update_shards"], [0], [7], ["chain"])


async def write_first(session: Any) -> None:
    """Write the first row of the journal."""
    await journal.write(session, [entry(1)])


def entry(position: int) -> Entry:
    """A row of the journal."""
    return Entry(0, position, MONTH, "shop/ann", "loyalty.points.earned.v1", AT, b"{}")


async def positions(session: Any) -> list[int]:
    """What the journal has."""
    return [row["position"] for row in await session.fetch(JOURNAL["after"], [0], [0], 10)]


async def a_shard_locked_after_a_wait_is_as_its_last_owner_left_it(door: Door) -> None:
    first, second = await opened(door), await opened(door)
    async with first.transaction():
        assert await heads(first) == [(0, 0, ""), (1, 0, "")]
        late = await waiting(in_transaction(second, heads))
        await move_shard(first)
    assert await late == [(0, 7, "chain"), (1, 0, "")]


async def a_shard_whose_owner_gave_up_is_as_it_was(door: Door) -> None:
    first, second = await opened(door), await opened(door)
    with suppress(GaveUpError):
        async with first.transaction():
            await heads(first)
            await move_shard(first)
            late = await waiting(in_transaction(second, heads))
            raise GaveUpError
    assert await late == [(0, 0, ""), (1, 0, "")]


async def who_reads_without_a_lock_neither_waits_nor_sees_what_is_not_committed(door: Door) -> None:
    first, second = await opened(door), await opened(door)
    async with first.transaction():
        await write_first(first)
        assert await positions(first) == [1]
        assert await positions(second) == []
    assert await positions(second) == [1]


async def a_transaction_sees_what_was_committed_since_it_began(door: Door) -> None:
    first, second = await opened(door), await opened(door)
    async with second.transaction():
        assert await positions(second) == []
        await write_first(first)
        assert await positions(second) == [1]


async def the_same_position_twice_is_refused_once_the_first_has_committed(door: Door) -> None:
    first, second = await opened(door), await opened(door)
    async with first.transaction():
        await write_first(first)
        late = await waiting(in_transaction(second, write_first))
    with pytest.raises(asyncpg.UniqueViolationError):
        await late
    assert await positions(second) == [1]


async def the_same_position_is_free_where_the_first_has_given_up(door: Door) -> None:
    first, second = await opened(door), await opened(door)
    with suppress(GaveUpError):
        async with first.transaction():
            await write_first(first)
            late = await waiting(in_transaction(second, write_first))
            raise GaveUpError
    await late
    assert await positions(first) == [1]


async def fail(session: Any) -> None:
    """Be refused."""
    with pytest.raises(asyncpg.UniqueViolationError):
        await write_first(session)


async def after_an_error_a_transaction_takes_nothing_more_and_leaves_nothing(door: Door) -> None:
    session = await opened(door)
    await write_first(session)
    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        await in_transaction(session, move_shard, fail, positions)
    assert await heads(session) == [(0, 0, ""), (1, 0, "")]


async def a_lock_is_waited_for_only_so_long(door: Door) -> None:
    first, second = await opened(door), await opened(door, lock_timeout="300")
    async with first.transaction():
        await heads(first)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await in_transaction(second, heads)
        assert not second.is_closed()
    assert await in_transaction(second, heads) == [(0, 0, ""), (1, 0, "")]


async def who_stands_still_in_a_transaction_loses_it_and_its_locks(door: Door) -> None:
    first, second = await opened(door, idle_in_transaction_session_timeout="300"), await opened(door)

    async def somebody_else(_: Any) -> None:
        assert await in_transaction(second, heads) == [(0, 0, ""), (1, 0, "")]

    with pytest.raises(TRANSIENT_ERRORS):
        await in_transaction(first, heads, move_shard, somebody_else, move_shard)
    assert await heads(second) == [(0, 0, ""), (1, 0, "")]


async def stand_still(_: Any) -> None:
    """Do nothing for longer than the timeouts here."""
    await let_pass(LONG_S)


async def a_transaction_that_takes_too_long_is_ended(door: Door) -> None:
    session = await opened(door, transaction_timeout="300")
    with pytest.raises(TRANSIENT_ERRORS):
        await in_transaction(session, move_shard, stand_still, heads)
    assert await heads(await opened(door)) == [(0, 0, ""), (1, 0, "")]


async def two_who_wait_for_each_other_are_told_apart(door: Door) -> None:
    first, second = await opened(door), await opened(door)
    async with first.transaction():
        await one_head(first)
        late = asyncio.ensure_future(in_transaction(second, fences, heads))
        await let_pass(MOMENT_S)
        told = [await end_of(fences(first)), await end_of(late)]
    assert sum(isinstance(one, asyncpg.DeadlockDetectedError) for one in told) == 1


async def end_of(work: Awaitable[Any]) -> Any:
    """What it says, or that it was chosen to give way."""
    try:
        return await work
    except asyncpg.DeadlockDetectedError as error:
        return error


async def a_session_that_is_dropped_loses_its_transaction(door: Door) -> None:
    first, second = await opened(door), await opened(door)
    transaction = first.transaction()
    await transaction.__aenter__()
    await heads(first)
    await move_shard(first)
    first.terminate()
    assert first.is_closed()
    assert await in_transaction(second, heads) == [(0, 0, ""), (1, 0, "")]
    with pytest.raises(asyncpg.InterfaceError):
        await heads(first)


async def a_lease_is_kept_by_who_has_it_until_it_is_over_or_given_back(door: Door) -> None:
    session = await opened(door)

    async def lease(owner: str) -> list[int]:
        return [row["shard"] for row in await session.fetch(LEASES["lease"], "emit", owner, [0, 1], TERM)]

    assert await lease("ann") == [0, 1]
    assert await lease("bob") == []
    assert await lease("ann") == [0, 1]
    await let_pass(LONG_S)
    assert await lease("bob") == [0, 1]
    await session.execute(LEASES["release"], "bob")
    assert await lease("ann") == [0, 1]


async def who_stands_in_a_transaction_but_in_no_copy_is_not_ended_as_overdue(door: Door) -> None:
    first, second = await opened(door), await opened(door)
    async with first.transaction():
        await heads(first)
        assert await second.fetchval(SESSIONS["end_overdue"], "", 0.0) == 0
        await move_shard(first)
    assert await heads(second) == [(0, 7, "chain"), (1, 0, "")]


LOCKS: tuple[Case, ...] = taking(globals(), door="Door")
