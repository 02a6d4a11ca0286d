"""What an order earns: rules 1 to 8 and 38 to 51."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from services.earning.program.terms import Basis, Campaign, Conditions, Rule, Selection, Versions
from shared.errors import PermanentError
from shared.facts.members import MemberEnrolled
from shared.facts.orders import OrderPaid
from shared.point_events import PointsEarned
from tests.unit.earning.decide.story import (
    Story,
    Told,
    cancelled,
    fulfilled,
    instant,
    ladder,
    line,
    paid,
    program,
    updated,
)

NOON = "2026-06-01 12:00"


def cases(*rows: tuple[Any, ...]) -> Any:
    """Rows of a table: its words, the rule's number, then the test's own columns."""
    return [pytest.param(*row[2:], id=f"rule_{row[1]:02}_{row[0]}", marks=pytest.mark.rule(row[1])) for row in rows]


def worth(order: OrderPaid, **settings: Any) -> int:
    story = Story(Versions((program(**settings),))).tell(Told(NOON, order))
    return story.ann.balances.available


GIFT = line("2", "30", gift_card=True)
TAXED = line("1", "119", tax="19")
ON_TOP = line("1", "100", tax="19")


@pytest.mark.parametrize(
    ("order", "settings", "points"),
    cases(
        ("own_discount_lowers_a_line", 1, paid("o", line("1", "20", discount="5")), {}, 15),
        ("before_discounts", 1, paid("o", line("1", "20", discount="5")), {"basis": Basis(after_discounts=False)}, 20),
        ("order_discount_is_taken", 1, paid("o", "10", "20", discount="6"), {}, 24),
        ("line_clamps_at_0_excess_to_others", 1, paid("o", line("1", "5", discount="8"), "20"), {}, 17),
        ("discount_above_all", 1, paid("o", "5", "5", discount="30"), {}, 0),
        ("included_tax_out", 1, paid("o", TAXED, prices_include_tax=True), {}, 100),
        ("included_tax_in", 1, paid("o", TAXED, prices_include_tax=True), {"basis": Basis(tax=True)}, 119),
        ("tax_on_top_out", 1, paid("o", ON_TOP), {}, 100),
        ("tax_on_top_in", 1, paid("o", ON_TOP), {"basis": Basis(tax=True)}, 119),
        ("shipping_out", 1, paid("o", "20", shipping="5"), {}, 20),
        ("shipping_in", 1, paid("o", "20", shipping="5"), {"basis": Basis(shipping=True)}, 25),
        ("gift_card_out", 1, paid("o", "20", GIFT), {}, 20),
        ("gift_card_in", 1, paid("o", "20", GIFT), {"basis": Basis(gift_cards=True)}, 50),
        ("points_payment_out", 1, paid("o", "20", points_payment="5"), {}, 15),
        ("points_payment_in", 1, paid("o", "20", points_payment="5"), {"basis": Basis(points_payment=True)}, 20),
        ("floor", 2, paid("o", "19.99"), {}, 19),
        ("half_up", 2, paid("o", "19.50"), {"rounding": "half_up"}, 20),
        ("half_up_below", 2, paid("o", "19.49"), {"rounding": "half_up"}, 19),
        ("half_even_to_even", 2, paid("o", "18.50"), {"rounding": "half_even"}, 18),
        ("half_even_from_odd", 2, paid("o", "19.50"), {"rounding": "half_even"}, 20),
        ("half_even_above", 2, paid("o", "18.51"), {"rounding": "half_even"}, 19),
        ("ceiling", 2, paid("o", "19.01"), {"rounding": "ceiling"}, 20),
        ("ceiling_whole", 2, paid("o", "19"), {"rounding": "ceiling"}, 19),
        ("third_of_a_point", 2, paid("o", "1"), {"rules": (Rule("r", rate=Fraction(1, 3)),)}, 0),
        ("three_thirds", 2, paid("o", "1", "1", "1"), {"rules": (Rule("r", rate=Fraction(1, 3)),)}, 1),
        ("test_order", 6, paid("o", "19", test=True), {}, 0),
        ("net_value", 38, paid("o", line("1", "119", tax="17", discount="9"), prices_include_tax=True), {}, 93),
        ("points_payment_over_tax", 40, paid("o", ON_TOP, points_payment="59.50"), {}, 50),
        ("points_payment_never_from_shipping", 40, paid("o", "20", shipping="5", points_payment="99"), {}, 0),
        (
            "points_payment_never_from_shipping_in_the_basis",
            40,
            paid("o", "20", shipping="5", points_payment="99"),
            {"basis": Basis(shipping=True)},
            5,
        ),
        (
            "shipping_tax_in_when_tax_is",
            41,
            paid("o", "20", shipping="5", shipping_tax="1"),
            {"basis": Basis(shipping=True, tax=True)},
            26,
        ),
        (
            "shipping_tax_out_when_tax_is",
            41,
            paid("o", "20", shipping="6", shipping_tax="1", prices_include_tax=True),
            {"basis": Basis(shipping=True)},
            25,
        ),
        (
            "minimum_is_inclusive",
            44,
            paid("o", "30", "20"),
            {"rules": (Rule("r", rate=Fraction(1), minimum_micros=50_000_000),)},
            50,
        ),
        (
            "minimum_is_of_the_whole_order",
            44,
            paid("o", line("1", "10", "tea"), "40"),
            {
                "rules": (
                    Rule(
                        "r",
                        rate=Fraction(1),
                        selection=Selection(categories=frozenset({"tea"})),
                        minimum_micros=50_000_000,
                    ),
                )
            },
            10,
        ),
        ("usd", 8, paid("o", "50.00", currency="USD", exchange_rate="0.92"), {}, 46),
        ("nothing_rounded_before_the_floor", 8, paid("o", "1.99", currency="USD", exchange_rate="0.505"), {}, 1),
        ("yen", 8, paid("o", "1000", currency="JPY", exchange_rate="0.006123"), {}, 6),
        ("dinar", 8, paid("o", "1.999", currency="KWD", exchange_rate="3"), {}, 5),
        ("own_currency_needs_no_rate", 8, paid("o", "50", exchange_rate="2"), {}, 50),
    ),
)
def test_an_order_is_worth(order: OrderPaid, settings: dict[str, Any], points: int) -> None:
    assert worth(order, **settings) == points


TEA = Selection(categories=frozenset({"tea"}))
NO_TEA = Selection(except_categories=frozenset({"tea"}))
BASE = Rule("base", rate=Fraction(1))
DOUBLE_TEA = Rule("tea", rate=Fraction(2), selection=TEA, priority=1)
HALF_TEA = Rule("tea", rate=Fraction(1, 2), selection=TEA, priority=1)
TEN_TEA = Rule("ten", points=10, selection=TEA)
BASKET = (line("1", "10", "tea"), line("2", "20", "cake"))


def campaign(multiplier: str = "2", **more: Any) -> tuple[Campaign, ...]:
    return (Campaign("weekend", Fraction(multiplier), **more),)


def when(**conditions: Any) -> tuple[Rule, ...]:
    return (Rule("r", rate=Fraction(1), conditions=Conditions(**conditions)),)


@pytest.mark.parametrize(
    ("settings", "more", "points"),
    cases(
        ("category", 3, {"rules": (Rule("r", rate=Fraction(1), selection=TEA),)}, {}, 10),
        ("all_but_a_category", 3, {"rules": (Rule("r", rate=Fraction(1), selection=NO_TEA),)}, {}, 20),
        (
            "sku",
            3,
            {"rules": (Rule("r", rate=Fraction(1), selection=Selection(skus=frozenset({"sku-2"}))),)},
            {},
            20,
        ),
        (
            "all_but_a_sku",
            3,
            {"rules": (Rule("r", rate=Fraction(1), selection=Selection(except_skus=frozenset({"sku-2"}))),)},
            {},
            10,
        ),
        ("sum", 3, {"rules": (BASE, DOUBLE_TEA)}, {}, 50),
        ("best_line_by_line", 3, {"rules": (BASE, HALF_TEA), "stacking": "best"}, {}, 30),
        ("best_takes_the_higher", 3, {"rules": (BASE, DOUBLE_TEA), "stacking": "best"}, {}, 40),
        ("first_by_priority", 3, {"rules": (BASE, HALF_TEA), "stacking": "first"}, {}, 25),
        ("fixed_always_adds", 3, {"rules": (BASE, HALF_TEA, TEN_TEA), "stacking": "first"}, {}, 35),
        ("channel", 3, {"rules": when(channels=frozenset({"app"}))}, {"channel": "app"}, 30),
        ("other_channel", 3, {"rules": when(channels=frozenset({"app"}))}, {"channel": "web"}, 0),
        ("no_channel", 3, {"rules": when(channels=frozenset({"app"}))}, {}, 0),
        ("store", 3, {"rules": when(stores=frozenset({"7"}))}, {"store": "7"}, 30),
        ("other_store", 3, {"rules": when(stores=frozenset({"7"}))}, {"store": "8"}, 0),
        ("weekday", 3, {"rules": when(weekdays=frozenset({1}))}, {}, 30),
        ("other_weekday", 3, {"rules": when(weekdays=frozenset({7}))}, {}, 0),
        ("hour", 3, {"rules": when(hours=frozenset({12}))}, {}, 30),
        ("other_hour", 3, {"rules": when(hours=frozenset({10, 11, 13}))}, {}, 0),
        ("first_order", 3, {"rules": when(first_order=True)}, {}, 30),
        ("not_the_first_order", 3, {"rules": when(first_order=False)}, {}, 0),
        ("segment", 3, {"rules": when(segments=frozenset({"vip"}))}, {}, 30),
        ("other_segment", 3, {"rules": when(segments=frozenset({"staff"}))}, {}, 0),
        ("tier", 3, {"rules": when(tiers=frozenset({"bronze"})), "tiers": ladder(("gold", 50, "2"))}, {}, 30),
        ("other_tier", 3, {"rules": when(tiers=frozenset({"gold"})), "tiers": ladder(("gold", 50, "2"))}, {}, 0),
        ("from_an_instant", 3, {"rules": when(starts_at=instant(NOON))}, {}, 30),
        ("to_an_instant", 3, {"rules": when(ends_at=instant(NOON))}, {}, 0),
        ("lines_multiply_on_their_own", 45, {"campaigns": campaign(selection=TEA)}, {}, 40),
        ("several_campaigns_multiply", 45, {"campaigns": (*campaign(), *campaign("3"))}, {}, 180),
        ("highest_only", 45, {"campaigns": (*campaign(), *campaign("3")), "multipliers": "highest"}, {}, 90),
        ("campaign_minimum", 2, {"campaigns": campaign(minimum_micros=30_000_000)}, {}, 60),
        ("campaign_minimum_missed", 2, {"campaigns": campaign(minimum_micros=30_000_001)}, {}, 30),
        ("fixed_is_not_multiplied", 2, {"rules": (TEN_TEA,), "campaigns": campaign()}, {}, 10),
        (
            "shipping_is_seen_by_rules_without_lines",
            41,
            {"rules": (BASE, HALF_TEA), "basis": Basis(shipping=True)},
            {"shipping": "5"},
            40,
        ),
    ),
)
def test_rules_select(settings: dict[str, Any], more: dict[str, Any], points: int) -> None:
    story = Story(Versions((program(**settings),)))
    story.tell(Told("2026-05-01", MemberEnrolled(segments=("vip",))), Told(NOON, paid("o", *BASKET, **more)))
    assert story.ann.balances.available == points


@pytest.mark.rule(2)
def test_rule_02_worked_number() -> None:
    settings = {
        "tiers": ladder(("silver", 10, "1.25")),
        "campaigns": campaign(conditions=Conditions(channels=frozenset({"app"}))),
    }
    story = Story(Versions((program(**settings),)))
    story.tell(Told("2026-05-01", paid("o", "10")), Told(NOON, paid("p", "19.99", channel="app")))
    assert story.said[-1] == "earned 49"
    event = story.events[-1]
    assert isinstance(event, PointsEarned)
    (share,) = event.rules
    assert (share.basis, share.rate, share.multiplier, share.raw) == ("19.99", "1", "2.5", "49.975")


@pytest.mark.rule(4)
@pytest.mark.parametrize(
    ("lines", "split"),
    [
        (("0.50", "0.50", "1"), {"1": 1, "3": 1}),
        (("9.99", "10.00"), {"1": 9, "2": 10}),
        (("3.34", "3.33", "3.33"), {"1": 4, "2": 3, "3": 3}),
    ],
)
def test_rule_04_lines_get_the_largest_remainders(lines: tuple[str, ...], split: dict[str, int]) -> None:
    story = Story(Versions((program(),))).tell(Told(NOON, paid("o", *lines)))
    event = story.events[0]
    assert isinstance(event, PointsEarned)
    assert event.lines == split
    assert sum(event.lines.values()) == event.points


@pytest.mark.rule(5)
def test_rule_05_the_order_that_lifts_earns_at_the_old_tier() -> None:
    story = Story(Versions((program(tiers=ladder(("gold", 100, "2"))),)))
    story.tell(Told("2026-05-01", paid("o", "100")), Told("2026-05-02", paid("p", "100")))
    assert story.said == ["earned 100", "tier bronze → gold, qualified", "earned 200"]


@pytest.mark.parametrize(
    ("facts", "settings", "said"),
    cases(
        ("test_order", 48, [Told(NOON, paid("o", "9", test=True))], {}, ["fact.recorded test_order"]),
        (
            "below_minimum",
            48,
            [Told(NOON, paid("o", "9"))],
            {"rules": (Rule("r", rate=Fraction(1), minimum_micros=10_000_000),)},
            ["fact.recorded below_minimum"],
        ),
        (
            "nothing_eligible",
            48,
            [Told(NOON, paid("o", "9"))],
            {"rules": (Rule("r", rate=Fraction(1), selection=TEA),)},
            ["fact.recorded nothing_eligible"],
        ),
        ("before_the_program", 48, [Told("2019-06-01", paid("o", "9"))], {}, ["fact.recorded not_in_force"]),
        (
            "waits_for_fulfilment",
            6,
            [Told(NOON, paid("o", "9")), Told("2026-06-02", fulfilled("o"))],
            {"gate": "fulfilled"},
            ["fact.recorded waits_for_fulfilment", "earned 9"],
        ),
        (
            "pending_is_not_paid",
            6,
            [Told(NOON, updated("o", "9", status="pending")), Told("2026-06-02", paid("o", "9"))],
            {},
            ["fact.recorded waits_for_payment", "earned 9"],
        ),
        (
            "cancel_before_its_order",
            6,
            [Told("2026-06-02", cancelled("o")), Told(NOON, paid("o", "9"))],
            {},
            ["fact.recorded waits_for_order", "fact.recorded nothing_changed"],
        ),
        (
            "same_content_is_a_duplicate",
            51,
            [Told(NOON, paid("o", "9")), Told(NOON, paid("o", "9"), received="2026-07-01")],
            {},
            ["earned 9"],
        ),
        (
            "another_time_is_another_content",
            51,
            [Told(NOON, paid("o", "9")), Told("2026-06-02", paid("o", "9"))],
            {},
            ["earned 9", "fact.recorded nothing_changed"],
        ),
    ),
)
def test_what_is_said(facts: list[Told], settings: dict[str, Any], said: list[str]) -> None:
    assert Story(Versions((program(**settings),))).tell(*facts).said == said


@pytest.mark.rule(39)
def test_rule_39_the_order_discount_is_spread_in_cents_ties_to_the_smaller_line() -> None:
    story = Story(Versions((program(rules=(Rule("r", rate=Fraction(100)),)),)))
    story.tell(Told(NOON, paid("o", "10", "10", "10", discount="10")))
    event = story.events[0]
    assert isinstance(event, PointsEarned)
    assert event.lines == {"1": 666, "2": 667, "3": 667}


@pytest.mark.rule(39)
def test_rule_39_digits_on_the_wire_make_the_steps_finer() -> None:
    story = Story(Versions((program(rules=(Rule("r", rate=Fraction(1000)),)),)))
    story.tell(Told(NOON, paid("o", "10.000", "10", "10.001", discount="10.000")))
    event = story.events[0]
    assert isinstance(event, PointsEarned)
    assert event.lines == {"1": 6667, "2": 6667, "3": 6667}


@pytest.mark.parametrize(
    ("told", "settings", "reason"),
    cases(
        ("no_exchange_rate", 8, Told(NOON, paid("o", "9", currency="USD")), {}, "no_exchange_rate"),
        ("future", 48, Told("2026-06-01 12:05:01", paid("o", "9"), received=NOON), {}, "occurred_in_future"),
        ("other_member", 51, Told(NOON, cancelled("known"), member="bob"), {}, "owned_by_another_member"),
    ),
)
def test_dead_letters(told: Told, settings: dict[str, Any], reason: str) -> None:
    story = Story(Versions((program(**settings),))).tell(Told("2026-05-01", paid("known", "1")))
    with pytest.raises(PermanentError) as caught:
        story.tell(told)
    assert caught.value.reason == reason


def test_without_a_version_a_program_is_unknown() -> None:
    with pytest.raises(PermanentError) as caught:
        Story(Versions(())).tell(Told(NOON, paid("o", "9")))
    assert caught.value.reason == "unknown_program"


@pytest.mark.rule(50)
def test_rule_50_the_first_order_is_the_one_without_another_left() -> None:
    story = Story(Versions((program(rules=when(first_order=True)),)))
    story.tell(Told("2026-06-01", paid("o", "9")), Told("2026-06-02", paid("p", "8")))
    assert story.said == ["earned 9", "fact.recorded nothing_eligible"]
    story.tell(
        Told("2026-06-03", cancelled("o")), Told("2026-06-04", cancelled("p")), Told("2026-06-05", paid("q", "7"))
    )
    assert story.said[2:] == ["reversed 9 cancelled", "fact.recorded nothing_changed", "earned 7"]


@pytest.mark.rule(50)
def test_rule_50_with_fulfilment_the_payment_chooses_the_version() -> None:
    newer = program(
        version=2, in_force_from=instant("2026-06-02"), rules=(Rule("r", rate=Fraction(2)),), gate="fulfilled"
    )
    story = Story(Versions((program(gate="fulfilled"), newer)))
    story.tell(Told("2026-06-01", paid("o", "9")), Told("2026-06-03", fulfilled("o")))
    assert story.said[-1] == "earned 9"
