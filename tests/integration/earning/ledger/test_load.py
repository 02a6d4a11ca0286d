"""Loading lots: as many as a decision asks for, in the order of consumption, however many a member has."""

from __future__ import annotations

from datetime import timedelta

from services.earning.ledger.load import LOTS_FIRST, PostgresRows
from services.earning.ledger.save import LOT_COLUMNS, lot_row
from services.earning.ledger.working_set import LoadedMember, WorkingSet
from services.earning.state.standing import BusinessKey, Lot, RowsMissingError
from tests.integration.earning.earning_rig import BEGAN, SHARDS, Counter, paid, span

KEY = BusinessKey("shop", "shop-eu", "order", "made by hand")


def spending_order(lot: Lot) -> tuple[bool, object, object, int]:
    return lot.expires_at is None, lot.expires_at or BEGAN, lot.earned_at, lot.lot


async def with_lots(counter: Counter, number: int) -> LoadedMember:
    """Lots of which every third expires, every fifth is spent and every seventh is pending."""
    rows = []
    for lot in range(1, number + 1):
        expires_at = BEGAN + timedelta(days=900 - lot) if lot % 3 == 0 else None
        available_at = None if lot % 7 == 0 else BEGAN
        remaining = 0 if lot % 5 == 0 else 10
        earned_at = BEGAN + timedelta(days=(lot * 37) % 101)
        made = Lot(lot, KEY, 10, remaining, earned_at, available_at, expires_at)
        rows.append(lot_row(WorkingSet(SHARDS).member("shop", "ann"), made))
    await counter.session.copy_records_to_table("lots", schema_name="earning", columns=LOT_COLUMNS, records=rows)
    ann = WorkingSet(SHARDS).member("shop", "ann")
    ann.whole = False
    return ann


async def spend(counter: Counter, ann: LoadedMember) -> None:
    """Load as a decision does that wants a point more."""
    assert await PostgresRows(counter.session, WorkingSet(SHARDS)).supply(ann, RowsMissingError(1))


async def test_few_lots_are_read_at_once_and_that_is_all_there_are(counter: Counter) -> None:
    ann = await with_lots(counter, 15)
    await spend(counter, ann)
    assert ann.whole
    assert ann.horizon is None
    assert set(ann.lots) == {lot for lot in range(1, 16) if lot % 5 or not lot % 7}


async def test_of_many_lots_those_are_read_first_that_are_spent_first(counter: Counter) -> None:
    ann = await with_lots(counter, 1000)
    await spend(counter, ann)
    first = dict(ann.lots)
    assert len(first) == LOTS_FIRST
    horizon = max(spending_order(lot) for lot in first.values())
    assert ann.horizon is not None
    assert ann.horizon.lot == horizon[-1]
    for _ in range(3):  # four times as many each time
        await spend(counter, ann)
    assert len(ann.lots) == sum(1 for lot in range(1, 1001) if lot % 5 or not lot % 7)
    assert sorted(first) == sorted(lot.lot for lot in sorted(ann.lots.values(), key=spending_order)[:LOTS_FIRST])


async def test_what_was_asked_for_and_given_is_not_asked_for_again(counter: Counter) -> None:
    ann = await with_lots(counter, 15)
    await spend(counter, ann)
    assert not await PostgresRows(counter.session, WorkingSet(SHARDS)).supply(ann, RowsMissingError(1))


async def test_what_is_due_comes_with_when_the_next_is(counter: Counter) -> None:
    ann = await with_lots(counter, 30)  # lot 30 ends 870 days after the beginning but is spent, 27 after 873
    until = BEGAN + timedelta(days=880)
    ann.lots[18] = Lot(18, KEY, 10, 0, BEGAN, BEGAN)  # spent by a decision, though its table knows nothing of it
    assert await PostgresRows(counter.session, WorkingSet(SHARDS)).supply(ann, RowsMissingError(due_until=until))
    assert set(ann.lots) == {27, 24, 18}
    assert (ann.due_until, ann.next_due) == (until, BEGAN + timedelta(days=888))


async def test_what_a_decision_has_changed_counts_over_what_the_table_says(counter: Counter) -> None:
    ann = await with_lots(counter, 10)
    changed = Lot(1, KEY, 10, 4, BEGAN, BEGAN)
    ann.lots[1] = changed
    await spend(counter, ann)
    assert ann.lots[1] is changed


async def test_the_lots_a_key_made_come_with_it_and_nobody_elses(counter: Counter) -> None:
    await counter.earn(span([paid("1"), paid("2"), paid("3", member="bob")]))
    working_set = WorkingSet(SHARDS)
    ann = working_set.member("shop", "ann")
    keys = {BusinessKey("shop", "shop-eu", "order", name) for name in ("2", "3", "unknown")}
    await PostgresRows(counter.session, working_set).load(keys)
    assert set(working_set.keys) == {key for key in keys if key.id != "unknown"}
    assert set(ann.lots) == {2}
    assert ann.stored
    assert not ann.whole
