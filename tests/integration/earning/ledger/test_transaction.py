"""The transaction of the ledger: what its block has decided is there when it ends, or nothing is."""

from __future__ import annotations

from datetime import datetime

import pytest

from services.earning.decide import Decision, Outcome
from services.earning.ledger.transaction import heads, heads_locked, transaction
from services.earning.state.keys import CommandState
from services.earning.state.standing import BusinessKey, KeyRow, Standing
from shared.errors import ConfigurationError
from shared.point_events import Balances, Cause, MemberClosed
from tests.integration.earning.earning_rig import BEGAN, PROGRAM, SHARDS, Counter, shard

KEY = BusinessKey(PROGRAM, "shop-eu", "order", "made by hand")


def closed(at: datetime) -> Decision:
    """A decision with a standing, a row and an event."""
    event = MemberClosed(
        cause=Cause("test", "test", ""),
        program=PROGRAM,
        member="ann",
        sequence=1,
        decision=1,
        occurred_at=at,
        decided_at=at,
        balances=Balances(),
    )
    standing = Standing(PROGRAM, "ann", at, at, Balances(), sequence=1, decision=1)
    row = KeyRow(KEY, "ann", CommandState(content_hash=1))
    return Decision(standing, {KEY: row}, {}, [event], Outcome.APPLIED)


async def stored(counter: Counter) -> tuple[int, int, int, int]:
    """How many journal rows, standings and keys there are, and where the member's shard is."""
    tables = ("journal", "standings", "keys")
    numbers = [await counter.session.fetchval(f"SELECT count(*) FROM earning.{table}") for table in tables]  # noqa: S608 (our own names)
    return (*numbers, (await heads(counter.session))[shard("ann")].position)


async def decide_and_fail(counter: Counter) -> None:
    async with transaction(counter.session, SHARDS, [shard("ann")]) as ledger:
        ledger.keep(ledger.member(PROGRAM, "ann"), closed(BEGAN))
        await ledger.save()
        raise ZeroDivisionError


async def test_what_is_decided_is_saved_and_the_head_moved_at_the_end_of_the_block(counter: Counter) -> None:
    async with transaction(counter.session, SHARDS, [shard("ann")]) as ledger:
        ledger.keep(ledger.member(PROGRAM, "ann"), closed(BEGAN))
    assert await stored(counter) == (1, 1, 1, 1)


async def test_who_saves_within_the_block_saves_once(counter: Counter) -> None:
    async with transaction(counter.session, SHARDS, [shard("ann")]) as ledger:
        ledger.keep(ledger.member(PROGRAM, "ann"), closed(BEGAN))
        await ledger.save()
        await ledger.save()
    assert await stored(counter) == (1, 1, 1, 1)


async def test_a_block_that_fails_leaves_nothing(counter: Counter) -> None:
    with pytest.raises(ZeroDivisionError):
        await decide_and_fail(counter)
    assert await stored(counter) == (0, 0, 0, 0)


async def test_a_shard_without_a_row_can_not_be_locked(counter: Counter) -> None:
    with pytest.raises(ConfigurationError):
        async with heads_locked(counter.session, [0, SHARDS]):
            pass
