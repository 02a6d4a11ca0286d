"""Stamps and cards: rules 28 and 69."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from services.earning.program.terms import (
    Activity,
    Basis,
    Card,
    Limit,
    Pending,
    Selection,
    TierLevel,
    Tiers,
    Versions,
)
from shared.facts.activities import ActivityRecorded, ActivityWithdrawn
from shared.facts.fact import FactData
from shared.facts.members import MemberClosed
from shared.facts.orders import RefundLine
from shared.point_events import EventData, StampCardCompleted, StampCollected
from tests.unit.earning.decide.story import Story, Told, cancelled, instant, line, paid, program, refunded, updated

MASKS = Card("masks", 5, activity="pot", reward="a face mask")
FIVERS = Card("fivers", 5, activity="pot", points=100)
COFFEES = Card("coffees", 10, selection=Selection(frozenset({"coffee"})), reward="a coffee")
POT = (Activity("pot"),)


def story(*cards: Card, **settings: Any) -> Story:
    return Story(Versions((program(cards=cards, activities=POT, **settings),)))


def pot(number: int, quantity: int = 1) -> ActivityRecorded:
    return ActivityRecorded(activity_id=f"p{number}", kind="pot", quantity=quantity)


def back(number: int) -> ActivityWithdrawn:
    return ActivityWithdrawn(activity_id=f"p{number}", kind="pot")


def days(*facts: FactData, first: int = 1) -> list[Told]:
    return [Told(f"2026-06-{day:02}", data) for day, data in enumerate(facts, first)]


def stamped(events: list[EventData]) -> list[int]:
    return [event.total for event in events if isinstance(event, StampCollected)]


def completed(events: list[EventData]) -> list[tuple[int, int]]:
    return [(event.number, event.cards) for event in events if isinstance(event, StampCardCompleted)]


@pytest.mark.rule(28)
def test_rule_28_five_pots_one_withdrawn_one_returned_then_the_tenth() -> None:
    told = story(MASKS).tell(*days(*(pot(n) for n in range(1, 6))))
    assert completed(told.events) == [(1, 1)]
    told.tell(*days(back(5), pot(6), first=6))
    assert completed(told.events) == [(1, 1)]
    told.tell(*days(*(pot(n) for n in range(7, 12)), first=8))
    assert (completed(told.events), told.ann.cards["masks"].stamps) == ([(1, 1), (2, 1)], 10)


@pytest.mark.rule(28)
def test_rule_28_a_fact_of_many_units_completes_several_cards_at_once() -> None:
    told = story(MASKS).tell(*days(pot(1, 3), pot(2, 12)))
    assert (stamped(told.events), completed(told.events)) == ([3, 15], [(3, 3)])


@pytest.mark.rule(28)
def test_rule_28_points_for_a_card_follow_its_stamps() -> None:
    told = story(FIVERS).tell(*days(pot(1, 4), pot(2, 7), pot(3, 4), back(2), back(3), pot(4, 11), back(4), back(1)))
    moved = [word for word in told.said if word.startswith(("earned", "reversed"))]
    assert moved == [
        "earned 200",
        "earned 100",
        "reversed 100 withdrawn",
        "reversed 100 withdrawn",
        "reversed 100 withdrawn",
        "earned 300",
        "reversed 300 withdrawn",
    ]
    assert completed(told.events) == [(2, 2), (3, 1)]
    assert (told.ann.cards["fivers"].stamps, told.ann.balances.available) == (0, 0)


@pytest.mark.rule(28, 51)
def test_rule_28_any_order_of_arrival_ends_with_the_same_stamps_and_points() -> None:
    facts: list[FactData] = [pot(1, 3), pot(2, 4), back(2), pot(3, 3)]
    for order in permutations(days(*facts)):
        arrived = [Told(one.at, one.data, received="2026-06-10") for one in order]
        told = story(FIVERS).tell(*arrived, *arrived)
        assert (told.ann.cards["fivers"].stamps, told.ann.balances.available) == (6, 100)


@pytest.mark.rule(28, 68)
def test_rule_68_stamps_count_units_and_an_activity_over_its_limit_gives_none() -> None:
    limited = program(cards=(MASKS,), activities=(Activity("pot", 1, limit=Limit(1)),))
    told = Story(Versions((limited,))).tell(*days(pot(1, 3), pot(2, 3)))
    assert told.said == ["earned 1", "stamp.collected", "fact.recorded limit_reached"]


@pytest.mark.rule(28)
def test_rule_28_units_of_orders_by_the_lines_selected() -> None:
    told = story(COFFEES)
    lines = line("1", "30", "coffee", quantity=9), line("2", "5", "cake", quantity=4)
    told.tell(*days(paid("a", *lines), paid("b", line("1", "3", "coffee"))))
    assert (stamped(told.events), completed(told.events)) == ([9, 10], [(1, 1)])


@pytest.mark.rule(69)
@pytest.mark.parametrize(
    ("refund", "stamps"),
    [
        (refunded("o", "r", lines={"1": RefundLine(line_id="1", amount="6", quantity=2)}), [9, 7]),
        (refunded("o", "r", lines={"1": "6"}), [9]),
        (refunded("o", "r", lines={"1": "27"}), [9, 0]),
        (refunded("o", "r", "27"), [9, 0]),
        (refunded("o", "r", "5"), [9]),
        (cancelled("o"), [9, 0]),
        (updated("o", line("1", "9", "coffee", quantity=3)), [9, 3]),
    ],
)
def test_rule_69_a_unit_is_lost_where_quantities_are_named_or_a_line_is_back_in_full(
    refund: FactData, stamps: list[int]
) -> None:
    told = story(COFFEES).tell(*days(paid("o", line("1", "27", "coffee", quantity=9)), refund))
    assert stamped(told.events) == stamps


@pytest.mark.rule(28, 69)
def test_rule_69_orders_not_awarded_and_gift_cards_give_no_stamps() -> None:
    gift, coffee = line("1", "10", "coffee", gift_card=True), line("1", "3", "coffee")
    told = story(COFFEES, gate="fulfilled").tell(*days(paid("a", coffee), paid("b", coffee, test=True)))
    assert stamped(told.events) == []
    assert stamped(story(COFFEES).tell(*days(paid("a", gift))).events) == []
    assert stamped(story(COFFEES, basis=Basis(gift_cards=True)).tell(*days(paid("a", gift))).events) == [1]


@pytest.mark.rule(49, 69)
@pytest.mark.parametrize(("counts", "stamps"), [(True, [9, 7]), (False, [9])])
def test_rule_69_a_refund_that_takes_no_points_takes_no_stamps(*, counts: bool, stamps: list[int]) -> None:
    told = story(COFFEES, basis=Basis(store_credit_refunds=counts))
    back = {"1": RefundLine(line_id="1", amount="6", quantity=2)}
    told.tell(*days(paid("o", line("1", "27", "coffee", quantity=9))))
    told.tell(*days(refunded("o", "r", lines=back, tender="store_credit"), first=2))
    assert stamped(told.events) == stamps


def turning(**first: Any) -> Story:
    """Five pots for 100 points; from July on ten."""
    july = program(version=2, in_force_from=instant("2026-07-01"), activities=POT, cards=(replace(FIVERS, every=10),))
    return Story(Versions((program(activities=POT, cards=(FIVERS,), **first), july)))


@pytest.mark.rule(28, 35)
def test_rule_35_a_card_that_asks_for_more_stamps_takes_back_none_that_was_complete() -> None:
    told = turning().tell(*days(pot(1, 5)), Told("2026-07-02", pot(2)))
    assert told.ann.balances.available == 100
    told.tell(Told("2026-07-03", back(2)))
    assert told.ann.balances.available == 100
    told.tell(Told("2026-07-04", pot(3, 15)))
    assert (told.ann.cards["fivers"].stamps, told.ann.balances.available) == (20, 200)
    told.tell(Told("2026-07-05", back(3)), Told("2026-07-05", back(1)))
    assert (told.ann.cards["fivers"].stamps, told.ann.balances.available) == (0, 0)


@pytest.mark.rule(28)
def test_rule_28_fewer_stamps_complete_no_card_whatever_it_asks_for_since() -> None:
    fewer = program(version=2, in_force_from=instant("2026-07-01"), activities=POT, cards=(replace(MASKS, every=2),))
    told = Story(Versions((program(activities=POT, cards=(MASKS,)), fewer))).tell(*days(pot(1, 4)))
    told.tell(Told("2026-07-02", pot(2)), Told("2026-07-03", pot(2, 0)))
    assert (stamped(told.events), completed(told.events)) == ([4, 5, 4], [(2, 2)])


@pytest.mark.rule(28, 34)
def test_rule_34_stamps_go_with_a_card_that_the_earlier_version_did_not_have() -> None:
    none = program(activities=POT)
    cards = program(version=2, in_force_from=instant("2026-07-01"), activities=POT, cards=(FIVERS, COFFEES))
    told = Story(Versions((none, cards)))
    told.tell(Told("2026-07-02", pot(1, 7)), Told("2026-07-03", paid("o", line("1", "3", "coffee", quantity=4))))
    assert (told.ann.cards["fivers"].stamps, told.ann.balances.available) == (7, 103)
    told.tell(Told("2026-06-30", pot(1, 7), received="2026-07-04"))
    told.tell(Told("2026-06-30", paid("o", line("1", "3", "coffee", quantity=4)), received="2026-07-04"))
    assert [card.stamps for card in told.ann.cards.values()] == [0, 0]
    assert told.ann.balances.available == 3


@pytest.mark.rule(28, 72)
def test_rule_72_stamps_and_their_points_come_before_the_change_of_tier() -> None:
    tiers = Tiers("bronze", (TierLevel("bronze", 0), TierLevel("gold", 100)))
    told = story(FIVERS, tiers=tiers, pending=Pending(days=14)).tell(*days(pot(1, 5)))
    assert told.said == ["stamp.collected", "stamp_card.completed", "earned 100", "tier bronze → gold, qualified"]
    assert told.events[0].fact is not None
    told.tell(*days(back(1), first=2))
    assert told.said[4:] == ["stamp.collected", "reversed 100 withdrawn", "tier gold → bronze, reversed"]


@pytest.mark.rule(71)
def test_rule_71_a_closed_member_collects_nothing_more() -> None:
    told = story(MASKS, COFFEES).tell(*days(pot(1, 2), MemberClosed(), pot(2, 3), paid("o", line("1", "3", "coffee"))))
    assert stamped(told.events) == [2]


@pytest.mark.rule(28, 70)
def test_rule_28_a_card_completed_by_what_happened_before_the_first_version_is_paid() -> None:
    told = story(replace(COFFEES, points=100, reward=""), in_force_from=instant("2026-06-01"))
    sold = updated("o", line("1", "30", "coffee", quantity=10), placed_at=instant("2026-06-02"))
    told.tell(Told("2026-05-02", sold, received="2026-06-03"), Told("2026-06-04", cancelled("o")))
    assert [said for said in told.said if said.endswith(("earned 100", "reversed 100 stamps_lost"))] == [
        "earned 100",
        "reversed 100 stamps_lost",
    ]
    assert (told.ann.balances.available, told.ann.balances.deficit) == (0, 0)
