"""Changes between two documents: every setting that moves points is told, with whom it reaches."""

import pytest

from services.earning.program.authoring.changes import Change, changes, tell
from services.earning.program.authoring.check import check
from services.earning.program.authoring.describe import describe
from services.earning.program.document import Document

HEAD = "program: shop\neffective_from: 2027-01-01T00:00:00Z\ncurrency: EUR\ntime_zone: Europe/Berlin\n"
WHOLE = """\
basis: {after_discounts: true, tax: false, shipping: false, gift_cards: false, points_payment: false,
        store_credit_refunds: true}
orders:
  award: paid
  rounding: floor
  stacking: first
  multipliers: multiply
  deficit: carry
  pending: {after: paid, days: 14}
  caps: {order: 100, day: 500, week: 2000, month: 5000}
rules:
  - {id: base, rate: 1, priority: 2, minimum: 10, only: {categories: [tea]}, except: {skus: [x]},
     when: {tiers: [gold], segments: [vip], channels: [web], stores: [s1], weekdays: [monday], hours: ["10:00-12:00"],
            first_order: true}, from: 2027-01-02T00:00:00Z, until: 2027-02-02T00:00:00Z}
  - {id: extra, points: 25, priority: 1}
campaigns:
  - {id: double, multiplier: 2}
tiers:
  measure: points_earned
  window: rolling
  months: 12
  grace_days: 30
  fall: qualified
  open_refund: window_end
  levels: [{id: basic}, {id: gold, threshold: 1000, multiplier: 1.25, entry_bonus: 50, benefits: [Lounge]}]
expiry: {mode: after_available, months: 12}
rewards: [{id: coffee, points: 70, tiers: [gold]}]
"""
TURNED = [
    ("after_discounts: true", "after_discounts: false"),
    ("tax: false", "tax: true"),
    ("shipping: false", "shipping: true"),
    ("gift_cards: false", "gift_cards: true"),
    ("points_payment: false", "points_payment: true"),
    ("store_credit_refunds: true", "store_credit_refunds: false"),
    ("award: paid", "award: fulfilled"),
    ("rounding: floor", "rounding: half_up"),
    ("stacking: first", "stacking: first  # the same\n  # but for the order of rules"),
    ("multipliers: multiply", "multipliers: highest"),
    ("deficit: carry", "deficit: forgive"),
    ("after: paid, days: 14", "after: fulfilled, days: 14"),
    ("days: 14", "days: 15"),
    ("order: 100", "order: 101"),
    ("day: 500", "day: 501"),
    ("week: 2000", "week: 2001"),
    ("month: 5000", "month: 5001"),
    ("id: base, rate: 1,", "id: base, rate: 2,"),
    ("priority: 2", "priority: 3"),
    ("minimum: 10", "minimum: 11"),
    ("categories: [tea]", "categories: [tee]"),
    ("skus: [x]", "skus: [y]"),
    ("tiers: [gold], segments", "tiers: [basic], segments"),
    ("segments: [vip]", "segments: [vap]"),
    ("channels: [web]", "channels: [shop]"),
    ("stores: [s1]", "stores: [s2]"),
    ("weekdays: [monday]", "weekdays: [sunday]"),
    ("10:00-12:00", "10:00-13:00"),
    ("first_order: true", "first_order: false"),
    ("from: 2027-01-02", "from: 2027-01-03"),
    ("until: 2027-02-02", "until: 2027-02-03"),
    ("points: 25", "points: 26"),
    ("multiplier: 2", "multiplier: 3"),
    ("measure: points_earned", "measure: order_count"),
    ("measure: points_earned", "measure: spend"),
    ("window: rolling\n  months: 12", "window: anniversary"),
    ("window: rolling\n  months: 12", "window: rolling\n  months: 13"),
    ("window: rolling\n  months: 12", "window: calendar_year"),
    ("grace_days: 30", "grace_days: 31"),
    ("fall: qualified", "fall: one_level"),
    ("open_refund: window_end", "open_refund: at_once"),
    ("threshold: 1000", "threshold: 1001"),
    ("multiplier: 1.25", "multiplier: 1.3"),
    ("entry_bonus: 50", "entry_bonus: 51"),
    ("benefits: [Lounge]", "benefits: [Parking]"),
    ("mode: after_available", "mode: inactivity"),
    ("available, months: 12", "available, months: 13"),
    ("points: 70", "points: 71"),
    ("points: 70, tiers: [gold]", "points: 70"),
    ("currency: EUR", "currency: USD"),
    ("time_zone: Europe/Berlin", "time_zone: Europe/Paris"),
]


def read(text: str) -> Document:
    return check(text.encode())


@pytest.mark.parametrize(("old", "new"), TURNED)
def test_every_setting_that_is_turned_is_told(old: str, new: str) -> None:
    text = HEAD + WHOLE
    assert text.count(old) == 1 or old in {"multiplier: 2", "tiers: [gold]"}, "the table must mean one place"
    before, after = read(text), read(text.replace(old, new))
    assert (before == after) == (not changes(before, after))


def test_the_instant_of_force_is_no_change_for_members() -> None:
    before = read(HEAD + WHOLE)
    assert changes(before, read(HEAD.replace("2027", "2026") + WHOLE)) == []
    assert tell([]) == "Nothing changes for members.\n"


def test_entries_come_and_go() -> None:
    before, after = read(HEAD + "rules: [{id: a, rate: 1}]"), read(HEAD + "rules: [{id: b, rate: 2}]")
    assert changes(before, after) == [
        Change("Orders earn", "a", "**a**: 1 point for each 1 EUR.", None),
        Change("Orders earn", "b", None, "**b**: 2 points for each 1 EUR."),
    ]
    assert [change.kind for change in changes(before, after)] == ["gone", "new"]
    assert "- gone: **a**" in tell(changes(before, after))


def test_the_order_of_rules_counts_where_the_first_of_them_does() -> None:
    rules = ["{id: a, rate: 1}", "{id: b, rate: 1}"]
    there, back = (f"rules: [{', '.join(order)}]" for order in (rules, rules[::-1]))
    first = "orders: {stacking: first}\n"
    assert changes(read(HEAD + there), read(HEAD + back)) == []
    assert changes(read(HEAD + first + there), read(HEAD + first + back)) == [
        Change("Orders earn", "order", "a, b", "b, a")
    ]


def test_a_change_says_whom_it_reaches() -> None:
    told = tell(changes(read(HEAD + WHOLE), read(HEAD + WHOLE.replace("threshold: 1000", "threshold: 900"))))
    assert "was: **gold**: from 1000 points earned in the last 12 months" in told
    assert "now: **gold**: from 900 points earned" in told
    assert "Members rise at once" in told


def test_a_whole_program_in_words() -> None:
    told = describe(read(HEAD + WHOLE))
    for sentence in (
        "**gold**: from 1000 points earned in the last 12 months, 1.25 times the points, 50 points for entering it",
        "Points can be spent once 14 whole days have followed the day of the payment.",
        "Points end 12 months after they can be spent, with the end of that day.",
        "**coffee**: 70 points, for gold members.",
        "Orders give at most 100 points for one order, 500 points a day, 2000 points a week and 5000 points a month.",
    ):
        assert sentence in told
