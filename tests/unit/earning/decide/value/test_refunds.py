"""What refunds, cancels and updates take back: rules 9 to 13, 42, 43, 49, 57, 58."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from typing import Any

import pytest

from services.earning.program.terms import Basis, Campaign, Rule, Selection, Versions
from shared.point_events import PointsEarned, PointsReversed
from tests.unit.earning.decide.facts.test_orders import NOON, cases
from tests.unit.earning.decide.story import Story, Told, cancelled, ladder, line, paid, program, refunded, updated

TEA = Selection(categories=frozenset({"tea"}))
DOUBLE = (Campaign("double", Fraction(2), minimum_micros=100_000_000),)


def refund(refund_id: str, amount: str | None = None, day: str = "02", **more: Any) -> Told:
    return Told(f"2026-06-{day}", refunded("o", refund_id, amount, **more))


@pytest.mark.parametrize(
    ("order", "refunds", "settings", "said"),
    cases(
        (
            "line_by_line",
            9,
            paid("o", "9.99", "10.00"),
            [refund("r", lines={"1": "9.99"}), refund("s", lines={"2": "10.00"})],
            {"rules": (Rule("r", rate=Fraction(5, 2)),)},
            ["earned 49", "reversed 24 refunded", "reversed 25 refunded"],
        ),
        (
            "campaign_minimum_is_missed_by_what_is_left",
            9,
            paid("o", "40", "80"),
            [refund("r", lines={"1": "40"})],
            {"campaigns": DOUBLE},
            ["earned 240", "reversed 160 refunded"],
        ),
        (
            "over_refund_takes_no_more",
            9,
            paid("o", "20"),
            [refund("r", lines={"1": "20"}), refund("s", "50")],
            {},
            ["earned 20", "reversed 20 refunded", "fact.recorded nothing_changed"],
        ),
        (
            "fixed_points_stay_while_anything_is_left",
            9,
            paid("o", line("1", "10", "tea"), "20"),
            [refund("r", lines={"2": "20", "1": "9.99"}), refund("s", lines={"1": "0.01"})],
            {"rules": (Rule("ten", points=10, selection=TEA),)},
            ["earned 10", "fact.recorded nothing_changed", "reversed 10 refunded"],
        ),
        (
            "never_more_than_the_whole",
            9,
            paid("o", "60", "40"),
            [refund("r", lines={"1": "60"})],
            {
                "rules": (
                    Rule("big", rate=Fraction(1), minimum_micros=100_000_000, priority=1),
                    Rule("small", rate=Fraction(9)),
                ),
                "stacking": "first",
            },
            ["earned 100", "fact.recorded nothing_changed"],
        ),
        (
            "by_amount_of_the_grand_total",
            10,
            paid("o", line("1", "100", tax="19"), shipping="5"),
            [refund("r", "62")],
            {},
            ["earned 100", "reversed 50 refunded"],
        ),
        (
            "line_share_is_of_the_price_paid",
            10,
            paid("o", "10", "20", "70", discount="10"),
            [refund("r", lines={"3": "63"})],
            {},
            ["earned 90", "reversed 63 refunded"],
        ),
        (
            "shipping_only_takes_nothing",
            11,
            paid("o", "20", shipping="5"),
            [refund("r", shipping="5")],
            {},
            ["earned 20", "fact.recorded nothing_changed"],
        ),
        (
            "shipping_in_the_basis",
            11,
            paid("o", "20", shipping="5"),
            [refund("r", shipping="5")],
            {"basis": Basis(shipping=True)},
            ["earned 25", "reversed 5 refunded"],
        ),
        (
            "line_that_is_not_there",
            11,
            paid("o", "20"),
            [refund("r", "20", lines={"9": "20"})],
            {},
            ["earned 20", "fact.recorded nothing_changed"],
        ),
        (
            "two_contents_of_a_refund_the_later_counts",
            11,
            paid("o", "20"),
            [refund("r", "15"), refund("r", "5", day="03")],
            {},
            ["earned 20", "reversed 15 refunded", "earned 10"],
        ),
        (
            "update_and_refund_facts_are_one_set",
            11,
            paid("o", "20"),
            [
                refund("r", "5"),
                Told("2026-06-03", updated("o", "20", refunds=(refunded("o", "r", "5"), refunded("o", "s", "1")))),
            ],
            {},
            ["earned 20", "reversed 5 refunded", "reversed 1 updated"],
        ),
        (
            "before_its_order",
            13,
            paid("o", "20"),
            [refund("r", "5")],
            {},
            ["earned 20", "reversed 5 refunded"],
        ),
        (
            "later_increase_with_its_refund",
            13,
            paid("o", "100"),
            [
                refund("r", lines={"1": "30"}),
                Told("2026-06-03", updated("o", line("1", "100"), line("2", "50"))),
            ],
            {},
            ["earned 100", "reversed 30 refunded", "earned 50"],
        ),
        (
            "shipping_a_line_and_an_amount",
            42,
            paid("o", "20", "30", shipping="4.90"),
            [refund("r", shipping="4.90"), refund("s", lines={"1": "20"}), refund("t", "30")],
            {},
            ["earned 50", "fact.recorded nothing_changed", "reversed 20 refunded", "reversed 30 refunded"],
        ),
        (
            "amount_beyond_its_lines",
            42,
            paid("o", "20", "30"),
            [refund("r", "35", lines={"1": "20"})],
            {},
            ["earned 50", "reversed 35 refunded"],
        ),
        (
            "excess_of_a_line_never_takes_from_another",
            42,
            paid("o", "20", "30"),
            [refund("r", "25", lines={"1": "25"})],
            {},
            ["earned 50", "reversed 20 refunded"],
        ),
        (
            "paid_partly_in_points",
            40,
            paid("o", line("1", "100", tax="19"), points_payment="59.50"),
            [refund("r", "59.50", lines={"1": "100"})],
            {},
            ["earned 50", "reversed 50 refunded"],
        ),
        (
            "grand_total_is_cash",
            43,
            paid("o", line("1", "100", tax="19"), shipping="5", shipping_tax="1", points_payment="25"),
            [refund("r", "50")],
            {"basis": Basis(points_payment=True)},
            ["earned 100", "reversed 50 refunded"],
        ),
        (
            "store_credit_is_like_cash",
            49,
            paid("o", "20"),
            [refund("r", "5", tender="store_credit")],
            {},
            ["earned 20", "reversed 5 refunded"],
        ),
        (
            "unless_the_program_says_otherwise",
            49,
            paid("o", "20"),
            [refund("r", "5", tender="store_credit")],
            {"basis": Basis(store_credit_refunds=False)},
            ["earned 20", "fact.recorded nothing_changed"],
        ),
    ),
)
def test_refunds(order: Any, refunds: list[Told], settings: dict[str, Any], said: list[str]) -> None:
    versions = Versions((program(**settings),))
    told = [Told(NOON, order), *refunds]
    assert Story(versions).tell(*told).said == said
    ends = {_end(Story(versions).tell(*one)) for one in permutations(told[:4])}
    assert ends == {_end(Story(versions).tell(*told[:4]))}


def _end(story: Story) -> tuple[int, int]:
    return story.ann.balances.available, story.ann.balances.deficit


@pytest.mark.rule(9)
def test_rule_09_a_reversal_says_what_each_line_gives_back() -> None:
    story = Story(Versions((program(rules=(Rule("r", rate=Fraction(5, 2)),)),)))
    story.tell(Told(NOON, paid("o", "9.99", "10.00")), refund("r", lines={"1": "9.99"}))
    earned, reversed_ = story.events
    assert isinstance(earned, PointsEarned)
    assert isinstance(reversed_, PointsReversed)
    assert earned.lines == {"1": 24, "2": 25}
    assert reversed_.lines == {"1": 24}
    assert [(share.rule, share.points) for share in reversed_.rules] == [("r", 24)]


@pytest.mark.rule(9)
def test_rule_09_who_and_when_is_pinned() -> None:
    story = Story(Versions((program(tiers=ladder(("gold", 100, "2"))),)))
    story.tell(Told("2026-05-01", paid("lift", "100")), Told(NOON, paid("o", "50", "30")))
    story.tell(Told("2026-06-02", cancelled("lift")))
    assert story.ann.tier == "gold"
    story.tell(Told("2026-06-03", cancelled("o")))
    assert story.ann.tier == "bronze"
    story.tell(Told("2026-06-04", paid("o", "50", "30")))
    assert story.said[-2:] == ["earned 160", "tier bronze → gold, qualified"]


@pytest.mark.rule(12)
def test_rule_12_own_lots_then_others_then_a_deficit() -> None:
    story = Story(Versions((program(),)))
    story.tell(Told("2026-05-01", paid("a", "30")), Told("2026-05-02", paid("b", "50")))
    story.lots["ann"][2].remaining = 10
    story.ann.balances = type(story.ann.balances)(available=40, earned=80, redeemed=40)
    story.tell(Told("2026-05-03", cancelled("b")))
    event = story.events[-1]
    assert isinstance(event, PointsReversed)
    assert [(lot.lot, lot.change) for lot in event.lots] == [(2, -10), (1, -30)]
    assert event.to_deficit == 10
    assert event.postings == {"available": -40, "deficit": -10, "reversed": 50}
    assert (story.ann.balances.available, story.ann.balances.deficit) == (0, 10)


@pytest.mark.rule(58)
def test_rule_58_what_becomes_available_pays_a_deficit() -> None:
    story = Story(Versions((program(),))).tell(Told("2026-05-01", paid("a", "30")))
    story.lots["ann"][1].remaining = 0
    story.ann.balances = type(story.ann.balances)(earned=30, redeemed=30)
    story.tell(Told("2026-05-02", cancelled("a")), Told("2026-05-03", paid("b", "50")))
    assert story.events[-1].postings == {"available": 20, "deficit": 30, "earned": -50}
    assert (story.ann.balances.available, story.ann.balances.deficit) == (20, 0)
    assert story.lots["ann"][2].remaining == 20


@pytest.mark.rule(57)
def test_rule_57_a_deficit_is_forgiven_where_the_program_says_so() -> None:
    story = Story(Versions((program(deficit="forgive"),))).tell(Told("2026-05-01", paid("a", "30")))
    story.lots["ann"][1].remaining = 0
    story.ann.balances = type(story.ann.balances)(earned=30, redeemed=30)
    story.tell(Told("2026-05-02", cancelled("a")))
    assert story.said[-2:] == ["reversed 30 cancelled", "deficit.forgiven 30 cancelled"]
    assert (story.ann.balances.deficit, story.ann.balances.forgiven) == (0, 30)
