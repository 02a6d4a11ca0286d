"""Cases of the contract with Postgres: what each statement of the services does to rows, and answers.

Each runs on the double (tests/unit/simulation) and on the real server (tests/integration/simulation).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from services.earning.background.backlog import CHANGED_LATELY
from services.earning.background.backlog import QUERIES as BACKLOG
from services.earning.background.holds import QUERIES as HOLDS
from services.earning.background.sweep import QUERIES as SWEEP
from services.earning.installation import check_state_format, install, state_format
from services.earning.ledger import journal
from services.earning.ledger.dead_letters import QUERIES as LETTERS
from services.earning.ledger.emissions import QUERIES as EMISSIONS
from services.earning.ledger.fences import QUERIES as FENCES
from services.earning.ledger.journal import QUERIES as JOURNAL
from services.earning.ledger.load import QUERIES as ROWS
from services.earning.ledger.save import KEY_COLUMNS, LOT_COLUMNS, STANDING_COLUMNS, insert
from services.earning.program.registry import QUERIES as PROGRAMS
from services.earning.state.standing import FORMAT
from services.projections import store
from services.projections.models import members
from services.projections.positions import Fence
from shared.dead_letters import COLUMNS as LETTER_COLUMNS
from tests.support.simulation.cases_postgres import entry, opened
from tests.support.simulation.servers import PARTITIONS, Case, Door, taking

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NONE: Sequence[Any] = (None, None, None)


def tuples(rows: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Rows as plain tuples."""
    return [tuple(row) for row in rows]


async def fences_count_up_and_keep_the_latest_of_what_they_are_told(door: Door) -> None:
    session = await opened(door)
    await session.execute(FENCES["new_fences"], ["orders"], [0], [99])  # it is there: nothing happens
    later, mark = AT + DAY, (3, AT, 77)
    for row in (("orders", 0, 4, 1, 2, 3, 4, later, *mark), ("orders", 0, 9, 10, 0, 0, 0, AT, *NONE)):
        await session.execute(FENCES["update_fences"], *([value] for value in row))
    rows = await session.fetch(FENCES["fences"], ["orders", "orders", "reviews"], [1, 0, 0])
    assert sorted(tuples(rows)) == [("orders", 0, 9, 0, *mark), ("orders", 1, 5, 0, *NONE)]
    begun = [await session.fetchval(FENCES["begin_again"], "orders", 0, 0, 2, "cut", DAY) for _ in range(2)]
    assert begun == [1, None]
    assert tuples(await session.fetch(FENCES["lock_fences"], ["orders"], [0])) == [("orders", 0, 2, 1)]


async def an_installation_knows_the_format_of_its_state(door: Door) -> None:
    session = await opened(door)
    assert await state_format(session) == FORMAT
    await install(session, PARTITIONS)
    await check_state_format(session)


async def standings_are_found_and_changed_by_member(door: Door) -> None:
    session = await opened(door)
    await insert(session, "standings", STANDING_COLUMNS, [(0, "shop", name, None, b"old") for name in ("ann", "bob")])
    columns = ["shop", "shop"], ["bob", "cat"], [AT, None], [b"new", b"new"]
    await session.execute(ROWS["update_standings"], *columns)
    rows = tuples(await session.fetch(ROWS["standings"], "shop", ["cat", "bob", "ann"]))
    assert sorted(rows) == [("shop", "ann", b"old"), ("shop", "bob", b"new")]
    assert sorted(tuples(await session.fetch(ROWS["standings_of_shard"], 0))) == sorted(rows)
    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(session, "standings", STANDING_COLUMNS, [(0, "shop", "ann", None, b"again")])


async def keys_are_found_by_id_and_carry_their_lots(door: Door) -> None:
    session = await opened(door)
    of = ("shop", "eu", "order")
    rows = [(0, *of, "1", "ann", [], b"old"), (0, *of, "2", "ann", [3], b"old")]
    await insert(session, "keys", KEY_COLUMNS, rows)
    await session.execute(ROWS["update_keys"], *([value] for value in (*of, "1", 1, "bob", "{1,2}", b"new")))
    found = tuples(await session.fetch(ROWS["keys"], *of, ["2", "1", "3"]))
    assert sorted(found) == [(*of, "1", "bob", [1, 2], b"new"), (*of, "2", "ann", [3], b"old")]
    assert tuples(await session.fetch(ROWS["keys_of_member"], "shop", "bob")) == [(*of, "1", "bob", [1, 2], b"new")]
    assert tuples(await session.fetch(ROWS["keys_of_shard"], 0)) == [(*of, "2", "ann", [3], b"old")]


async def members_who_are_due_are_found_and_looked_at_again_later(door: Door) -> None:
    session = await opened(door)
    dues = {"ann": 3, "bob": 1, "cat": 9, "dan": None}
    rows = [(0, "shop", name, None if day is None else AT + day * DAY, name.encode()) for name, day in dues.items()]
    await insert(session, "standings", STANDING_COLUMNS, [*rows, (1, "shop", "eve", AT, b"eve")])

    async def due(day: int, at_most: int = 9, held: Sequence[str] = ()) -> list[str]:
        found = await session.fetch(SWEEP["due"], 0, AT + day * DAY, held, at_most)
        return [row["member"] for row in found]

    assert (await due(3), await due(3, at_most=1), await due(3, held=["shop"])) == (["bob", "ann"], ["bob"], [])
    await session.execute(SWEEP["look_again"], ["shop"] * 2, ["ann", "bob"], [None, AT + 2 * DAY])
    assert await due(9) == ["bob", "cat"]
    await session.execute(SWEEP["mark_due"], 0, "shop", AT + 4 * DAY)
    assert await due(9) == ["bob", "ann", "cat", "dan"]


async def versions_that_took_force_are_told_until_they_are_marked(door: Door) -> None:
    session = await opened(door)
    for version in (1, 2, 3):
        said = ("shop", version, "{}", f"sum {version}", AT, AT + version * DAY, version)
        await session.execute(PROGRAMS["insert"], *said)

    async def new(day: int) -> list[tuple[Any, ...]]:
        return tuples(await session.fetch(SWEEP["new_versions"], [0, 1], AT + day * DAY, []))

    assert (await new(1), await new(2)) == ([], [(shard, "shop", 2, AT + 2 * DAY) for shard in (0, 1)])
    await session.execute(SWEEP["marked"], 0, "shop", 2)
    assert await new(3) == [(0, "shop", 3, AT + 3 * DAY), (1, "shop", 3, AT + 2 * DAY)]


async def a_fence_that_moved_just_now_is_not_idle(door: Door) -> None:
    session = await opened(door)

    async def idle(after: timedelta) -> list[bool]:
        return [row["idle"] for row in await session.fetch(FENCES["received_at_last"], ["orders"], after)]

    assert (await idle(DAY), await idle(-DAY)) == ([False, False], [True, True])
    await session.execute(HOLDS["clear_holds"])
    assert await session.fetch(HOLDS["held"]) == []


def lot(number: int, remaining: int, expires: int | None, *, pending: bool = False, due: int | None = None) -> Any:
    """A lot's row; days after `AT`."""
    at = [None if days is None else AT + days * DAY for days in (expires, due)]
    available = None if pending else AT
    return (0, "shop", "ann", number, "eu", "order", "1", 10, remaining, AT, available, *at, b"lot %d" % number)


async def lots_come_in_spending_order_and_by_what_is_due(door: Door) -> None:
    session = await opened(door)
    lots = [
        lot(1, 5, None),
        lot(2, 5, 9, due=9),
        lot(3, 0, 1, due=1),
        lot(4, 0, None, pending=True),
        lot(5, 5, 9, due=4),
    ]
    await insert(session, "lots", LOT_COLUMNS, lots)

    async def bodies(name: str, *arguments: Any) -> list[bytes]:
        return [bytes(row["body"]) for row in await session.fetch(ROWS[name], *arguments)]

    assert await bodies("lots_left", "shop", "ann", None) == [b"lot 2", b"lot 5", b"lot 1", b"lot 4"]
    assert await bodies("lots_left", "shop", "ann", 2) == [b"lot 2", b"lot 5"]
    assert sorted(await bodies("lots", ["shop"] * 2, ["ann"] * 2, [4, 9])) == [b"lot 4"]
    assert len(await bodies("lots_of_member", "shop", "ann")) == len(lots)
    assert sorted(await bodies("due_lots", ["shop"], ["ann"], [AT + 4 * DAY])) == [b"lot 3", b"lot 5"]
    dues = await session.fetch(ROWS["next_dues"], ["shop"], ["ann"], [AT], [1])
    assert tuples(dues) == [("shop", "ann", 3, AT + DAY), ("shop", "ann", 5, AT + 4 * DAY)]
    changed = ("shop", "ann", 5, 10, 1, AT, None, None, b"spent")
    await session.execute(ROWS["update_lots"], *([value] for value in changed))
    assert await bodies("lots_left", "shop", "ann", None) == [b"lot 2", b"lot 1", b"lot 4", b"spent"]
    with pytest.raises(asyncpg.CheckViolationError):
        await insert(session, "lots", LOT_COLUMNS, [lot(6, -1, None)])


async def the_journal_is_read_in_order_of_position_from_any_position_on(door: Door) -> None:
    session = await opened(door)
    await journal.write(session, [entry(position) for position in (2, 1, 3)])
    rows = await session.fetch(JOURNAL["after"], [0, 1], [1, 0], 10)
    assert [tuple(row) for row in rows] == [tuple(entry(2)), tuple(entry(3))]
    assert [row["position"] for row in await session.fetch(JOURNAL["after"], [0], [0], 2)] == [1, 2]
    assert tuples(await session.fetch(JOURNAL["bytes_at"], [0, 0], [3, 4])) == [(0, b"{}")]
    assert [row["position"] for row in await session.fetch(JOURNAL["after_in_shard"], 0, 1, 10)] == [2, 3]


async def what_is_emitted_goes_forward_and_back_only_where_it_is_lost(door: Door) -> None:
    session = await opened(door)
    for name, position in (("record_emitted", 5), ("record_emitted", 3), ("record_lost", 4), ("record_lost", 9)):
        await session.execute(EMISSIONS[name], [1], [position])
    assert sorted(tuples(await session.fetch(EMISSIONS["emitted"], [0, 1]))) == [(0, 0, 0, 0), (1, 4, 0, 0)]


async def a_look_at_the_log_is_noted_unless_another_relay_has_looked_since(door: Door) -> None:
    session = await opened(door)
    for before, now in (((0, 0), (5, 7)), ((0, 0), (3, 3)), ((5, 7), (4, 9))):
        await session.execute(EMISSIONS["record_look"], [1], *([value] for value in (*before, *now)))
    assert sorted(tuples(await session.fetch(EMISSIONS["emitted"], [0, 1]))) == [(0, 0, 0, 0), (1, 0, 4, 9)]


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
