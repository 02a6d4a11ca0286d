"""Checking a document: what is wrong is said where it is, with the cure, and all at once."""

from pathlib import Path

import pytest

from services.earning.program.authoring.check import check
from services.earning.program.document import Document
from services.earning.program.problems import Problem, ProgramInvalidError

PROGRAMS = Path(__file__).parents[5] / "deploy" / "programs"
HEAD = """\
program: shop
effective_from: 2027-01-01T00:00:00+01:00
currency: EUR
time_zone: Europe/Berlin
"""


def problems(text: str) -> list[Problem]:
    with pytest.raises(ProgramInvalidError) as refused:
        check(text.encode(), "shop.yaml")
    return list(refused.value.problems)


@pytest.mark.parametrize("file", sorted(PROGRAMS.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_programs_we_ship_are_valid(file: Path) -> None:
    assert check(file.read_bytes(), file.name).program


# What is added to a valid head → line and column, field, a part of the message, a part of the cure.
WRONG: dict[str, tuple[str, str, str, str, str]] = {
    "unknown key": ("rule: []", "5:1", "rule", "not a setting", "`rules`"),
    "unknown key far from any": ("zzz: 1", "5:1", "zzz", "not a setting", "Settings here are `activities`"),
    "unknown key deep down": (
        "rules: [{id: a, rate: 1, when: {tier: [x]}}]",
        "5:33",
        "rules[0].when.tier",
        "not a setting",
        "`tiers`",
    ),
    "missing id": ("rules: [{rate: 1}]", "5:9", "rules[0].id", "missing", "Add `id:`"),
    "money as a word": (
        "rules: [{id: a, rate: 1, minimum: ten}]",
        "5:35",
        "rules[0].minimum",
        "not an amount",
        "19.99",
    ),
    "negative money": ("rules: [{id: a, rate: 1, minimum: -1}]", "5:35", "rules[0].minimum", "not an amount", "19.99"),
    "rate with a comma": ("rules: [{id: a, rate: '1,5'}]", "5:23", "rules[0].rate", "not a positive number", "1.25"),
    "rate of nothing": ("rules: [{id: a, rate: 0}]", "5:23", "rules[0].rate", "0 would never", "above 0"),
    "rate as a yes": ("rules: [{id: a, rate: true}]", "5:23", "rules[0].rate", "true is not", "1.25"),
    "rate as a list": ("rules: [{id: a, rate: [1]}]", "5:23", "rules[0].rate", "a list is not", "1.25"),
    "rate by zero": ("rules: [{id: a, rate: 1/0}]", "5:23", "rules[0].rate", "'1/0' is not", "1/3"),
    "rate too fine": ("rules: [{id: a, rate: 9999999999.1}]", "5:23", "rules[0].rate", "too large", "fewer digits"),
    "points as text": ("rules: [{id: a, points: '5'}]", "5:25", "rules[0].points", "not a whole number", "100"),
    "points as a fraction": ("rules: [{id: a, points: 5.5}]", "5:25", "rules[0].points", "not a whole number", "100"),
    "points below one": ("rules: [{id: a, points: 0}]", "5:25", "rules[0].points", "out of range", "from 1 to"),
    "both": ("rules: [{id: a, rate: 1, points: 5}]", "5:26", "rules[0].points", "both", "two rules"),
    "neither": ("rules: [{id: a}]", "5:9", "rules[0]", "neither", "rate: 1"),
    "same id twice": (
        "rules: [{id: a, rate: 1}, {id: a, rate: 2}]",
        "5:32",
        "rules[1].id",
        "another one on line 5",
        "own",
    ),
    "capital id": ("rules: [{id: Base, rate: 1}]", "5:14", "rules[0].id", "not a name", "lower-case"),
    "category without quotes": (
        "rules: [{id: a, rate: 1, only: {categories: [12]}}]",
        "5:46",
        "rules[0].only.categories[0]",
        "not text",
        '"12"',
    ),
    "category alone": ("rules: [{id: a, rate: 1, only: {skus: x}}]", "5:39", "rules[0].only.skus", "a list", "[a, b]"),
    "no category": ("rules: [{id: a, rate: 1, only: {skus: []}}]", "5:39", "rules[0].only.skus", "empty", "leave"),
    "nothing left of the lines": (
        "rules: [{id: a, rate: 1, only: {skus: [x]}, except: {skus: [x, y]}}]",
        "5:60",
        "rules[0].except.skus",
        "no line is left",
        "Take them out",
    ),
    "unknown tier": (
        "rules: [{id: a, rate: 1, when: {tiers: [gold]}}]",
        "5:41",
        "rules[0].when.tiers[0]",
        "gold",
        "Add",
    ),
    "hours by the minute": (
        "rules: [{id: a, rate: 1, when: {hours: ['9:30-10:00']}}]",
        "5:41",
        "rules[0].when.hours[0]",
        "not a span",
        "17:00-20:00",
    ),
    "hours that hold none": (
        "rules: [{id: a, rate: 1, when: {hours: ['09:00-09:00']}}]",
        "5:41",
        "rules[0].when.hours[0]",
        "holds no hour",
        "17:00",
    ),
    "short weekday": (
        "rules: [{id: a, rate: 1, when: {weekdays: [sunda]}}]",
        "5:44",
        "rules[0].when.weekdays[0]",
        "none of the choices",
        "`sunday`",
    ),
    "instant without offset": (
        "campaigns: [{id: a, multiplier: 2, from: 2027-01-01T00:00:00}]",
        "5:42",
        "campaigns[0].from",
        "not an instant",
        "offset",
    ),
    "day that does not exist": (
        "campaigns: [{id: a, multiplier: 2, from: 2027-02-29T00:00:00Z}]",
        "5:42",
        "campaigns[0].from",
        "not an instant",
        "offset",
    ),
    "campaign that ends before it starts": (
        "campaigns: [{id: a, multiplier: 2, from: 2027-02-01T00:00:00Z, until: 2027-02-01T00:30:00+01:00}]",
        "5:71",
        "campaigns[0].until",
        "ends before it starts",
        "after `from`",
    ),
    "campaign without a multiplier": ("campaigns: [{id: a}]", "5:13", "campaigns[0].multiplier", "missing", "Times"),
    "priority without its use": (
        "rules: [{id: a, rate: 1, priority: 3}]",
        "5:26",
        "rules[0].priority",
        "changes nothing",
        "stacking: first",
    ),
    "unknown choice": ("orders: {stacking: beste}", "5:20", "orders.stacking", "none of the choices", "`best`"),
    "yes is not true": ("basis: {tax: yes}", "5:14", "basis.tax", "neither true nor false", "`true`"),
    "group as a word": ("basis: net", "5:8", "basis", "group of settings", "Indent"),
    "no levels": ("tiers: {levels: []}", "5:17", "tiers.levels", "empty", "at least one"),
    "levels not ascending": (
        "tiers: {levels: [{id: a}, {id: b, threshold: 100}, {id: c, threshold: 100}]}",
        "5:71",
        "tiers.levels[2].threshold",
        "not above",
        "above 100",
    ),
    "first level with a threshold": (
        "tiers: {levels: [{id: a, threshold: 10}]}",
        "5:37",
        "tiers.levels[0].threshold",
        "everybody starts",
        "Leave",
    ),
    "half a point": (
        "tiers: {levels: [{id: a}, {id: b, threshold: 10.5}]}",
        "5:46",
        "tiers.levels[1].threshold",
        "whole number of points",
        "measure: spend",
    ),
    "half an order": (
        "tiers: {measure: order_count, levels: [{id: a}, {id: b, threshold: 1.5}]}",
        "5:68",
        "tiers.levels[1].threshold",
        "whole number of orders",
        "measure: spend",
    ),
    "a bonus for entering where everybody starts": (
        "tiers: {levels: [{id: a, entry_bonus: 5}]}",
        "5:26",
        "tiers.levels[0].entry_bonus",
        "nobody enters",
        "Leave it out",
    ),
    "a bonus of nothing": (
        "tiers: {levels: [{id: a}, {id: b, threshold: 1, entry_bonus: 0}]}",
        "5:62",
        "tiers.levels[1].entry_bonus",
        "out of range",
        "from 1",
    ),
    "a window that measures nothing": (
        "tiers: {window: calendar_year, levels: [{id: a}]}",
        "5:9",
        "tiers.window",
        "nothing is measured",
        "Add a level",
    ),
    "a measure of nothing": (
        "tiers: {measure: spend, levels: [{id: a}]}",
        "5:9",
        "tiers.measure",
        "nothing is measured",
        "Add a level",
    ),
    "a rolling window without its length": (
        "tiers: {window: rolling, levels: [{id: a}, {id: b, threshold: 1}]}",
        "5:17",
        "tiers.window",
        "needs its length",
        "months: 12",
    ),
    "months of a window that doesn't roll": (
        "tiers: {window: anniversary, months: 6, levels: [{id: a}, {id: b, threshold: 1}]}",
        "5:30",
        "tiers.months",
        "only a rolling window",
        "window: rolling",
    ),
    "an open refund in a window that never ends": (
        "tiers: {open_refund: at_once, levels: [{id: a}]}",
        "5:9",
        "tiers.open_refund",
        "never ends",
        "calendar",
    ),
    "more grace than a year": (
        "tiers: {window: anniversary, grace_days: 400, levels: [{id: a}, {id: b, threshold: 1}]}",
        "5:42",
        "tiers.grace_days",
        "out of range",
        "to 366",
    ),
    "points that wait for no time": ("orders: {pending: {after: paid}}", "5:19", "orders.pending", "how long", "days"),
    "points that wait for what has happened": (
        "orders: {award: fulfilled, pending: {after: fulfilled}}",
        "5:28",
        "orders.pending",
        "don't wait",
        "leave `pending` out",
    ),
    "days that lie back": (
        "orders: {pending: {days: -1}}",
        "5:26",
        "orders.pending.days",
        "out of range",
        "from 0 to 366",
    ),
    "an end after no time": (
        "expiry: {mode: inactivity}",
        "5:16",
        "expiry.mode",
        "after how many months",
        "months: 12",
    ),
    "months without an end": ("expiry: {months: 12}", "5:10", "expiry.months", "never end", "mode: after_available"),
    "months of nothing": (
        "expiry: {mode: inactivity, months: 0}",
        "5:36",
        "expiry.months",
        "out of range",
        "from 1 to 1200",
    ),
    "an unknown end": ("expiry: {mode: inactive, months: 1}", "5:16", "expiry.mode", "choices", "`inactivity`"),
    "a day's limit above the month's": (
        "orders: {caps: {day: 500, month: 400}}",
        "5:22",
        "orders.caps.day",
        "the limit of the month",
        "at most 400",
    ),
    "a limit of nothing": ("orders: {caps: {day: 0}}", "5:22", "orders.caps.day", "out of range", "from 1"),
    "a reward twice": (
        "rewards: [{id: a, points: 1}, {id: a, points: 2}]",
        "5:36",
        "rewards[1].id",
        "another one on line 5",
        "own",
    ),
    "a reward for a tier that isn't there": (
        "rewards: [{id: a, points: 1, tiers: [glod]}]\ntiers: {levels: [{id: basic}, {id: gold, threshold: 1}]}",
        "5:38",
        "rewards[0].tiers[0]",
        "no tier is called `glod`",
        "`gold`",
    ),
    "a reward without a price": ("rewards: [{id: a}]", "5:11", "rewards[0].points", "missing", "What it costs"),
    "grace in a window that never ends": (
        "tiers: {grace_days: 3, levels: [{id: a}]}",
        "5:9",
        "tiers.grace_days",
        "",
        "calendar",
    ),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_told_at_its_place_with_its_cure(case: tuple[str, str, str, str, str]) -> None:
    text, place, field, message, cure = case
    (problem,) = problems(HEAD + text)
    assert problem.text("shop.yaml").startswith(f"shop.yaml:{place}: {field}: ")
    assert message in problem.message
    assert cure in problem.cure


@pytest.mark.parametrize(
    ("line", "wrong", "field", "cure"),
    [
        (1, "program: My Shop", "program", "lower-case"),
        (1, "program: my/shop", "program", "lower-case"),
        (2, "effective_from: 2027-01-01", "effective_from", "offset"),
        (3, "currency: eur", "currency", "`EUR`"),
        (3, "currency: EURO", "currency", "`EUR`"),
        (4, "time_zone: Europe/Berlyn", "time_zone", "`Europe/Berlin`"),
        (4, "time_zone: ../../etc/passwd", "time_zone", "IANA"),
    ],
)
def test_the_head_is_checked_too(line: int, wrong: str, field: str, cure: str) -> None:
    lines = HEAD.splitlines()
    lines[line - 1] = wrong
    (problem,) = problems("\n".join(lines))
    assert (problem.mark.line, problem.field) == (line, field)
    assert cure in problem.cure


def test_everything_wrong_is_told_at_once_in_the_order_of_the_text() -> None:
    found = problems("program: shop\ncurency: EUR\nrules:\n  - {id: a}\n  - {id: a, rate: x}\ntiers: {levels: 3}\n")
    assert [(problem.mark.line, problem.field) for problem in found] == [
        (1, "currency"),
        (1, "effective_from"),
        (1, "time_zone"),
        (2, "curency"),
        (4, "rules[0]"),
        (5, "rules[1].id"),
        (5, "rules[1].rate"),
        (6, "tiers.levels"),
    ]


@pytest.mark.parametrize("text", ["[]", "shop", "3", "null", "true"])
def test_a_document_that_is_no_group_of_settings_is_refused(text: str) -> None:
    assert problems(text)[0].message in {"it must be a group of settings", "the document is empty"}


@pytest.mark.parametrize("file", sorted(PROGRAMS.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_canonical_form_says_the_same(file: Path) -> None:
    document = check(file.read_bytes())
    assert Document.model_validate_json(document.canonical()) == document


def test_the_canonical_form_knows_no_notation() -> None:
    one = check((HEAD + "rules: [{id: a, rate: 1.50, minimum: 20.00}]").encode())
    other = check((HEAD + "rules:\n- minimum: 20\n  rate: '3/2' # half as much again\n  id: a\n").encode())
    assert one.canonical() == other.canonical()
