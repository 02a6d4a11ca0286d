"""Cases of the contract with Postgres: what each statement of the services does to rows, and answers.

Each runs on the double (tests/unit/simulation) and on the real server (tests/integration/simulation). Statements that
select, insert and update rows alone have no case here: generated rows compare them (`cases_generated`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from services.earning.background.backlog import CHANGED_LATELY
from services.earning.background.backlog import QUERIES as BACKLOG
from services.earning.background.holds import QUERIES as HOLDS
from services.earning.installation import check_state_format, install, state_format
from services.earning.ledger import journal
from services.earning.ledger.dead_letters import QUERIES as LETTERS
from services.earning.ledger.fences import QUERIES as FENCES
from services.earning.ledger.journal import QUERIES as JOURNAL
from services.earning.state.standing import FORMAT
from services.projections import store
from services.projections.models import members
from services.projections.positions import Fence
from shared.dead_letters import COLUMNS as LETTER_COLUMNS
from tests.support.simulation.cases_postgres import entry, opened
from tests.support.simulation.servers import PARTITIONS, Case, Door, taking

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def tuples(rows: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Rows as plain tuples."""
    return [tuple(row) for row in rows]


async def an_installation_knows_the_format_of_its_state(door: Door) -> None:
    session = await opened(door)
    assert await state_format(session) == FORMAT
    await install(session, PARTITIONS)
    await check_state_format(session)


async def a_fence_that_moved_just_now_is_not_idle(door: Door) -> None:
    session = await opened(door)

    async def idle(after: timedelta) -> list[bool]:
        return [row["idle"] for row in await session.fetch(FENCES["received_at_last"], ["orders"], after)]

    assert (await idle(DAY), await idle(-DAY)) == ([False, False], [True, True])
    await session.execute(HOLDS["clear_holds"])
    assert await session.fetch(HOLDS["held"]) == []


async def the_journal_is_read_in_order_of_position_from_any_position_on(door: Door) -> None:
    session = await opened(door)
    await journal.write(session, [entry(position) for position in (2, 1, 3)])
    rows = await session.fetch(JOURNAL["after"], [0, 1], [1, 0], 10)
    assert [tuple(row) for row in rows] == [tuple(entry(2)), tuple(entry(3))]
    assert [row["position"] for row in await session.fetch(JOURNAL["after"], [0], [0], 2)] == [1, 2]
    assert tuples(await session.fetch(JOURNAL["bytes_at"], [0, 0], [3, 4])) == [(0, b"{}")]
    assert [row["position"] for row in await session.fetch(JOURNAL["after_in_shard"], 0, 1, 10)] == [2, 3]


async def dead_letters_wait_until_they_are_relayed(door: Door) -> None:
    session = await opened(door)
    values = [("orders", 0, offset, "why", "text", "", None, b"v", b"\x90", AT, 0) for offset in (1, 2)]
    columns = (*LETTER_COLUMNS, "log")
    await session.copy_records_to_table("dead_letters", schema_name="earning", columns=columns, records=values)
    await session.execute(LETTERS["record_relayed"], ["orders"], [0], [1], [0])
    assert tuples(await session.fetch(LETTERS["to_relay"], 10)) == [values[1]]
    assert tuples(await session.fetch(BACKLOG["open_dead_letters"])) == [("why", 2)]
    assert tuples(await session.fetch(BACKLOG["waiting"], CHANGED_LATELY)) == [(0, 1, 0, 0, 0, 0, 0)]


async def projection(door: Door) -> Any:
    """A session of projections with two partitions."""
    session = await door.session("projector")
    await store.settle_partitions(session, PARTITIONS)
    await store.prepare_session(session, await store.current_generation(session))
    return session


def member(sequence: int, **said: Any) -> list[Any]:
    """A member's row, in the order of its columns."""
    known = {"partition": 0, "program": "shop", "member": "ann", "sequence": sequence, "booked_at": AT}
    return [{**known, **said}.get(name, None if name.startswith(("t", "q")) else 0) for name in members.MODEL.columns]


async def a_member_keeps_of_their_tier_what_a_batch_leaves_unsaid(door: Door) -> None:
    session = await projection(door)
    told = {"tier": "gold", "tier_since": AT, "tier_until": AT, "qualifying": Decimal(5), "to_next": Decimal(7)}
    names = ("sequence", "available", "tier", "tier_since", "tier_until", "qualifying", "to_next")
    none = {"transferred_in": 0, "transferred_out": 0}
    for row in (
        member(1, **told, **none),
        member(2, available=9, **none),
        member(3, tier="base", qualifying=Decimal(1), **none),
    ):
        async with session.transaction():
            await session.copy_records_to_table("changed_members", records=[row], columns=members.MODEL.columns)
            await session.execute(store.save_statement(members.MODEL, 1))
    assert await door.member(session, names) == (3, 0, "base", AT, None, Decimal(1), None)


async def fences_of_projections_move_with_their_hashes(door: Door) -> None:
    session = await projection(door)
    await store.settle_partitions(session, PARTITIONS)  # again: nothing happens
    async with session.transaction():
        assert await store.lock_fences(session, 1, [1, 0]) == {0: Fence(0), 1: Fence(1)}
        await store.move_fences(session, 1, [Fence(1, 7, b"hash", 9)])
    assert await store.read_fences(session, 1) == {0: Fence(0), 1: Fence(1, 7, b"hash", 9)}


STATEMENTS: tuple[Case, ...] = taking(globals(), door="Door")
