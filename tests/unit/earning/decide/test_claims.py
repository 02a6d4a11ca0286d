"""Claims: what another id had moves with its dates, and counts add up; the id is an alias for ever. Rule 30."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from services.earning.decide import Outcome
from services.earning.program.terms import Activity, Caps, Card, Expiry, Limit, Pending, TierLevel, Tiers, Versions
from services.earning.source_events.activities import ActivityRecorded
from services.earning.source_events.commands import (
    MemberClaimed,
    MemberClosed,
    RedemptionCancelled,
    RedemptionRequested,
)
from services.earning.source_events.facts import FactData, MemberEnrolled
from shared.errors import PermanentError
from tests.unit.earning.decide.story import Story, Told, cancelled, instant, paid, program, refunded

QUIZ = Activity("quiz", 7, limit=Limit(1))
POTS = Card("pots", 5, activity="pot", points=100)


def story(**settings: Any) -> Story:
    return Story(Versions((program(activities=(QUIZ, Activity("pot")), cards=(POTS,), **settings),)))


def guest(at: str, data: FactData, **more: Any) -> Told:
    return Told(at, data, member="guest", **more)


def claim(at: str, other: str = "guest", member: str = "ann") -> Told:
    return Told(at, MemberClaimed(guest=other), member=member)


def pot(activity_id: str, quantity: int) -> ActivityRecorded:
    return ActivityRecorded(activity_id=activity_id, kind="pot", quantity=quantity)


def held(told: Story) -> dict[str, tuple[int, int, int]]:
    balances = {name: standing.balances for name, standing in told.standings.items()}
    return {name: (one.available, one.pending, one.deficit) for name, one in balances.items()}


@pytest.mark.rule(30, 31)
def test_rule_30_points_move_with_their_dates() -> None:
    told = story(expiry=Expiry("after_available", 2), pending=Pending(days=14))
    told.tell(
        guest("2026-06-01", paid("o", "10")), guest("2026-06-20", paid("p", "20")), Told("2026-06-02", paid("q", "5"))
    )
    told.tell(claim("2026-06-21"))
    assert held(told) == {"guest": (0, 0, 0), "ann": (15, 20, 0)}
    assert told.standings["guest"].balances.transferred_out == told.ann.balances.transferred_in == 30
    told.until("2026-08-17")
    assert told.ann.balances.expired == 10
    assert told.until("2026-08-18").ann.balances.expired == 15


@pytest.mark.rule(30, 71)
def test_rule_30_a_guests_points_are_released_by_the_claim() -> None:
    told = story(enrolment_required=True).tell(guest("2026-06-01", paid("o", "10")))
    told.tell(Told("2026-06-02", MemberEnrolled()), claim("2026-06-03"))
    assert held(told) == {"guest": (0, 0, 0), "ann": (10, 0, 0)}


@pytest.mark.rule(30)
@pytest.mark.parametrize("subject", ["guest", "ann"])
def test_rule_30_orders_go_on_under_either_id(subject: str) -> None:
    told = story().tell(guest("2026-06-01", paid("o", "10")), Told("2026-06-02", paid("q", "5")), claim("2026-06-03"))
    told.tell(Told("2026-06-04", refunded("o", "r", "4"), member=subject))
    told.tell(guest("2026-06-05", paid("n", "3")))
    assert held(told) == {"guest": (0, 0, 0), "ann": (14, 0, 0)}
    told.tell(Told("2026-06-06", cancelled("o"), member=subject), Told("2026-06-07", cancelled("n"), member=subject))
    assert held(told)["ann"] == (5, 0, 0)


@pytest.mark.rule(30, 20)
def test_rule_30_a_redemption_of_the_other_id_is_cancelled_into_its_own_lots() -> None:
    told = story().tell(Told("2026-06-01", paid("q", "5")), guest("2026-06-01", paid("o", "10")))
    told.tell(guest("2026-06-02", RedemptionRequested(redemption_id="x", points=8)), claim("2026-06-03"))
    told.tell(Told("2026-06-04", RedemptionCancelled(redemption_id="x")))
    assert held(told)["ann"] == (15, 0, 0)


@pytest.mark.rule(30)
@pytest.mark.parametrize(("own", "left"), [("5", (0, 0, 3)), ("20", (12, 0, 0))])
def test_rule_30_a_deficit_is_paid_at_once(own: str, left: tuple[int, int, int]) -> None:
    told = story().tell(Told("2026-06-01", paid("q", own)), guest("2026-06-01", paid("o", "8")))
    told.tell(
        guest("2026-06-02", RedemptionRequested(redemption_id="x", points=8)), guest("2026-06-03", cancelled("o"))
    )
    assert held(told)["guest"] == (0, 0, 8)
    told.tell(claim("2026-06-04"))
    assert held(told) == {"guest": (0, 0, 0), "ann": left}


@pytest.mark.rule(30)
def test_rule_30_what_the_claimer_owes_is_paid_by_what_comes() -> None:
    told = story().tell(Told("2026-06-01", paid("q", "8")), guest("2026-06-01", paid("o", "10")))
    told.tell(Told("2026-06-02", RedemptionRequested(redemption_id="x", points=8)), Told("2026-06-03", cancelled("q")))
    assert held(told)["ann"] == (0, 0, 8)
    told.tell(claim("2026-06-04"))
    assert held(told)["ann"] == (2, 0, 0)


@pytest.mark.rule(30, 28)
def test_rule_30_stamps_add_up_and_may_complete_a_card() -> None:
    told = story().tell(guest("2026-06-01", pot("a", 3)), Told("2026-06-01", pot("b", 2)), claim("2026-06-02"))
    assert (told.ann.cards["pots"].stamps, held(told)["ann"]) == (5, (100, 0, 0))


@pytest.mark.rule(30, 27, 7)
def test_rule_30_limits_and_caps_add_up() -> None:
    quiz = ActivityRecorded(activity_id="a", kind="quiz")
    told = story(caps=Caps(day=10)).tell(guest("2026-06-01", quiz), guest("2026-06-01", paid("o", "8")))
    told.tell(claim("2026-06-02"))
    told.tell(Told("2026-06-03", ActivityRecorded(activity_id="b", kind="quiz")))
    assert told.said[-1] == "fact.recorded limit_reached"
    told.tell(Told("2026-06-01 12:00", paid("p", "8"), received="2026-06-04"))
    assert told.said[-1] == "earned 2"


LADDER = Tiers(
    "bronze", (TierLevel("bronze", 0), TierLevel("silver", 50), TierLevel("gold", 100)), window="calendar_year"
)


@pytest.mark.rule(30, 23)
def test_rule_30_the_tier_is_the_better_of_both_and_of_the_sums() -> None:
    told = story(tiers=LADDER).tell(guest("2026-06-01", paid("o", "60")), Told("2026-06-01", paid("p", "60")))
    told.tell(claim("2026-06-02"))
    assert (told.ann.tier, told.standings["guest"].tier) == ("gold", "bronze")
    told = story(tiers=LADDER).tell(guest("2025-06-01", paid("o", "60")), Told("2026-06-01", paid("p", "10")))
    told.tell(claim("2026-06-02"))
    assert told.ann.tier == "silver"


@pytest.mark.rule(30)
def test_rule_30_who_joined_first_joined_then_and_segments_are_both() -> None:
    told = story().tell(guest("2024-06-01", MemberEnrolled(segments=("vip",))))
    told.tell(Told("2026-06-01", MemberEnrolled(segments=("new",))), claim("2026-06-02"))
    assert (told.ann.joined_at, told.ann.segments) == (instant("2024-06-01"), ("new", "vip"))


@pytest.mark.rule(30)
def test_rule_30_one_id_is_claimed_by_one_member_only_and_closing_the_alias_closes_nobody() -> None:
    told = story().tell(guest("2026-06-01", paid("o", "10")), claim("2026-06-02"))
    with pytest.raises(PermanentError, match="belongs to another member"):
        told.tell(claim("2026-06-03", member="bob"))
    told.tell(Told("2026-06-03", MemberClaimed(guest="guest"), member="bob", source="another-shop"))
    assert (held(told)["ann"], told.standings["bob"].claiming) == ((10, 0, 0), ())
    assert "fact.recorded claim_refused" in told.said
    told.tell(guest("2026-06-04", MemberClosed()))
    assert not told.ann.closed
    again = told.take(Told("2026-06-05", MemberClaimed(guest="guest")).fact(99))
    assert again.outcome is Outcome.DUPLICATE


@pytest.mark.rule(30)
def test_rule_30_oneself_is_not_claimed() -> None:
    told = story().tell(Told("2026-06-01", paid("o", "10")), claim("2026-06-02", "ann"))
    assert (told.said[-1], held(told)["ann"]) == ("fact.recorded nothing_changed", (10, 0, 0))


@pytest.mark.rule(30)
def test_rule_30_a_chain_of_claims_ends_at_the_last() -> None:
    told = story().tell(guest("2026-06-01", paid("o", "10")), claim("2026-06-02"), claim("2026-06-03", "ann", "zoe"))
    told.tell(guest("2026-06-04", refunded("o", "r", "4")), claim("2026-06-05", "zoe", "guest"))
    assert held(told) == {"guest": (0, 0, 0), "ann": (0, 0, 0), "zoe": (6, 0, 0)}


@pytest.mark.rule(30)
@pytest.mark.parametrize("seed", range(30))
def test_rule_30_rings_of_claims_never_close_and_no_point_is_lost(seed: int) -> None:
    chance = Random(seed)  # noqa: S311 (a seed that can be told again)
    told, names = story(), ["ann", "bob", "cat"]
    for number, name in enumerate(names):
        told.tell(Told("2026-06-01", paid(f"o{number}", "10"), member=name))
    told.holding = True
    claims = [claim("2026-06-02", "bob", "ann"), claim("2026-06-02", "cat", "bob"), claim("2026-06-02", "ann", "cat")]
    chance.shuffle(claims)
    for one in claims:
        told.tell(one)
        while told.inbox and chance.random() < 0.5:
            told.deliver()
    while told.inbox:
        told.deliver()
    assert sum(available for available, _, _ in held(told).values()) == 30
    owners = {name: told.standings[name].claimed_by for name in names}
    for name in names:
        seen = {name}
        while owners[name]:
            name = owners[name]  # noqa: PLW2901 (follows the chain)
            assert name not in seen
            seen.add(name)


@pytest.mark.rule(30)
def test_rule_30_of_two_who_claim_each_other_the_first_by_name_stays() -> None:
    told = story().tell(Told("2026-06-01", paid("a", "10")), Told("2026-06-01", paid("b", "10"), member="bob"))
    told.holding = True
    told.tell(claim("2026-06-02", "bob", "ann"), claim("2026-06-02", "ann", "bob"))
    while told.inbox:
        told.deliver()
    assert held(told) == {"ann": (20, 0, 0), "bob": (0, 0, 0)}


@pytest.mark.rule(30)
def test_rule_30_what_an_alias_tells_and_can_not_be_decided_is_recorded_with_its_reason() -> None:
    told = story().tell(guest("2026-06-01", paid("o", "10")), claim("2026-06-02"))
    told.tell(claim("2026-06-03", "cat", "bob"), guest("2026-06-04", MemberClaimed(guest="cat")))
    assert told.said[-2:] == ["fact.recorded member_claimed", "fact.recorded owned_by_another_member"]
    told.tell(
        guest("2026-06-05", RedemptionRequested(redemption_id="r", points=4)),
        guest("2026-06-06", RedemptionRequested(redemption_id="r", points=5)),
    )
    assert told.said[-1] == "fact.recorded conflict"
    assert held(told)["ann"] == (6, 0, 0)
