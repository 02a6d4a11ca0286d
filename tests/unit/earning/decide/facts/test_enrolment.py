"""Guests, whose points wait for their enrolment: rules 30, 53, 63 and 71."""

from __future__ import annotations

from typing import Any

import pytest

from services.earning.program.terms import Activity, Expiry, Pending, TierLevel, Tiers, Versions
from shared.facts.activities import ActivityRecorded
from shared.facts.adjustments import PointsAdjust
from shared.facts.members import MemberEnrolled
from shared.facts.redemptions import RedemptionRequested
from tests.unit.earning.decide.story import Story, Told, cancelled, fulfilled, instant, paid, program, refunded

QUIZ = ActivityRecorded(activity_id="a", kind="quiz")


def club(**settings: Any) -> Story:
    made = program(enrolment_required=True, activities=(Activity("quiz", 7),), **settings)
    return Story(Versions((made,)))


@pytest.mark.rule(30, 71)
def test_rule_30_a_guests_points_wait_and_enrolment_of_the_same_id_releases_them() -> None:
    told = club().tell(Told("2026-06-01", paid("o", "10")), Told("2026-06-02", QUIZ))
    assert (told.ann.balances.available, told.ann.balances.pending) == (0, 17)
    told.until("2027-06-01")
    assert told.ann.balances.pending == 17
    told.tell(Told("2027-06-02", MemberEnrolled()))
    assert told.said[2:] == ["member.enrolled", "released 10", "released 7"]
    told.tell(Told("2027-06-03", paid("p", "5")))
    assert told.ann.balances.available == 22


@pytest.mark.rule(30, 63, 72)
def test_rule_63_what_enrolling_releases_and_its_bonus_lift_at_once() -> None:
    levels = (TierLevel("bronze", 0), TierLevel("silver", 10, entry_bonus=50), TierLevel("gold", 40, entry_bonus=5))
    told = club(tiers=Tiers("bronze", levels), enrolment_bonus=40)
    told.tell(Told("2026-06-01", paid("o", "10")), Told("2026-06-02", MemberEnrolled()))
    assert told.said[1:] == [
        "member.enrolled",
        "released 10",
        "earned 40",
        "tier bronze → gold, qualified",
        "earned 5",
    ]


@pytest.mark.rule(30)
def test_rule_30_a_guest_spends_nothing_and_a_refund_takes_what_waits() -> None:
    told = club().tell(Told("2026-06-01", paid("o", "10")))
    told.tell(Told("2026-06-02", RedemptionRequested(redemption_id="r", points=5)))
    told.tell(Told("2026-06-03", refunded("o", "f", "4")), Told("2026-06-04", cancelled("o")))
    rejected = "redemption.rejected 5 insufficient_points"
    assert told.said[1:] == [rejected, "reversed 4 refunded", "reversed 6 cancelled"]
    assert told.ann.balances.deficit == 0


@pytest.mark.rule(30, 15)
def test_rule_30_what_waits_for_its_own_date_goes_on_waiting() -> None:
    told = club(pending=Pending(days=14)).tell(Told("2026-06-01", paid("o", "10")))
    told.tell(Told("2026-06-05", MemberEnrolled()))
    assert told.ann.balances.pending == 10
    told.until("2026-06-16")
    assert told.ann.balances.available == 10


@pytest.mark.rule(30, 15)
def test_rule_30_a_guests_order_that_is_fulfilled_goes_on_waiting() -> None:
    told = club(pending=Pending("fulfilled")).tell(Told("2026-06-01", paid("o", "10")))
    told.tell(Told("2026-06-05", fulfilled("o")))
    assert told.ann.balances.pending == 10
    assert told.tell(Told("2026-06-06", MemberEnrolled())).ann.balances.available == 10


@pytest.mark.rule(30, 16)
def test_rule_30_the_life_of_a_guests_points_begins_when_they_are_released() -> None:
    told = club(expiry=Expiry("after_available", 1)).tell(Told("2026-06-01", paid("o", "10")))
    told.tell(Told("2026-12-10", MemberEnrolled())).until("2027-01-10")
    assert told.ann.balances.available == 10
    assert told.until("2027-01-11").ann.balances.expired == 10


@pytest.mark.rule(30, 23)
def test_rule_30_tiers_count_once_points_are_released() -> None:
    tiers = Tiers("bronze", (TierLevel("bronze", 0), TierLevel("gold", 15)))
    told = club(tiers=tiers).tell(Told("2026-06-01", paid("o", "10")), Told("2026-06-02", QUIZ))
    assert told.ann.tier == "bronze"
    assert told.tell(Told("2026-06-03", MemberEnrolled())).ann.tier == "gold"


@pytest.mark.rule(30, 22)
@pytest.mark.parametrize("measure", ["spend", "order_count"])
@pytest.mark.parametrize("pending", [None, Pending(days=3)])
def test_rule_30_a_guests_orders_count_for_tiers_by_any_measure_once_they_enrol(
    measure: str, pending: Pending | None
) -> None:
    tiers = Tiers("bronze", (TierLevel("bronze", 0), TierLevel("gold", 1)), measure=measure)
    told = club(tiers=tiers, pending=pending).tell(Told("2026-06-01", paid("o", "10")))
    assert told.until("2026-06-20").ann.tier == "bronze"
    assert told.tell(Told("2026-06-21", MemberEnrolled())).ann.tier == "gold"
    assert told.tell(Told("2026-06-22", cancelled("o"))).ann.tier == "bronze"


@pytest.mark.rule(30, 53)
@pytest.mark.parametrize("mode", ["never", "after_available", "inactivity"])
def test_rule_53_a_date_of_its_own_never_moves_while_a_guests_points_wait(mode: str) -> None:
    given = PointsAdjust(adjustment_id="x", points=5, reason="sorry", actor_id="me", expires_at=instant("2026-06-10"))
    for enrolled, until, expired in (("2026-06-05", "2026-06-09", 0), ("2026-06-05", "2026-06-10", 5)):
        told = club(expiry=Expiry(mode, 1)).tell(Told("2026-06-01", given), Told(enrolled, MemberEnrolled()))
        assert told.until(until).ann.balances.expired == expired
    told = club(expiry=Expiry(mode, 1)).tell(Told("2026-06-01", given), Told("2026-06-20", MemberEnrolled()))
    assert (told.ann.balances.available, told.ann.balances.expired) == (0, 5)


@pytest.mark.rule(30)
def test_rule_30_what_was_taken_back_while_it_waited_is_not_said_to_be_released() -> None:
    told = club().tell(Told("2026-06-01", paid("o", "10")), Told("2026-06-02", cancelled("o")))
    assert told.tell(Told("2026-06-03", MemberEnrolled())).said[2:] == ["member.enrolled"]


@pytest.mark.rule(30, 21)
def test_rule_30_points_that_a_person_gives_a_guest_wait_too() -> None:
    given = PointsAdjust(adjustment_id="x", points=5, reason="sorry", actor_id="me")
    told = club().tell(Told("2026-06-01", given))
    assert (told.ann.balances.pending, told.ann.balances.adjusted) == (5, 5)
    assert told.tell(Told("2026-06-02", MemberEnrolled())).ann.balances.available == 5


@pytest.mark.rule(30)
def test_rule_30_who_enrols_first_never_waits() -> None:
    told = club().tell(Told("2026-06-01", MemberEnrolled()), Told("2026-06-02", paid("o", "10")))
    assert told.ann.balances.available == 10
