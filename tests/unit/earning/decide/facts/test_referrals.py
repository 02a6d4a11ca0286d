"""Referrals and the bonus for enrolling: rules 24, 26, 30 and 67."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from random import Random
from typing import Any

import pytest

from services.earning.decide import Outcome
from services.earning.program.terms import Limit, Pending, Referrals, TierLevel, Tiers, Versions
from services.earning.state.standing import BusinessKey
from shared.errors import PermanentError
from shared.facts.fact import FactData
from shared.facts.imports import BalanceImport, ImportRevert
from shared.facts.members import MemberClosed, MemberEnrolled
from shared.facts.referrals import ReferralClicked, ReferralCompleted, ReferralJoined, ReferralUnblock, ReferralVoided
from tests.unit.earning.decide.story import (
    Story,
    Told,
    cancelled,
    fulfilled,
    instant,
    paid,
    program,
    refunded,
    words,
)

GIVE_20_GET_20 = Referrals(20, 20, minimum_micros=50_000_000, blocks=frozenset({"same_ip", "same_device"}))
ORDER = paid("o", "60")


def story(referrals: Referrals | None = GIVE_20_GET_20, **settings: Any) -> Story:
    return Story(Versions((program(rules=(), referrals=referrals, **settings),)))


def completed(order_id: str = "o", referral_id: str = "f", by: str = "bob", **signals: bool) -> ReferralCompleted:
    return ReferralCompleted(referral_id=referral_id, referrer_id=by, order_id=order_id, signals=signals)


VOIDED = ReferralVoided(referral_id="f")
UNBLOCK = ReferralUnblock(referral_id="f")


def days(*facts: FactData, first: int = 1, member: str = "ann") -> list[Told]:
    return [Told(f"2026-06-{day:02}", data, member=member) for day, data in enumerate(facts, first)]


def said(told: Story, member: str) -> list[str]:
    """What was said of a member, without what only waits or orders without points."""
    return [words(event) for event in told.events if event.member == member and "recorded" not in words(event)]


def balances(told: Story) -> tuple[int, int]:
    """What the referee and the referrer have, pending or not."""
    held = [told.standings[name].balances if name in told.standings else None for name in ("ann", "bob")]
    return tuple(one.available + one.pending if one else 0 for one in held)  # type: ignore[return-value]


@pytest.mark.rule(26)
def test_rule_26_both_are_rewarded_on_the_first_qualifying_order() -> None:
    told = story().tell(*days(ORDER, completed()))
    assert said(told, "bob") == ["referral.rewarded 20", "earned 20"]
    assert said(told, "ann") == ["referral.rewarded 20", "earned 20"]


@pytest.mark.rule(26, 67, 51)
def test_rule_67_order_and_referral_wait_for_each_other_whatever_comes_first() -> None:
    joined = ReferralJoined(referral_id="f", referrer_id="bob")
    for order in permutations(days(joined, ORDER, completed())):
        arrived = [Told(one.at, one.data, received="2026-06-10") for one in order]
        told = story().tell(*arrived, *arrived)
        assert balances(told) == (20, 20)


@pytest.mark.rule(26)
@pytest.mark.parametrize(
    ("taking", "reason"),
    [(cancelled("o"), "cancelled"), (refunded("o", "r", "10.01"), "refunded"), (VOIDED, "voided")],
)
def test_rule_26_both_lose_it_when_the_order_or_the_referral_falls(taking: FactData, reason: str) -> None:
    told = story().tell(*days(ORDER, completed(), taking))
    assert said(told, "ann")[2:] == [f"referral.reversed {reason}", f"reversed 20 {reason}"]
    assert said(told, "bob")[2:] == ["referral.reversed reversed", "reversed 20 reversed"]
    assert balances(told) == (0, 0)


@pytest.mark.rule(26)
def test_rule_26_a_refund_that_leaves_the_minimum_takes_nothing() -> None:
    assert balances(story().tell(*days(ORDER, completed(), refunded("o", "r", "10")))) == (20, 20)


@pytest.mark.rule(26)
def test_rule_26_a_later_first_order_may_qualify_anew() -> None:
    told = story().tell(*days(ORDER, completed(), cancelled("o"), paid("p", "70"), completed("p")))
    assert balances(told) == (20, 20)
    assert said(told, "ann").count("earned 20") == said(told, "bob").count("earned 20") == 2


@pytest.mark.rule(26)
def test_rule_26_paid_again_it_qualifies_again() -> None:
    told = story().tell(*days(ORDER, completed(), cancelled("o"), ORDER))
    assert balances(told) == (20, 20)


@pytest.mark.rule(26)
def test_rule_26_below_the_minimum_and_without_a_program_for_it_there_is_nothing() -> None:
    assert words(story().tell(*days(paid("o", "49.99"), completed())).events[-1]) == "fact.recorded below_minimum"
    assert words(story(None).tell(*days(ORDER, completed())).events[-1]) == "fact.recorded nothing_eligible"


@pytest.mark.rule(26)
def test_rule_26_a_basis_in_another_currency_decides_in_the_programs() -> None:
    dollars = paid("o", "60", currency="USD", exchange_rate="0.8")
    assert balances(story().tell(*days(dollars, completed()))) == (0, 0)


@pytest.mark.rule(26, 15)
def test_rule_26_points_wait_as_long_as_the_order_does() -> None:
    told = story(pending=Pending(days=14)).tell(*days(ORDER, completed()))
    assert [told.standings[name].balances.pending for name in ("ann", "bob")] == [20, 20]
    told.until("2026-06-16", "ann").until("2026-06-16", "bob")
    assert [told.standings[name].balances.available for name in ("ann", "bob")] == [20, 20]


@pytest.mark.rule(26, 15)
def test_rule_26_points_wait_for_the_fulfilment_on_both_sides() -> None:
    told = story(pending=Pending("fulfilled", 2)).tell(*days(ORDER, completed()))
    told.until("2026-07-01", "ann").until("2026-07-01", "bob")
    assert [told.standings[name].balances.pending for name in ("ann", "bob")] == [20, 20]
    told.tell(Told("2026-07-02", fulfilled("o")))
    told.until("2026-07-05", "ann").until("2026-07-05", "bob")
    assert [told.standings[name].balances.available for name in ("ann", "bob")] == [20, 20]


@pytest.mark.rule(26, 67)
@pytest.mark.parametrize(
    ("before", "referral", "reason"),
    [
        ([], completed(by="ann"), "self_referral"),
        ([paid("earlier", "5")], completed(), "not_a_new_customer"),
        ([BalanceImport(batch_id="b", row=1, points=0, lifetime_points=1)], completed(), "not_a_new_customer"),
        ([], completed(same_ip=True), "same_ip"),
        ([], completed(same_device=True, same_payment=True), "same_device"),
    ],
)
def test_rule_67_blocked_means_nothing_for_both_until_a_person_unblocks_it(
    before: list[FactData], referral: ReferralCompleted, reason: str
) -> None:
    told = story().tell(*days(*before, ORDER, referral))
    assert said(told, "ann")[len(before) and len(said(told, "ann")) - 1 :] == [f"referral.blocked {reason}"]
    assert balances(told) == (0, 0)
    told.tell(*days(UNBLOCK, first=20))
    assert sum(balances(told)) == 40


@pytest.mark.rule(67)
def test_rule_67_signals_that_are_not_true_or_that_the_program_does_not_block_block_nothing() -> None:
    assert balances(story().tell(*days(ORDER, completed(same_ip=False, same_payment=True)))) == (20, 20)


@pytest.mark.rule(67)
def test_rule_67_an_import_that_was_reverted_makes_nobody_an_old_customer() -> None:
    brought = BalanceImport(batch_id="b", row=1, points=5, lifetime_points=9)
    told = story().tell(*days(brought, ImportRevert(batch_id="b"), ORDER, completed()))
    assert balances(told) == (20, 20)


@pytest.mark.rule(26, 67)
def test_rule_67_over_the_referrers_cap_it_is_blocked_and_a_place_that_is_freed_serves_later_ones() -> None:
    told = story(Referrals(20, 20, limit=Limit(1, "month")))
    for name in ("ann", "cat", "dan", "eve"):
        told.tell(Told("2026-06-01", paid(f"o-{name}", "60"), member=name))
    for day, name in enumerate(("ann", "cat"), 2):
        told.tell(Told(f"2026-06-{day:02}", completed(f"o-{name}", f"f-{name}"), member=name))
    assert said(told, "cat") == ["referral.blocked referrer_cap"]
    assert said(told, "bob")[2:] == ["referral.blocked referrer_cap"]
    told.tell(Told("2026-06-04", cancelled("o-ann"), member="ann"))
    told.tell(Told("2026-06-05", completed("o-dan", "f-dan"), member="dan"))
    assert (said(told, "dan"), balances(told)) == (["referral.rewarded 20", "earned 20"], (0, 20))
    told.tell(Told("2026-06-06", ReferralUnblock(referral_id="f-cat"), member="cat"))
    assert (said(told, "cat")[1:], balances(told)) == (["referral.rewarded 20", "earned 20"], (0, 40))


@pytest.mark.rule(26)
def test_rule_26_clicks_and_sign_ups_are_counted() -> None:
    told = story().tell(Told("2026-06-01", ReferralClicked(referral_id="f"), member="bob"))
    told.tell(*days(ReferralJoined(referral_id="f", referrer_id="bob")))
    assert told.said == ["fact.recorded referral_clicked", "fact.recorded referral_joined"]
    again = told.take(Told("2026-06-02", ReferralClicked(referral_id="f"), member="bob").fact(9))
    assert again.outcome is Outcome.DUPLICATE


@pytest.mark.rule(26)
def test_rule_26_a_referral_of_another_referrer_is_a_conflict() -> None:
    told = story().tell(*days(ReferralJoined(referral_id="f", referrer_id="bob")))
    with pytest.raises(PermanentError) as refused:
        told.tell(*days(completed(by="eve"), first=2))
    assert (refused.value.reason, refused.value.field) == ("conflict", "data.referrer_id")


DOUBLE = TierLevel("gold", 100, activities=(("referral", Fraction(2)),))


@pytest.mark.rule(24, 26, 67)
def test_rule_67_each_side_has_the_multiplier_of_the_tier_held_before_the_order() -> None:
    tiers = Tiers("basic", (TierLevel("basic", 0), DOUBLE))
    told = story(tiers=tiers)
    gold = [BalanceImport(batch_id="b", row=row, points=0, lifetime_points=100) for row in (1, 2)]
    told.tell(Told("2026-06-01", gold[0], member="bob"), Told("2026-06-03", gold[1], member="eve"))
    told.tell(Told("2026-06-02", ORDER), Told("2026-06-04", completed()))
    told.tell(Told("2026-06-02", paid("p", "60"), member="cat", received="2026-06-05"))
    told.tell(Told("2026-06-06", completed("p", "g", by="eve"), member="cat"))
    assert [said(told, name)[-1] for name in ("bob", "eve", "ann", "cat")] == [
        "earned 40",
        "earned 20",
        "earned 20",
        "earned 20",
    ]


@pytest.mark.rule(26, 71)
def test_rule_71_a_referrer_whose_membership_is_closed_gets_nothing_and_the_referee_does() -> None:
    told = story().tell(*days(MemberClosed(), member="bob")).tell(*days(ORDER, completed()))
    assert balances(told) == (20, 0)


@pytest.mark.rule(26, 51)
@pytest.mark.parametrize("seed", range(40))
def test_rule_26_both_sides_converge_in_any_order_of_facts_and_messages(seed: int) -> None:
    """Messages are late, and never lost; each is told twice. What the facts say last is what both have."""
    chance = Random(seed)  # noqa: S311 (a seed that can be told again)
    facts = days(ORDER, completed(), refunded("o", "r", "20"), cancelled("o"), ORDER)
    alive = chance.random() < 0.5
    if alive:
        facts = [facts[0], facts[1], facts[3], facts[4]]
    chance.shuffle(facts)
    told = story(pending=Pending(days=3))
    told.holding = True
    for one in facts:
        told.tell(Told(one.at, one.data, received="2026-06-20"))
        while told.inbox and chance.random() < 0.6:
            place = chance.randrange(len(told.inbox))
            if len(told.inbox) < 8:
                told.inbox.append(told.inbox[place])
            told.deliver(place)
    while told.inbox:
        told.deliver(chance.randrange(len(told.inbox)))
    assert balances(told) == ((20, 20) if alive else (0, 0))


@pytest.mark.rule(30)
def test_rule_30_the_bonus_for_enrolling_is_given_once() -> None:
    told = story(enrolment_bonus=100)
    told.tell(*days(MemberEnrolled(), MemberEnrolled(segments=("vip",)), MemberClosed(), MemberEnrolled()))
    assert [word for word in told.said if word.startswith("earned")] == ["earned 100"]
    assert told.said[0] == "member.enrolled"


@pytest.mark.rule(30, 71)
def test_rule_30_an_enrolment_that_does_not_count_leaves_the_bonus_to_the_next() -> None:
    told = story(enrolment_bonus=100, in_force_from=instant("2026-06-01"))
    told.tell(Told("2026-05-31", MemberEnrolled()), Told("2026-06-05", MemberClosed()))
    told.tell(Told("2026-06-04", MemberEnrolled(), received="2026-06-06"))
    assert told.ann.balances.earned == 0
    assert told.tell(Told("2026-06-07", MemberEnrolled())).ann.balances.available == 100


@pytest.mark.rule(26)
def test_a_referral_follows_its_order_even_where_it_is_blocked() -> None:
    """A payment that turns up later, and was earlier, chooses a version that doesn't block."""
    strict = program(rules=(), version=2, in_force_from=instant("2026-06-01"), referrals=GIVE_20_GET_20)
    told = Story(Versions((program(rules=(), referrals=Referrals(20, 20)), strict)))
    told.tell(*days(ORDER, completed(same_ip=True)))
    assert balances(told) == (0, 0)
    assert [one.order_id for one in told.ann.referred] == ["o"]
    told.tell(Told("2026-05-30", ORDER, received="2026-06-05"))
    assert balances(told) == (20, 20)
    assert told.keys[BusinessKey("club", "shop", "referrer", "f")].member == "bob"
    assert told.standings["bob"].decided_at == instant("2026-06-05")


@pytest.mark.rule(67)
def test_rule_67_who_was_refused_for_the_limit_stays_refused_while_the_referral_qualifies() -> None:
    told = story(Referrals(20, 20, limit=Limit(1)), pending=Pending("fulfilled", 2))
    for name in ("ann", "cat"):
        told.tell(Told("2026-06-01", paid(f"o-{name}", "60"), member=name))
        told.tell(Told("2026-06-02", completed(f"o-{name}", f"f-{name}"), member=name))
    told.tell(Told("2026-06-03", cancelled("o-ann"), member="ann"))
    told.tell(Told("2026-06-04", fulfilled("o-cat"), member="cat"))
    assert said(told, "cat")[0] == "referral.blocked referrer_cap"
    assert "cat" in told.standings
    assert told.standings["cat"].balances.pending == 0
    told.tell(Told("2026-06-05", cancelled("o-cat"), member="cat"))
    told.tell(Told("2026-06-06", paid("o-cat", "60"), member="cat"))
    assert told.standings["cat"].balances.pending == 20


@pytest.mark.rule(26, 71)
def test_rule_71_a_referee_whose_membership_is_closed_is_told_of_no_points() -> None:
    told = story().tell(*days(ORDER, MemberClosed(), completed()))
    assert said(told, "ann")[-1] == "referral.rewarded 0"
    assert balances(told) == (0, 20)
