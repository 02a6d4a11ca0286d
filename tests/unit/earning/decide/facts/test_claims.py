"""Claims: what another id had moves with its dates, and counts add up; the id is an alias for ever. Rule 30."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from services.earning.decide import Outcome
from services.earning.decide.facts import claims
from services.earning.program.terms import (
    Activity,
    Caps,
    Card,
    Expiry,
    Limit,
    Pending,
    Reviews,
    TierLevel,
    Tiers,
    Versions,
)
from shared.errors import PermanentError
from shared.facts.activities import ActivityRecorded, ActivityWithdrawn
from shared.facts.fact import FactData
from shared.facts.imports import BalanceImport, ImportRevert
from shared.facts.members import MemberClaimed, MemberClosed, MemberEnrolled
from shared.facts.redemptions import RedemptionCancelled, RedemptionRequested
from shared.facts.reviews import ReviewPublished, ReviewRemoved
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


def review(review_id: str) -> ReviewPublished:
    return ReviewPublished(review_id=review_id, product_id="tea", rating=5)


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


@pytest.mark.rule(30, 28)
@pytest.mark.parametrize("own", [0, 5, 8])
def test_rule_28_cards_of_a_claimed_id_are_taken_back_like_ones_own(own: int) -> None:
    told = story().tell(guest("2026-06-01", pot("a", 5)), *([Told("2026-06-01", pot("b", own))] if own else []))
    told.tell(claim("2026-06-02"), guest("2026-06-03", pot("c", 2)))
    assert held(told)["ann"] == ((own + 7) // 5 * 100, 0, 0)
    told.tell(guest("2026-06-04", ActivityWithdrawn(activity_id="a", kind="pot")))
    assert held(told)["ann"] == ((own + 2) // 5 * 100, 0, 0)
    told.tell(guest("2026-06-05", ActivityWithdrawn(activity_id="b" if own else "c", kind="pot")))
    assert held(told)["ann"] == (0, 0, 0)


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


@pytest.mark.rule(30)
def test_rule_30_the_claimer_has_it_all_at_once() -> None:
    told = story(tiers=LADDER).tell(guest("2026-06-01", paid("o", "60")), Told("2026-06-01", paid("p", "60")))
    told.holding = True
    told.tell(claim("2026-06-02")).deliver()
    assert len(told.inbox) == 1
    told.deliver()
    assert (told.ann.tier, held(told)["ann"]) == ("gold", (120, 0, 0))


@pytest.mark.rule(30)
def test_rule_30_what_is_too_much_for_one_message_comes_in_parts_the_sums_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claims, "PART_BYTES_MAX", 100)
    told = story(tiers=LADDER).tell(guest("2026-06-01", paid("o", "60")), Told("2026-06-01", paid("p", "60")))
    told.holding = True
    told.tell(claim("2026-06-02")).deliver()
    assert len(told.inbox) > 1
    told.deliver()
    assert told.ann.tier == "gold"
    while told.inbox:
        told.deliver()
    told.tell(Told("2026-06-03", cancelled("o")), Told("2026-06-04", refunded("p", "r", "10")))
    assert (held(told)["ann"], told.ann.claiming) == ((50, 0, 0), ())


@pytest.mark.rule(30, 15, 17)
def test_rule_30_a_lot_whose_release_has_come_meanwhile_has_the_date_of_its_own_release() -> None:
    told = story(expiry=Expiry("after_available", 1), pending=Pending(days=2)).tell(guest("2026-06-01", paid("o", "9")))
    told.tell(Told("2026-06-20", paid("p", "1"))).holding = True
    told.tell(claim("2026-06-03", member="ann")).until("2026-06-04", "guest")
    while told.inbox:
        told.deliver()
    (lot,) = [lot for lot in told.lots["ann"].values() if lot.key.id == "o"]
    assert lot.available_at == instant("2026-06-04")


@pytest.mark.rule(30, 17)
def test_rule_30_what_has_ended_by_the_claimers_time_ends_as_it_comes() -> None:
    told = story(expiry=Expiry("after_available", 1)).tell(guest("2026-06-01", paid("o", "9")))
    told.holding = True
    told.tell(claim("2026-06-10")).deliver()
    told.tell(Told("2026-07-20", paid("p", "1"))).deliver()
    assert (held(told)["ann"], told.ann.balances.expired) == ((1, 0, 0), 9)


@pytest.mark.rule(30, 71)
def test_rule_30_a_closed_member_claims_nobody_and_what_comes_to_one_ends() -> None:
    told = story().tell(guest("2026-06-01", paid("o", "10")), Told("2026-06-02", MemberClosed()), claim("2026-06-03"))
    assert (told.said[-1], held(told)["guest"]) == ("fact.recorded member_closed", (10, 0, 0))
    told.tell(Told("2026-06-04", MemberEnrolled())).holding = True
    told.tell(claim("2026-06-05"), Told("2026-06-06", MemberClosed()))
    while told.inbox:
        told.deliver()
    assert (held(told)["ann"], told.ann.balances.expired) == ((0, 0, 0), 10)


@pytest.mark.rule(30, 71)
def test_rule_30_a_guest_who_claims_a_member_is_one() -> None:
    told = story(enrolment_required=True).tell(
        Told("2026-06-01", paid("o", "10")), guest("2026-06-01", MemberEnrolled())
    )
    told.tell(guest("2026-06-02", paid("p", "5")), claim("2026-06-03"))
    assert held(told)["ann"] == (15, 0, 0)


@pytest.mark.rule(30, 32)
@pytest.mark.parametrize("subject", ["guest", "ann"])
def test_rule_32_a_batch_is_reverted_under_either_id(subject: str) -> None:
    told = story().tell(guest("2026-06-01", BalanceImport(batch_id="b/1", row=1, points=10)), claim("2026-06-02"))
    told.tell(Told("2026-06-03", ImportRevert(batch_id="b/1"), member=subject))
    assert (held(told)["ann"], told.ann.balances.reverted) == ((0, 0, 0), 10)


@pytest.mark.rule(30, 32)
def test_rule_32_a_batch_that_was_reverted_for_one_of_both_can_be_for_the_other() -> None:
    rows = [BalanceImport(batch_id="b", row=row, points=10) for row in (1, 2)]
    told = story().tell(guest("2026-06-01", rows[0]), Told("2026-06-01", rows[1]))
    told.tell(Told("2026-06-02", ImportRevert(batch_id="b")), claim("2026-06-03"))
    assert held(told)["ann"] == (10, 0, 0)
    told.tell(guest("2026-06-04", ImportRevert(batch_id="b")))
    assert held(told)["ann"] == (0, 0, 0)


@pytest.mark.rule(30, 24)
def test_rule_24_bonuses_of_both_are_taken_back_by_a_refund() -> None:
    levels = (TierLevel("bronze", 0), TierLevel("silver", 50, entry_bonus=7))
    told = story(tiers=Tiers("bronze", levels)).tell(guest("2026-06-01", paid("o", "60")))
    told.tell(Told("2026-06-01", paid("p", "60")), claim("2026-06-02"))
    assert held(told)["ann"] == (134, 0, 0)
    told.tell(Told("2026-06-03", cancelled("o")), Told("2026-06-03", cancelled("p")))
    assert (told.ann.tier, held(told)["ann"]) == ("bronze", (0, 0, 0))


@pytest.mark.rule(30, 7)
@pytest.mark.parametrize("old", ["guest", "ann"])
def test_rule_7_caps_add_up_also_in_windows_that_are_long_gone_for_one_of_both(old: str) -> None:
    told, new = story(caps=Caps(day=10)), {"guest": "ann", "ann": "guest"}[old]
    told.tell(Told("2026-06-01", paid("o", "4"), member=old), Told("2026-06-01", paid("p", "4"), member=new))
    told.tell(*(Told(f"2026-06-{day:02}", paid(f"o{day}", "1"), member=old) for day in range(2, 7)))
    told.tell(claim("2026-06-08"), Told("2026-06-01 12:00", paid("q", "9"), received="2026-06-09"))
    assert told.said[-1] == "earned 2"


@pytest.mark.rule(30)
def test_rule_30_who_is_claimed_twice_by_the_same_keeps_nobody_waiting() -> None:
    told = story().tell(guest("2026-06-01", paid("o", "10")), claim("2026-06-02"))
    told.tell(Told("2026-06-03", MemberClaimed(guest="guest"), source="another-shop"))
    assert told.ann.claiming == ()
    assert told.tell(claim("2026-06-04", "ann", "zoe")).standings["zoe"].balances.available == 10


@pytest.mark.rule(30, 57)
def test_rule_57_what_was_forgiven_counts_for_the_redemptions_that_came_with_it() -> None:
    forgiving = story(deficit="forgive")
    forgiving.tell(guest("2026-06-01", paid("o", "10")), Told("2026-06-01", paid("p", "10")))
    forgiving.tell(guest("2026-06-02", RedemptionRequested(redemption_id="x", points=10)))
    forgiving.tell(Told("2026-06-02", RedemptionRequested(redemption_id="y", points=10)))
    forgiving.tell(guest("2026-06-03", cancelled("o")), claim("2026-06-04"))
    forgiving.tell(Told("2026-06-05", RedemptionCancelled(redemption_id="y")))
    assert held(forgiving)["ann"] == (10, 0, 0)
    forgiving.tell(Told("2026-06-06", RedemptionCancelled(redemption_id="x")))
    assert held(forgiving)["ann"] == (10, 0, 0)


@pytest.mark.rule(30, 66)
def test_rule_30_a_product_that_both_have_reviewed_is_free_once_neither_review_is_there() -> None:
    told = story(reviews=Reviews(points=10))
    told.tell(guest("2026-06-01", review("v")), Told("2026-06-01", review("w")), claim("2026-06-02"))
    told.tell(Told("2026-06-03", ReviewRemoved(review_id="v")), Told("2026-06-04", review("x")))
    assert (told.said[-1], held(told)["ann"]) == ("fact.recorded product_reviewed", (10, 0, 0))
    told.tell(Told("2026-06-05", ReviewRemoved(review_id="w")), Told("2026-06-06", review("y")))
    assert held(told)["ann"] == (10, 0, 0)
