"""Who members are: enrolment, what is said of them, the end of a membership: rules 22, 30, 36 and 71."""

from __future__ import annotations

from itertools import permutations

import pytest

from services.earning.program.terms import Expiry, Pending, Rule, TierLevel, Tiers
from shared.facts.adjustments import PointsAdjust, PointsReinstate
from shared.facts.members import MemberClosed, MemberEnrolled, MemberUpdated, TierAssigned
from shared.facts.redemptions import RedemptionCancelled, RedemptionRequested
from shared.point_events import DeficitForgiven
from tests.unit.earning.decide.story import Told, cancelled, fulfilled, ladder, paid, story, updated

WORDS = (
    Told("2026-01-01", MemberEnrolled(segments=("staff",), attributes={"city": "Ulm"}), received="2026-02-01"),
    Told("2026-01-02", MemberUpdated(attributes={"city": "Bonn"}), received="2026-02-01"),
    Told("2026-01-03", MemberClosed(), received="2026-02-01"),
    Told("2026-01-04", MemberUpdated(segments=("vip",)), received="2026-02-01"),
)


@pytest.mark.rule(36, 71)
@pytest.mark.parametrize("words", list(permutations(WORDS)))
def test_rule_36_of_each_thing_the_newest_word_counts_in_any_order(words: tuple[Told, ...]) -> None:
    told = story().tell(*words, *words[:2])
    assert (told.ann.segments, told.ann.attributes, told.ann.closed) == (("vip",), {"city": "Bonn"}, True)
    assert len(told.events) == len(WORDS)


@pytest.mark.rule(71)
def test_rule_71_an_update_does_not_open_a_closed_membership() -> None:
    told = story().tell(Told("2026-01-01", MemberClosed()), Told("2026-01-02", MemberUpdated(segments=("vip",))))
    assert told.ann.closed
    assert not told.tell(Told("2026-01-03", MemberEnrolled())).ann.closed


@pytest.mark.rule(71)
def test_rule_71_what_is_cancelled_after_the_end_does_not_come_back() -> None:
    told = story().tell(
        Told("2026-01-01", paid("o", "100")),
        Told("2026-01-02", RedemptionRequested(redemption_id="x", points=40)),
        Told("2026-01-03", MemberClosed()),
        Told("2026-01-04", RedemptionCancelled(redemption_id="x")),
    )
    assert told.said[-1] == "fact.recorded member_closed"
    assert (told.ann.balances.available, told.ann.balances.restored) == (0, 0)


@pytest.mark.rule(24, 71)
def test_rule_71_a_closed_member_gets_no_tier_and_no_bonus() -> None:
    levels = (TierLevel("bronze", 0), TierLevel("gold", 50_000_000, entry_bonus=7))
    told = story(tiers=Tiers("bronze", levels, measure="spend"), rules=(Rule("r", points=1),))
    told.tell(Told("2026-01-01", MemberClosed()), Told("2026-01-02", TierAssigned(tier="gold")))
    assert told.said[-1] == "fact.recorded member_closed"
    told.tell(Told("2026-01-03", paid("o", "60")))
    assert (told.ann.tier, told.ann.balances.available) == ("gold", 0)


@pytest.mark.rule(22, 71)
def test_rule_71_what_waited_at_the_end_qualifies_when_it_is_given_back() -> None:
    told = story(pending=Pending(days=14), tiers=ladder(("gold", 60, "1"), window="lifetime"))
    told.tell(
        Told("2026-01-01", paid("o", "100")),
        Told("2026-01-02", MemberClosed()),
        Told("2026-01-03", MemberEnrolled()),
        Told("2026-03-01", PointsReinstate(reinstate_id="i", award="o", points=59, reason="goodwill")),
    )
    assert (told.ann.balances.available, told.ann.qualifying, told.ann.tier) == (59, {"lifetime": 59}, "bronze")
    told.tell(Told("2026-03-02", PointsReinstate(reinstate_id="j", award="o", points=1, reason="goodwill")))
    assert told.said[-2:] == ["reinstated 1 goodwill", "tier bronze → gold, qualified"]
    assert told.tell(Told("2026-03-03", updated("o", "100"))).ann.qualifying == {"lifetime": 60}


@pytest.mark.rule(71)
def test_rule_71_what_is_given_back_has_a_date_of_its_own_and_pays_what_is_owed() -> None:
    told = story(expiry=Expiry("after_available", 1))
    told.tell(
        Told("2026-01-01", paid("o", "100")),
        Told("2026-03-01", PointsAdjust(adjustment_id="a", points=-10, actor_id="me", reason="why")),
        Told("2026-03-02", PointsReinstate(reinstate_id="i", award="o", points=30, reason="goodwill")),
    )
    lot = told.lots["ann"][2]
    assert (lot.remaining, told.ann.balances.deficit, told.ann.balances.available) == (20, 0, 20)
    assert str(lot.expires_at) == "2026-04-01 22:00:00+00:00"
    assert told.until("2026-04-02").said[-1] == "expired 20 expired"


@pytest.mark.rule(13, 22)
def test_rule_13_the_first_points_of_an_order_that_only_counted_wait_from_its_payment() -> None:
    settings = {"pending": Pending("fulfilled", 1), "tiers": ladder(("gold", 10_000_000, "1"), measure="spend")}
    told = story(rules=(Rule("r", points=7, minimum_micros=50_000_000),), **settings)
    told.tell(Told("2026-01-01", paid("o", "20")), Told("2026-02-01", fulfilled("o")))
    told.tell(Told("2026-02-10", updated("o", "60")))
    assert (told.ann.balances.available, told.ann.balances.pending) == (7, 0)


@pytest.mark.rule(71)
def test_rule_71_who_is_closed_already_or_came_back_since_is_not_closed() -> None:
    told = story().tell(Told("2026-01-01", paid("o", "10")), Told("2026-01-02", MemberClosed()))
    again = told.tell(Told("2026-01-03", MemberClosed())).events[-1]
    assert told.said[-1] == "fact.recorded nothing_changed"
    assert again.key is not None
    assert (again.key.kind, again.key.id) == ("member", "ann")
    told.tell(Told("2026-01-05", MemberEnrolled()), Told("2026-01-04", MemberClosed(), received="2026-01-06"))
    assert told.said[-1] == "fact.recorded nothing_changed"
    assert not told.ann.closed


@pytest.mark.rule(13, 71)
def test_rule_71_what_is_owed_at_the_end_is_forgiven() -> None:
    told = story().tell(Told("2026-01-01", paid("o", "10")))
    told.tell(Told("2026-01-02", RedemptionRequested(redemption_id="x", points=10)), Told("2026-01-03", cancelled("o")))
    told.tell(Told("2026-01-04", MemberClosed()))
    forgiven = next(event for event in told.events if isinstance(event, DeficitForgiven))
    assert (forgiven.points, forgiven.reason, forgiven.program_version) == (10, "closed", 0)
    assert forgiven.key is not None
    assert (forgiven.key.kind, forgiven.key.id) == ("member", "ann")
