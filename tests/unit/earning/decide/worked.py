"""The worked numbers of the domain: what each example is about, its numbers, and the test that comes to them.

`python -m tests.unit.earning.decide.worked` (`make rules`) lists the rules of `docs/rules.md` with their tests. It
fails where a rule or a worked number has no test, and where a number is used that the page lacks.
"""

from __future__ import annotations

import ast
import re
import sys
from typing import NamedTuple

from tests.unit.earning.decide.rules import RULES, TESTS, rules_cited, rules_shown

HERE = "unit/earning/decide"


class Worked(NamedTuple):
    """An example: its rule, what happens in it, its numbers and dates as its test writes them, and that test."""

    rule: int
    about: str
    numbers: tuple[str, ...]
    test: str


def _shown(rule: int, about: str, numbers: str, name: str, file: str = "test_worked_numbers") -> Worked:
    return Worked(rule, about, tuple(numbers.split()), f"{HERE}/{file}.py::test_rule_{rule:02}_{name}")


WORKED = (
    _shown(
        2, "a tier and a campaign on one order, rounded down once", "9.99 10.00 49", "multipliers_before_the_one_floor"
    ),
    _shown(2, "the reckoning that the event tells", "19.99 49.975 49", "worked_number", "facts/test_orders"),
    _shown(6, "an order paid, cancelled and paid once more", "49", "paid_cancelled_paid_again"),
    _shown(7, "a day's limit, with refunds that give room back", "500 1000 400 300 200", "a_cap_of_500_a_day"),
    _shown(8, "an order in dollars for a program in euros", "50.00 0.92 46", "another_currency"),
    _shown(
        9, "both lines of an order refunded one after the other", "49 24", "multipliers_before_the_one_floor"
    )._replace(test=f"{HERE}/test_worked_numbers.py::test_rule_02_multipliers_before_the_one_floor"),
    _shown(9, "a refund below a campaign's minimum", "120 240 40 80", "a_campaign_from_100"),
    _shown(10, "half of the cash back, tax and shipping in it", "100 19 5 62 50", "half_of_all_the_cash"),
    _shown(
        10, "a line back from an order with a discount", "10 20 70 63 27", "a_refund_never_spreads_the_discount_again"
    ),
    _shown(12, "a full refund after some was spent and some expired", "100 40 50 60", "expired_first_then_the_others"),
    _shown(13, "an order raised after a refund", "100 30 150 120", "an_update_that_raises"),
    _shown(16, "a month from the last of January", "01-31 02-28", "month_ends_clamp"),
    _shown(17, "two weeks of waiting", "06-01T15:00 14 06-16T00:00", "fourteen_days_pending"),
    _shown(20, "a redemption cancelled, twice", "06-30 06-29 08-31 08-30 09-06", "points_that_come_back_live_on"),
    _shown(
        23, "gold by points released in the year after", "400 600 12-20 01-04 01-10", "gold_through_a_closed_window"
    ),
    _shown(25, "a photo added to a review", "10 5 15", "a_review_is_worth_what_it_is_now", "facts/test_reviews"),
    _shown(32, "an import taken out and brought in again", "500 200 400", "an_import_reverted_and_corrected"),
    _shown(37, "a fact that came a year late", "2025-01-10 2026-02-01 100 2026-03-03", "a_fact_a_year_late"),
    _shown(40, "half of an order paid with points", "100 19 59.50 50", "half_paid_with_points"),
    _shown(42, "shipping, a line and an amount refunded", "20 30 4.90", "refunds_of_every_kind_add_up"),
)
"""Every example with numbers, of the rules above."""


def missing() -> list[str]:
    """What can't be shown: rules without a test, numbers of none, and worked numbers that page or test don't have."""
    shown = rules_shown()
    lost = [f"rule {rule} has no test" for rule in sorted(RULES.keys() - shown.keys())]
    for worked in WORKED:
        page = RULES[worked.rule].text if worked.rule in RULES else ""
        for place, text in (("docs/rules.md", page), (worked.test, _source(worked.test))):
            absent = [number for number in worked.numbers if not _written(number, text)]
            if absent:
                lost.append(f"rule {worked.rule}, {worked.about}: {', '.join(absent)} not in {place}")
    return lost + unknown({**rules_cited(), **shown, **{worked.rule: [worked.test] for worked in WORKED}})


def unknown(used: dict[int, list[str]]) -> list[str]:
    """Numbers of rules that are used (number → where) and that the page lacks."""
    return [
        f"rule {rule} is not in docs/rules.md: {', '.join(used[rule])}" for rule in sorted(used.keys() - RULES.keys())
    ]


def _written(number: str, text: str) -> bool:
    """Whether a text has a number as a whole: 49 isn't in 149 or 49.5; a date may stand within a longer one."""
    before = r"(?<![\d.])" if "-" not in number else r"(?<!\d)"
    plain = re.sub(r"(?<=\d)[_,](?=\d)", "", text)
    return re.search(before + re.escape(number) + r"(?!\d|\.\d)", plain) is not None


def _source(test: str) -> str:
    """The text of a test; empty where there is none of that name."""
    file, _, name = test.partition("::")
    text = (TESTS / file).read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return ast.get_source_segment(text, node) or ""
    return ""


def main() -> None:
    """List rule → tests and worked numbers → tests; exit code 1 where something has none."""
    lines, shown = [], rules_shown()
    for rule, (title, _) in RULES.items():
        lines += [f"rule {rule}: {title}", *(f"    {test}" for test in shown.get(rule, ()))]
        lines += [f"    = {', '.join(one.numbers)}: {one.about}" for one in WORKED if one.rule == rule]
    lost = missing()
    sys.stdout.write("\n".join([*lines, f"{len(RULES)} rules, {len(WORKED)} worked examples", *lost]) + "\n")
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
