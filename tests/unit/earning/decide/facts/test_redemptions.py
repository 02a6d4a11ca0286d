"""Spending, and what comes back of it; all commands in one table: rules 14, 18 to 21, 32, 54 to 58 and 71."""

from __future__ import annotations

from typing import Any

import pytest

from services.earning.program.terms import Pending, Reward, TierLevel, Tiers
from shared.errors import PermanentError
from shared.facts.adjustments import PointsAdjust, PointsReinstate
from shared.facts.imports import BalanceImport, ImportRevert
from shared.facts.members import MemberClosed, MemberEnrolled
from shared.facts.redemptions import RedemptionCancelled, RedemptionRequested
from shared.point_events import PointsRedeemed, PointsRestored
from tests.unit.earning.decide.facts.test_orders import cases
from tests.unit.earning.decide.story import (
    Told,
    balances,
    cancelled,
    instant,
    ladder,
    paid,
    refunded,
    story,
)


def redeem(name: str, points: int | None = None, **more: Any) -> RedemptionRequested:
    return RedemptionRequested(redemption_id=name, points=points, **more)


def give_back(name: str, points: int | None = None, cancel: str | None = None) -> RedemptionCancelled:
    return RedemptionCancelled(redemption_id=name, points=points, cancel_id=cancel)


def adjust(name: str, points: int, **more: Any) -> PointsAdjust:
    return PointsAdjust(adjustment_id=name, points=points, actor_id="agent", reason="goodwill", **more)


def bring(points: int, row: int = 1, batch: str = "b", **more: Any) -> BalanceImport:
    return BalanceImport(batch_id=batch, row=row, points=points, **more)


REWARDS = {"rewards": (Reward("mug", 50), Reward("bag", 50, frozenset({"gold"})))}


EARNED = Told("2026-01-01", paid("o", "100"))


@pytest.mark.parametrize(
    ("facts", "settings", "said"),
    cases(
        ("points", 19, [redeem("x", 60)], {}, ["redeemed 60"]),
        ("reward", 19, [redeem("x", reward="mug")], REWARDS, ["redeemed 50"]),
        ("unknown_reward", 19, [redeem("x", reward="cup")], REWARDS, ["redemption.rejected 0 unknown_reward"]),
        (
            "tier_required",
            19,
            [redeem("x", reward="bag")],
            {**REWARDS, "tiers": ladder(("gold", 500, "1"))},
            ["redemption.rejected 50 tier_required"],
        ),
        ("never_below_zero", 19, [redeem("x", 101)], {}, ["redemption.rejected 101 insufficient_points"]),
        (
            "final_for_its_id",
            19,
            [redeem("x", 101), paid("p", "50"), redeem("x", 101)],
            {},
            ["redemption.rejected 101 insufficient_points", "earned 50"],
        ),
        ("zero_points", 56, [redeem("x", 0)], {}, ["redemption.rejected 0 invalid_points"]),
        ("less_than_zero_points", 56, [redeem("x", -5)], {}, ["redemption.rejected 0 invalid_points"]),
        (
            "cancel_before_its_request",
            56,
            [give_back("x"), redeem("x", 60)],
            {},
            ["fact.recorded waits_for_request", "redemption.rejected 60 cancelled"],
        ),
        ("cancelled", 20, [redeem("x", 60), give_back("x"), give_back("x")], {}, ["redeemed 60", "restored 60"]),
        (
            "cancelled_in_parts",
            20,
            [redeem("x", 60), give_back("x", 20, "a"), give_back("x", 20, "b"), give_back("x", 99, "c")],
            {},
            ["redeemed 60", "restored 20", "restored 20", "restored 20"],
        ),
        (
            "a_deficit_is_paid_first",
            20,
            [redeem("x", 60), cancelled("o"), give_back("x")],
            {},
            ["redeemed 60", "reversed 100 cancelled", "restored 60"],
        ),
        (
            "made_up_for_forgiven",
            57,
            [redeem("x", 60), cancelled("o"), give_back("x")],
            {"deficit": "forgive"},
            ["redeemed 60", "reversed 100 cancelled", "deficit.forgiven 60 cancelled", "restored 0"],
        ),
        ("adjustment", 21, [adjust("a", 5)], {}, ["adjusted 5 goodwill"]),
        ("adjustment_once", 21, [adjust("a", 5), adjust("a", 5)], {}, ["adjusted 5 goodwill"]),
        ("adjustment_below", 21, [adjust("a", -130)], {}, ["adjusted -130 goodwill"]),
        (
            "adjustment_forgiven",
            57,
            [adjust("a", -130)],
            {"deficit": "forgive"},
            ["adjusted -130 goodwill", "deficit.forgiven 30 goodwill"],
        ),
        ("import_once", 54, [bring(5), bring(5)], {}, ["balance.imported 5"]),
        (
            "revert",
            32,
            [bring(5), bring(6, row=2), ImportRevert(batch_id="b")],
            {},
            ["balance.imported 5", "balance.imported 6", "import.reverted 5", "import.reverted 6"],
        ),
        (
            "row_after_its_revert",
            32,
            [ImportRevert(batch_id="b"), bring(5)],
            {},
            ["fact.recorded nothing_changed", "fact.recorded reverted"],
        ),
        (
            "closing",
            71,
            [MemberClosed(), paid("p", "5"), redeem("x", 1), bring(5), adjust("a", 5)],
            {},
            [
                "expired 100 closed",
                "member.closed",
                "fact.recorded member_closed",
                "redemption.rejected 1 member_closed",
                "fact.recorded member_closed",
                "fact.recorded member_closed",
            ],
        ),
        (
            "refund_after_closing",
            71,
            [MemberClosed(), refunded("o", "r", "100")],
            {},
            ["expired 100 closed", "member.closed", "reversed 100 refunded"],
        ),
        (
            "enrolment_opens_anew",
            71,
            [MemberClosed(), MemberEnrolled(), paid("p", "5")],
            {},
            ["expired 100 closed", "member.closed", "member.enrolled", "earned 5"],
        ),
        (
            "pending_points_close_too",
            71,
            [MemberClosed()],
            {"pending": Pending(days=90)},
            ["expired 100 closed", "member.closed"],
        ),
    ),
)
def test_what_is_said(facts: list[Any], settings: dict[str, Any], said: list[str]) -> None:
    told = story(**settings).tell(EARNED)
    told.tell(*(Told(f"2026-01-{day:02}", one) for day, one in enumerate(facts, 2)))
    assert told.said[1:] == said


@pytest.mark.rule(18)
def test_rule_18_soonest_end_first_never_expiring_last_then_age() -> None:
    told = story().tell(
        EARNED,
        Told("2026-01-02", bring(10, expires_at=instant("2027-06-01"))),
        Told("2026-01-03", bring(10, row=2, expires_at=instant("2027-01-01"))),
        Told("2025-12-31", paid("late", "7"), received="2026-01-04"),
        Told("2026-01-05", redeem("x", 30)),
    )
    event = told.events[-1]
    assert isinstance(event, PointsRedeemed)
    assert [(lot.lot, lot.change) for lot in event.lots] == [(3, -10), (2, -10), (4, -7), (1, -3)]


@pytest.mark.rule(18)
def test_rule_18_a_lot_made_in_the_same_decision_waits_its_turn() -> None:
    gold = TierLevel("gold", 50, entry_bonus=50)
    told = story(pending=Pending(days=1), tiers=Tiers("bronze", (TierLevel("bronze", 0), gold)))
    told.tell(Told("2026-01-01", paid("o", "100")))
    told.tell(Told("2026-01-10", adjust("a", -24)))  # with it the release came due, the tier and its bonus
    assert [lot.remaining for lot in told.lots["ann"].values()] == [76, 50]


@pytest.mark.rule(20)
def test_rule_20_points_that_come_back_can_be_spent_for_a_while() -> None:
    told = story().tell(Told("2026-01-01", bring(100, expires_at=instant("2026-07-01"))))
    told.tell(Told("2026-06-29", redeem("x", 100)), Told("2026-08-01", give_back("x")))
    assert told.lots["ann"][2].expires_at == instant("2026-09-01")
    told.tell(Told("2026-08-30", redeem("y", 100)), Told("2026-09-05", give_back("y")))
    assert told.lots["ann"][3].expires_at == instant("2026-09-07")
    assert balances(told.until("2026-09-06 23:59")) == (100, 0, 0)
    assert balances(told.until("2026-09-07")) == (0, 0, 0)


@pytest.mark.rule(55)
def test_rule_55_what_stayed_keeps_its_date() -> None:
    told = story().tell(Told("2026-01-01", bring(100, expires_at=instant("2026-07-01"))))
    told.tell(Told("2026-06-29", redeem("x", 40)), Told("2026-06-30", give_back("x", 10)))
    event = told.events[-1]
    assert isinstance(event, PointsRestored)
    assert [(lot.lot, lot.remaining, lot.expires_at) for lot in event.lots] == [(2, 10, instant("2026-07-31"))]
    assert told.lots["ann"][1].expires_at == instant("2026-07-01")
    assert balances(told.until("2026-07-01")) == (10, 0, 0)


@pytest.mark.rule(20)
def test_rule_20_parts_taken_last_come_back_first_and_are_the_awards_own_again() -> None:
    told = story().tell(EARNED, Told("2026-01-02", paid("p", "50")), Told("2026-01-03", redeem("x", 120)))
    told.tell(Told("2026-01-04", give_back("x", 20)), Told("2026-01-05", cancelled("p")))
    assert told.said[-2:] == ["restored 20", "reversed 50 cancelled"]
    assert balances(told) == (0, 0, 0)


@pytest.mark.rule(14)
def test_rule_14_points_spent_on_a_refunded_order_come_back_with_the_redemption() -> None:
    told = story().tell(EARNED, Told("2026-01-02", redeem("x", 60, order_id="p")), Told("2026-01-03", paid("p", "40")))
    told.tell(Told("2026-01-04", refunded("p", "r", "40")), Told("2026-01-04", give_back("x")))
    assert balances(told) == (100, 0, 0)


@pytest.mark.parametrize(
    ("known", "told", "reason"),
    cases(
        ("redemption_conflict", 19, redeem("x", 1), redeem("x", 2), "conflict"),
        ("cancel_conflict", 20, give_back("x", 1), give_back("x", 2), "conflict"),
        ("adjustment_conflict", 21, adjust("a", 1), adjust("a", 2), "conflict"),
        ("import_conflict", 54, bring(1), bring(2), "conflict"),
        ("expires_in_past", 37, bring(1), bring(2, row=2, expires_at=instant("2026-01-02")), "expires_in_past"),
        ("expired_adjustment", 37, bring(1), adjust("a", 2, expires_at=instant("2026-01-02")), "expires_in_past"),
        (
            "unknown_award",
            71,
            bring(1),
            PointsReinstate(reinstate_id="j", award="p", points=1, reason="goodwill"),
            "unknown_award",
        ),
        ("unknown_tier", 64, bring(1), bring(2, row=2, tier="platinum"), "unknown_tier"),
    ),
)
def test_dead_letters(known: Any, told: Any, reason: str) -> None:
    tale = story().tell(EARNED, Told("2026-01-02", known))
    with pytest.raises(PermanentError) as caught:
        tale.tell(Told("2026-01-03", told))
    assert caught.value.reason == reason
