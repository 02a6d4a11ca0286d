"""Compiling: every setting of a document reaches the terms with its meaning, exactly."""

from datetime import UTC, datetime
from fractions import Fraction

from services.earning.program.authoring.check import check
from services.earning.program.compile import compile_program, compile_versions
from services.earning.program.document import Document
from services.earning.program.terms import (
    Activity,
    Basis,
    Caps,
    Card,
    Conditions,
    Expiry,
    Limit,
    Pending,
    Program,
    Referrals,
    Reviews,
    Reward,
    Selection,
    TierLevel,
)

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
HEAD = """\
program: shop
effective_from: 2027-01-01T00:00:00Z
currency: EUR
time_zone: Europe/Berlin
"""


def compiled(text: str) -> Program:
    return compile_program(document(text), 1, NEW_YEAR)


def document(text: str) -> Document:
    return check((HEAD + text).encode())


def test_what_is_left_out_has_the_terms_own_default() -> None:
    program = compiled("rules: [{id: base, rate: 1}]")
    bare = Program("shop", 1, NEW_YEAR, "EUR", program.zone, program.rules)
    assert program == bare
    assert program.rules[0].selection.everything
    assert program.rules[0].conditions == Conditions()


def test_rates_are_exact() -> None:
    rules = compiled("rules: [{id: a, rate: 0.1}, {id: b, rate: 1/3}, {id: c, rate: 2}]").rules
    assert [rule.rate for rule in rules] == [Fraction(1, 10), Fraction(1, 3), Fraction(2)]


def test_money_is_in_micros() -> None:
    (rule,) = compiled("rules: [{id: a, points: 5, minimum: 19.99}]").rules
    assert (rule.rate, rule.points, rule.minimum_micros) == (None, 5, 19_990_000)


def test_every_selection_and_condition_is_carried_over() -> None:
    (rule,) = compiled("""
orders: {stacking: first}
tiers: {levels: [{id: basic}, {id: gold, threshold: 10}]}
rules:
  - id: all
    rate: 1
    priority: 7
    only: {categories: [a, b], skus: [s]}
    except: {categories: [c], skus: [t]}
    when:
      tiers: [gold]
      segments: [vip]
      channels: [web]
      stores: ["12"]
      weekdays: [monday, sunday]
      hours: ["22:00-01:00", "08:00-10:00"]
      first_order: false
    from: 2027-02-01T00:00:00+01:00
    until: 2027-03-01T00:00:00+01:00
""").rules
    assert rule.priority == 7
    assert rule.selection == Selection(frozenset("ab"), frozenset("s"), frozenset("c"), frozenset("t"))
    assert rule.conditions == Conditions(
        tiers=frozenset({"gold"}),
        segments=frozenset({"vip"}),
        channels=frozenset({"web"}),
        stores=frozenset({"12"}),
        weekdays=frozenset({1, 7}),
        hours=frozenset({22, 23, 0, 8, 9}),
        first_order=False,
        starts_at=datetime(2027, 1, 31, 23, tzinfo=UTC),
        ends_at=datetime(2027, 2, 28, 23, tzinfo=UTC),
    )


def test_hours_may_be_the_whole_day() -> None:
    (rule,) = compiled('rules: [{id: a, rate: 1, when: {hours: ["00:00-24:00"]}}]').rules
    assert rule.conditions.hours == frozenset(range(24))


def test_settings_of_orders_and_basis_are_carried_over() -> None:
    program = compiled("""
orders: {award: fulfilled, rounding: half_up, stacking: best, multipliers: highest, deficit: forgive}
basis: {after_discounts: false, tax: true, shipping: true, gift_cards: true, points_payment: true,
        store_credit_refunds: false}
campaigns: [{id: double, multiplier: 2, minimum: 100}]
""")
    assert program.basis == Basis(
        after_discounts=False, tax=True, shipping=True, gift_cards=True, points_payment=True, store_credit_refunds=False
    )
    settings = (program.gate, program.rounding, program.stacking, program.multipliers, program.deficit)
    assert settings == ("fulfilled", "half_up", "best", "highest", "forgive")
    assert (program.campaigns[0].multiplier, program.campaigns[0].minimum_micros) == (Fraction(2), 100_000_000)


def test_thresholds_are_points_or_micros_of_money_by_the_measure() -> None:
    levels = "levels: [{id: basic}, {id: gold, threshold: 1000, multiplier: 1.25, benefits: [Lounge]}]"
    points = compiled(f"tiers: {{window: calendar_year, grace_days: 30, fall: one_level, {levels}}}").tiers
    spend = compiled(f"tiers: {{measure: spend, {levels}}}").tiers
    assert points is not None
    assert spend is not None
    assert (points.base, points.window, points.grace_days, points.fall) == ("basic", "calendar_year", 30, "one_level")
    assert points.levels == (TierLevel("basic", 0), TierLevel("gold", 1000, Fraction(5, 4), ("Lounge",)))
    assert spend.levels[1].threshold == 1_000_000_000


def test_the_life_of_a_point_the_limits_and_the_catalogue_are_carried_over() -> None:
    program = compiled("""
orders: {pending: {after: fulfilled, days: 14}, caps: {order: 100, day: 500, week: 2000, month: 5000}}
expiry: {mode: inactivity, months: 18}
rewards: [{id: coffee, points: 100}, {id: lounge, points: 1000, tiers: [gold]}]
tiers: {measure: order_count, window: rolling, months: 6, open_refund: at_once,
        levels: [{id: basic}, {id: gold, threshold: 10, entry_bonus: 50}]}
""")
    assert program.pending == Pending("fulfilled", 14)
    assert program.caps == Caps(100, 500, 2000, 5000)
    assert program.expiry == Expiry("inactivity", 18)
    assert program.rewards == (Reward("coffee", 100), Reward("lounge", 1000, frozenset({"gold"})))
    assert program.tiers is not None
    tiers = program.tiers
    assert (tiers.measure, tiers.window, tiers.months, tiers.open_refund) == ("order_count", "rolling", 6, "at_once")
    assert tiers.levels[1] == TierLevel("gold", 10, entry_bonus=50)


def test_versions_are_numbered_from_one_in_order() -> None:
    one, two = document("rules: [{id: a, rate: 1}]"), document("rules: [{id: a, rate: 2}]")
    later = datetime(2028, 1, 1, tzinfo=UTC)
    versions = compile_versions([(one, NEW_YEAR), (two, later)])
    assert [program.version for program in versions.all] == [1, 2]
    assert versions.at(datetime(2027, 6, 1, tzinfo=UTC)) == versions.numbered(1)
    assert versions.at(later) == versions.numbered(2)
    assert versions.at(datetime(2026, 6, 1, tzinfo=UTC)) is None


def test_reviews_activities_and_what_multiplies_them_are_carried_over() -> None:
    program = compiled("""
reviews: {points: 10, photo: 15, verified_only: true, minimum_length: 20, once_per_product: false}
activities:
  - {id: run, points: 2, per_unit: true, limit: {times: 3, per: week}, attributes: [shoe], when: {weekdays: [sunday]}}
  - {id: visit}
referrals: {referrer: 20, referee: 10, minimum: 50, blocks: [same_ip], limit: {times: 5, per: month}}
enrolment: {bonus: 100, required: true}
cards:
  - {id: five, every: 5, activity: run, points: 50}
  - {id: ten, every: 10, orders: {only: {skus: [s]}, except: {categories: [c]}}, reward: A mug}
campaigns: [{id: c, multiplier: 2, activities: [run, review]}]
tiers: {levels: [{id: basic, activities: {run: 1.5}}]}
""")
    assert program.reviews == Reviews(10, 15, 0, verified_only=True, length_min=20, once_per_product=False)
    sundays = Conditions(weekdays=frozenset({7}))
    run = Activity("run", 2, per_unit=True, limit=Limit(3, "week"), attributes=frozenset({"shoe"}), conditions=sundays)
    assert program.activities == (run, Activity("visit"))
    lines = Selection(skus=frozenset("s"), except_categories=frozenset("c"))
    assert program.cards == (Card("five", 5, "run", points=50), Card("ten", 10, selection=lines, reward="A mug"))
    assert program.referrals == Referrals(20, 10, 50_000_000, frozenset({"same_ip"}), Limit(5, "month"))
    assert (program.enrolment_bonus, program.enrolment_required) == (100, True)
    assert program.campaigns[0].activities == {"run", "review"}
    assert program.tiers is not None
    assert program.tiers.levels[0].activities == (("run", Fraction(3, 2)),)
