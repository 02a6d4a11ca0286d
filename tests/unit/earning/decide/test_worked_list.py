"""Each worked number of the domain is in a test that shows its rule."""

import pytest

from tests.unit.earning.decide import test_rules
from tests.unit.earning.decide.rules import rules_shown
from tests.unit.earning.decide.worked import RULES, WORKED, missing

pytestmark = pytest.mark.house


def test_no_rule_and_no_worked_number_is_without_its_test() -> None:
    assert missing() == []


def test_both_lists_of_rules_are_the_same() -> None:
    assert test_rules.RULES == RULES


def test_every_worked_example_is_of_a_rule_that_its_test_shows() -> None:
    shown = rules_shown()
    assert {one.test for one in WORKED if one.test not in shown[one.rule]} == set()
