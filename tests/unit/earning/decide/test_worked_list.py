"""`docs/rules.md`: each rule and worked number has its test, and nothing names a rule that the page lacks."""

from pathlib import Path

import pytest

from tests.unit.earning.decide.rules import RULES, cited_in, rules_cited, rules_of, rules_shown
from tests.unit.earning.decide.worked import WORKED, missing, unknown

pytestmark = pytest.mark.house


def test_no_rule_and_no_worked_number_is_without_its_test_and_no_other_number_is_used() -> None:
    assert missing() == []


def test_rules_are_numbered_from_1_on() -> None:
    assert [*RULES] == [*range(1, len(RULES) + 1)]


def test_two_rules_of_one_number_are_refused() -> None:
    with pytest.raises(ValueError, match="one number"):
        rules_of("### 1. This\n\nText\n\n### 1. That\n\nText\n")


@pytest.mark.parametrize("folder", ["services/earning/decide", "tests/unit", "docs/how-to"])
def test_a_number_that_the_page_lacks_is_found_wherever_it_is_used(tmp_path: Path, folder: str) -> None:
    lacking = len(RULES) + 1
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "planted.md").write_text(f"See rules 9,\n{lacking} and 12.\n")
    assert unknown(rules_cited(tmp_path)) == [f"rule {lacking} is not in docs/rules.md: {folder}/planted.md"]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("rule {}", "7"),
        ("Rules {} to {}.", "9 14"),
        ("(rules {}-{}, {} and {})", "2 15 34 37"),
        ("@pytest.mark.rule({}, {})", "2 9"),
        ("def test_rule_{}_what_is_shown", "2"),
        ("(rule {}, 0011)", "30"),
        ("of 200 rules 1,000 lines; 3 rules; ruler 5; rules: 4", ""),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, numbers: str) -> None:
    assert cited_in(text.format(*numbers.split())) - {1} == {*map(int, numbers.split())}


def test_every_worked_example_is_of_a_rule_that_its_test_shows() -> None:
    shown = rules_shown()
    assert {one.test for one in WORKED if one.test not in shown[one.rule]} == set()
