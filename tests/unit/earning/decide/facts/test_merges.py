"""What of a claimed id adds up with the claimer's: tiers, counts, dates and what is owed. Rules 24, 30 and 61."""

from __future__ import annotations

from fractions import Fraction

import pytest

from services.earning.program.terms import Conditions, Expiry, Rule, TierLevel, Tiers, Versions
from shared.facts.imports import BalanceImport
from shared.facts.members import MemberClosed, TierAssigned
from shared.facts.redemptions import RedemptionRequested
from shared.point_events import DeficitForgiven, PointsReversed, TierChanged
from tests.unit.earning.decide.facts.test_claims import claim, guest, held, story
from tests.unit.earning.decide.story import Story, Told, cancelled, instant, ladder, paid, program, refunded

TIERS = ladder(("silver", 100, "1"), ("gold", 500, "1"))
MARCH = "2027-03-01"


def assigned(tier: str) -> Told:
    return guest("2026-06-01", TierAssigned(tier=tier, until=instant(MARCH)))


@pytest.mark.rule(30, 62)
def test_rule_30_a_tier_that_was_given_to_the_claimed_id_is_held_as_long_as_it_was_given() -> None:
    told = story(tiers=TIERS).tell(assigned("gold"), Told("2026-06-02", paid("q", "5")), claim("2026-06-03"))
    change = told.events[-1]
    assert isinstance(change, TierChanged)
    assert (change.before, change.after, change.reason) == ("bronze", "gold", "claimed")
    assert change.key is not None
    assert (change.key.kind, change.key.id) == ("alias", "guest")
    assert change.valid_until == told.ann.assigned_until == instant(MARCH)
    assert told.until(MARCH).said[-1] == "tier gold → bronze, assignment_ended"


@pytest.mark.rule(30, 61)
@pytest.mark.parametrize("theirs", ["silver", "gold"])
def test_rule_30_a_tier_no_better_than_ones_own_changes_nothing(theirs: str) -> None:
    told = story(tiers=TIERS).tell(assigned(theirs), Told("2026-06-02", paid("q", "500")), claim("2026-06-03"))
    assert told.said[-1] == "fact.recorded member_claimed"
    assert (told.ann.tier, told.ann.assigned_tier) == ("gold", "")


@pytest.mark.rule(30, 61)
def test_rule_30_a_tier_that_the_sums_reach_is_qualified_not_given() -> None:
    told = story(tiers=TIERS).tell(assigned("silver"), guest("2026-06-01 10:00", paid("p", "400")))
    told.tell(Told("2026-06-02", paid("q", "100")), claim("2026-06-03"))
    assert told.said[-2:] == ["transferred 400", "tier silver → gold, qualified"]
    assert not told.ann.assigned_tier


@pytest.mark.rule(13, 30, 71)
def test_rule_30_what_the_claimed_id_owes_is_forgiven_where_the_claimer_closes_meanwhile() -> None:
    told = story().tell(guest("2026-06-01", paid("o", "8")), Told("2026-06-01", paid("q", "5")))
    told.tell(guest("2026-06-02", RedemptionRequested(redemption_id="x", points=8)))
    told.tell(guest("2026-06-03", cancelled("o")))
    told.holding = True
    told.tell(claim("2026-06-04"), Told("2026-06-05", MemberClosed()))
    while told.inbox:
        told.deliver()
    assert held(told) == {"guest": (0, 0, 0), "ann": (0, 0, 0)}
    forgiven = told.events[-1]
    assert isinstance(forgiven, DeficitForgiven)
    assert (forgiven.points, forgiven.reason, forgiven.program_version) == (8, "closed", 0)
    assert forgiven.key is not None
    assert (forgiven.key.kind, forgiven.key.id) == ("alias", "guest")
    owed = told.events[-2]
    assert (owed.points, owed.postings) == (-8, {"deficit": -8, "transferred_in": 8})  # type: ignore[attr-defined]


@pytest.mark.rule(3, 30)
def test_rule_30_orders_of_both_are_counted_for_the_first() -> None:
    first = Rule("first", points=3, conditions=Conditions(first_order=True))
    told = Story(Versions((program(rules=(Rule("base", rate=Fraction(1)), first)),)))
    told.tell(Told("2026-05-03", paid("p", "10")), guest("2026-06-01", paid("o", "10")), claim("2026-06-02"))
    for order in ("p", "o"):
        told.tell(Told("2026-06-03", paid(f"after {order}", "1")), Told("2026-06-03", cancelled(f"after {order}")))
        told.tell(Told("2026-06-04", cancelled(order)))
    told.tell(Told("2026-06-05", paid("last", "1")))
    earned = [word for word in told.said if word.startswith("earned")]
    assert earned == ["earned 13", "earned 13", "earned 1", "earned 1", "earned 4"]


@pytest.mark.rule(30, 32)
def test_rule_30_lifetime_points_of_imports_and_dates_are_those_of_both() -> None:
    told = story(expiry=Expiry("inactivity", 2))
    for member, joined, points in (("ann", "2026-05-03", 7), ("guest", "2026-05-02", 30)):
        row = BalanceImport(batch_id=member, row=1, points=1, lifetime_points=points)
        told.tell(Told(joined, row, member=member))
    told.tell(guest("2026-06-01", paid("o", "10")), claim("2026-06-02"))
    assert told.ann.lifetime == 37
    assert told.ann.since == instant("2026-05-02")
    assert told.ann.inactive_at == told.until("2026-06-03").ann.inactive_at is not None


GOLD = Tiers("bronze", (TierLevel("bronze", 0), TierLevel("gold", 50, entry_bonus=7)), window="lifetime")


@pytest.mark.rule(13, 24)
@pytest.mark.parametrize(("deficit", "owed"), [("forgive", 0), ("carry", 15)])
def test_rule_24_an_entry_bonus_that_was_spent_is_owed_or_forgiven(deficit: str, owed: int) -> None:
    told = Story(Versions((program(deficit=deficit, tiers=GOLD),)))
    told.tell(
        Told("2026-06-01", paid("o", "50")), Told("2026-06-02", RedemptionRequested(redemption_id="x", points=55))
    )
    told.tell(Told("2026-06-03", refunded("o", "r", "10")))
    (back,) = (event for event in told.events if isinstance(event, PointsReversed) and event.reason == "tier_lost")
    assert (back.points, back.to_deficit, back.from_expired, back.program_version) == (7, 7, 0, 1)
    assert told.ann.balances.deficit == owed
    forgiven = [event for event in told.events if isinstance(event, DeficitForgiven) and event.reason == "tier_lost"]
    assert [(event.points, event.key, event.program_version) for event in forgiven] == [(7, back.key, 1)][: not owed]


@pytest.mark.rule(24)
def test_rule_24_an_entry_bonus_that_has_expired_is_not_taken_twice() -> None:
    told = Story(Versions((program(expiry=Expiry("after_available", 1), tiers=GOLD),)))
    told.tell(Told("2026-06-01", paid("o", "50")), Told("2026-07-03", refunded("o", "r", "10")))
    (back,) = (event for event in told.events if isinstance(event, PointsReversed) and event.reason == "tier_lost")
    assert (back.points, back.to_deficit, back.from_expired) == (7, 0, 7)
    assert told.ann.balances.deficit == 0
