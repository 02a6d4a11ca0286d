"""The folds: what an event means for a row."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.projections.events import Event, decode
from services.projections.models import history, members
from services.projections.models.history.fold import HistoryRow, history_row
from services.projections.models.members.fold import MemberRow, fold_member
from services.projections.positions import Received
from services.projections.project import fold_all
from shared.codec import encode_data
from shared.point_events import (
    Balances,
    Cause,
    EventData,
    Key,
    PointsEarned,
    PointsReversed,
    RuleShare,
    TierChanged,
    TierRetained,
)
from tests.unit.projections.points_log import PointsLog
from tests.unit.projections.records import all_received

HAPPENED = datetime(2026, 3, 1, 12, tzinfo=UTC)
BOOKED = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
UNTIL = datetime(2028, 1, 1, tzinfo=UTC)


def event(event_class: type[EventData], **fields: Any) -> Event:
    common: dict[str, Any] = {
        "program": "grocer",
        "member": "m1",
        "shard": 3,
        "position": 9,
        "sequence": 2,
        "decision": 1,
        "occurred_at": HAPPENED,
        "decided_at": BOOKED,
        "cause": Cause("commerce.order.paid.v1", "shop", "1"),
        "balances": Balances(available=120, pending=5, earned=125),
    }
    return decode(encode_data(event_class(**(common | fields))))


def earned(**fields: Any) -> Event:
    return event(PointsEarned, **({"points": 49, "rules": [], "lots": []} | fields))


def rose(**fields: Any) -> Event:
    return event(TierChanged, **({"before": "", "after": "gold", "reason": "threshold", "since": HAPPENED} | fields))


def test_history_says_what_when_and_the_resulting_balance() -> None:
    row = history_row(
        earned(
            key=Key("web", "order", "o-1"),
            program_version=4,
            postings={"available": 44, "pending": 5, "earned": -49},
            rules=[RuleShare(rule="base", points=40), RuleShare(rule="dairy", points=9)],
        ),
        b"h" * 16,
    )
    assert row._asdict() == {
        "partition": 3,
        "position": 9,
        "program": "grocer",
        "member": "m1",
        "sequence": 2,
        "kind": "points.earned",
        "occurred_at": HAPPENED,
        "booked_at": BOOKED,
        "change": 44,
        "balance": 120,
        "pending": 5,
        "deficit": 0,
        "net": 49,
        "source": "web",
        "key_kind": "order",
        "key_id": "o-1",
        "reason": None,
        "rules": '[{"rule":"base","points":40},{"rule":"dairy","points":9}]',
        "card": None,
        "tier": None,
        "program_version": 4,
        "hash": b"h" * 16,
    }


def test_history_counts_what_is_owed_against_the_net_change() -> None:
    reversal = event(
        PointsReversed,
        points=49,
        reason="refund",
        postings={"available": -39, "deficit": -10, "reversed": 49},
        balances=Balances(deficit=10, earned=49, reversed=49),
    )
    row = history_row(reversal, b"")
    assert (row.change, row.net, row.balance, row.deficit, row.reason) == (-39, -49, 0, 10, "refund")


def test_history_names_the_shop_of_the_cause_where_there_is_no_business_key() -> None:
    row = history_row(rose(), b"")
    assert (row.source, row.key_kind, row.tier) == ("shop", None, "gold")


def test_the_first_event_makes_a_row() -> None:
    row = fold_member(None, earned())
    assert (row.partition, row.program, row.member, row.sequence) == (3, "grocer", "m1", 2)
    assert row.balances == Balances(available=120, pending=5, earned=125)
    assert (row.tier, row.qualifying) == (None, None)


def test_later_balances_replace_earlier_ones() -> None:
    row = fold_member(fold_member(None, earned()), earned(sequence=3, balances=Balances(available=7)))
    assert (row.sequence, row.balances) == (3, Balances(available=7))


def test_a_tier_stays_until_another_is_said() -> None:
    row = fold_member(fold_member(None, rose(valid_until=UNTIL)), earned())
    assert (row.tier, row.tier_since, row.tier_until) == ("gold", HAPPENED, UNTIL)


def test_a_tier_without_an_end_holds_for_ever() -> None:
    row = fold_member(fold_member(None, rose(valid_until=UNTIL)), rose(after="base"))
    assert (row.tier, row.tier_until) == ("base", None)


def test_a_retained_tier_is_held_since_it_was_reached() -> None:
    row = fold_member(fold_member(None, rose()), event(TierRetained, tier="gold", valid_until=UNTIL))
    assert (row.tier, row.tier_since, row.tier_until) == ("gold", HAPPENED, UNTIL)


def test_what_counts_for_the_tier_is_said_as_a_whole() -> None:
    row = fold_member(None, earned(qualifying="980.5", to_next="19.5", to_keep="3"))
    assert (row.qualifying, row.to_next, row.to_keep) == (Decimal("980.5"), Decimal("19.5"), Decimal(3))
    assert fold_member(row, earned()).to_next == Decimal("19.5")
    top = fold_member(row, earned(qualifying="1000"))
    assert (top.qualifying, top.to_next, top.to_keep) == (Decimal(1000), None, None)


def test_rows_have_a_value_for_each_column() -> None:
    row = fold_member(None, earned())
    assert dict(zip(members.MODEL.columns, row.values(), strict=True))["earned"] == 125
    assert len(history_row(earned(), b"")) == len(history.MODEL.columns)


RECORDS = all_received(PointsLog(shards=1).busy(60, members=6, seed=3).entries)
Members = dict[Any, MemberRow]


def folded(records: list[Received]) -> tuple[Members, list[HistoryRow]]:
    """The rows of members and of history that records make."""
    states, events = members.MODEL.begin(), history.MODEL.begin()
    fold_all(records, [states, events])
    return states._rows, list(events.take_appended())  # type: ignore[attr-defined, arg-type]


WHOLE, WHOLE_HISTORY = folded(RECORDS)


def stored_over(stored: Members, batch: Members) -> Members:
    """What the store does with a batch's rows: what they don't say stays."""
    merged = dict(stored)
    for key, row in batch.items():
        old = stored.get(key, row)
        changes: dict[str, Any] = {"tier_since": row.tier_since or old.tier_since}
        if row.tier is None:
            changes |= {"tier": old.tier, "tier_until": old.tier_until}
        if row.qualifying is None:
            changes |= {"qualifying": old.qualifying, "to_next": old.to_next, "to_keep": old.to_keep}
        merged[key] = msgspec.structs.replace(row, **changes)
    return merged


@given(st.lists(st.integers(1, 15), max_size=10))
def test_any_split_into_batches_folds_to_the_same_rows(sizes: list[int]) -> None:
    left: list[Received] = RECORDS
    stored: Members = {}
    rows = []
    for size in [*sizes, len(left)]:
        batch, appended = folded(left[:size])
        rows += appended
        stored = stored_over(stored, batch)
        left = left[size:]
    assert stored == WHOLE
    assert rows == WHOLE_HISTORY
