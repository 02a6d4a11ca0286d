"""Rederive: the tables are what the journal says; where they are not, the member is named and the table put right."""

from __future__ import annotations

import pytest

from services.earning.ledger.batch import Counts
from services.earning.replay.rederive import Difference, rederive
from shared.errors import UnreadableEventError
from tests.integration.earning.earning_rig import Counter, claimed, paid, refunded, span
from tests.support.databases import execute

STATE = {
    "standings": "SELECT * FROM earning.standings ORDER BY program, member",
    "keys": "SELECT * FROM earning.keys ORDER BY program, source, kind, id",
    "lots": "SELECT * FROM earning.lots ORDER BY program, member, lot",
}


async def some_history(counter: Counter) -> None:
    values = [paid(f"{member}-{number}", member=member) for number in range(4) for member in ("ann", "bob", "cid")]
    await counter.earn(span(values))
    await counter.earn(span([refunded("ann-1", "4.00"), refunded("bob-9", "4.00", member="bob")], start=12))


async def state(counter: Counter) -> dict[str, list[tuple[object, ...]]]:
    return {name: [tuple(row) for row in await counter.session.fetch(query)] for name, query in STATE.items()}


async def test_what_is_derived_again_is_what_is_there(counter: Counter) -> None:
    await some_history(counter)
    before = await state(counter)
    told: list[tuple[int, int]] = []
    report = await rederive(counter.dsn, check=False, progress=lambda done, of: told.append((done, of)))
    assert (report.different, report.differences, report.swapped) == (0, [], True)
    assert (report.events, report.standings, report.keys, report.lots) == (14, 3, 13, 12)
    assert told[-1] == (14, 14)
    assert await state(counter) == before


async def test_a_check_names_what_is_different_and_changes_nothing(counter: Counter) -> None:
    await some_history(counter)
    good = await state(counter)
    await counter.session.execute("UPDATE earning.lots SET remaining = 3 WHERE member = 'bob' AND lot = 2")
    await counter.session.execute("DELETE FROM earning.keys WHERE id = 'cid-3'")
    bad = await state(counter)
    report = await rederive(counter.dsn, check=True)
    assert sorted(report.differences) == [
        Difference("shop", "bob", "lot 2"),
        Difference("shop", "cid", "key order cid-3 of shop-eu"),
    ]
    assert await state(counter) == bad
    await rederive(counter.dsn, check=False)
    assert await state(counter) == good


async def test_everything_can_be_dropped_and_comes_back(counter: Counter) -> None:
    await some_history(counter)
    before = await state(counter)
    for table in STATE:
        await counter.session.execute(f"DELETE FROM earning.{table}")  # noqa: S608 - our own names
    await rederive(counter.dsn, check=False)
    assert await state(counter) == before
    assert await counter.counted(span([refunded("cid-0", "1.00", member="cid")], start=14)) == Counts(applied=1)
    assert await counter.points("cid") == 39


async def test_rows_of_a_claimed_member_may_be_on_their_way(counter: Counter) -> None:
    await some_history(counter)
    await counter.earn(span([claimed("bob", by="ann")], start=14))
    await counter.take_messages("bob")
    on_their_way = await state(counter)
    for check in (True, False, True):
        assert (await rederive(counter.dsn, check=check)).different == 0
        assert await state(counter) == on_their_way
    await counter.take_messages("ann")
    assert await counter.points("ann") == 36 + 40
    assert (await rederive(counter.dsn, check=True)).different == 0


async def test_a_hole_in_the_journal_is_told_with_its_place(counter: Counter) -> None:
    await some_history(counter)
    await execute(counter.dsn, "DELETE FROM earning.journal WHERE position = 2")
    with pytest.raises(UnreadableEventError, match="position 2"):
        await rederive(counter.dsn, check=True)
