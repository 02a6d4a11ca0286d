"""A long history costs nothing: the standing stays small, events stay short, decisions look at few rows."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from services.earning.decide import decide
from services.earning.program.terms import Caps, Expiry, Pending, Versions
from services.earning.state.standing import Rows
from shared.facts.imports import BalanceImport
from shared.facts.members import MemberClosed
from shared.facts.redemptions import RedemptionRequested
from tests.unit.earning.decide.story import Story, Told, cancelled, instant, ladder, paid, program

STANDING_BYTES_MAX = 4_096
LOTS = 2_500


def of_many_lots() -> Story:
    settings = {"expiry": Expiry("after_available", 12), "tiers": ladder(("gold", 10**9, "1"), window="calendar_year")}
    story = Story(Versions((program(**settings, caps=Caps(day=10**9)),)))
    start = instant("2026-01-01")
    for number in range(LOTS):
        told = Told("2026-01-01", paid(f"o{number}", "1")).fact(number)
        told.occurred_at = told.received_at = start + timedelta(seconds=number)
        story.take(told)
    return story


def test_many_orders_leave_a_small_standing_and_redemptions_of_many_lots_short_events() -> None:
    story = of_many_lots()
    assert len(msgspec.msgpack.encode(story.ann)) <= STANDING_BYTES_MAX // 8
    before = len(story.events)
    story.tell(Told("2026-02-01", RedemptionRequested(redemption_id="x", points=LOTS)))
    redeemed = story.events[before:]
    assert [len(event.lots) for event in redeemed] == [1000, 1000, 500]  # type: ignore[attr-defined]
    assert max(len(msgspec.json.encode(event)) for event in redeemed) < 256 * 1024
    assert story.ann.balances.available == 0


def test_an_order_of_a_member_with_many_lots_needs_none_of_them() -> None:
    story = of_many_lots()
    fact = Told("2026-02-01", paid("another", "1")).fact(0)
    decision = decide(story.versions, story.ann, Rows(keys={}, lots={}), fact, fact.received_at)
    assert len(decision.lots) == 1


def test_all_lots_that_end_at_once_are_told_in_several_events() -> None:
    story = of_many_lots().until("2027-01-02")
    assert story.ann.balances.expired == LOTS
    assert [len(event.lots) for event in story.events[-3:]] == [1000, 1000, 500]  # type: ignore[attr-defined]


def test_a_closed_membership_never_counts_what_was_pending() -> None:
    story = Story(Versions((program(pending=Pending(days=14), tiers=ladder(("gold", 10, "1"))),)))
    story.tell(Told("2026-01-01", paid("o", "20")), Told("2026-01-02", MemberClosed())).until("2026-03-01")
    story.tell(Told("2026-03-02", cancelled("o")))
    assert story.ann.qualifying.get("lifetime", 0) == 0
    assert story.ann.tier == "bronze"


def test_lots_of_imports_are_found_in_the_order_of_their_ends() -> None:
    story = Story(Versions((program(),)))
    story.tell(*(Told("2026-01-01", BalanceImport(batch_id="b", row=row, points=1)) for row in range(3)))
    story.tell(Told("2026-01-02", RedemptionRequested(redemption_id="x", points=2)))
    assert [lot.remaining for lot in story.lots["ann"].values()] == [0, 0, 1]
