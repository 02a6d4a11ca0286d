"""The planted defects fit the code as it is; one that doesn't says so. `make defects` sees that each is noticed."""

from pathlib import Path

import pytest

from tests.chaos.defects import DEFECTS
from tests.chaos.defects.planting import Change, Defect, MisfitError

TOP = Path(__file__).parents[2]
MODULE = """
LIMITS = {"days": 3}

class Account:
    def spend(self, points):
        # Never below zero.
        if points > self.available:
            raise ValueError(points)
        self.available -= points
        return self.available
"""
SQL = """
-- name: first
SELECT a FROM t
ORDER BY a;

-- name: second
SELECT b FROM t WHERE b > 0;
"""

pytestmark = pytest.mark.house


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_a_planted_defect_fits_the_code(defect: Defect) -> None:
    """Where it doesn't, `python -m tests.chaos.defects --fit` shows the code."""
    changed = defect.changed(TOP)
    assert all((TOP / file).read_text("utf-8") != text for file, text in changed.items())


def test_each_defect_has_a_name_of_its_own_and_checks_that_exist() -> None:
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS)
    checks = [check.partition("::")[0] for defect in DEFECTS for check in defect.caught_by]
    assert [check for check in checks if not (TOP / check).exists()] == []


@pytest.mark.parametrize(
    ("was", "becomes", "expected"),
    [
        ("points > self.available", "points > 2 * self.available", "if points > 2 * self.available:"),
        ("if points > ...: ...", "", "def spend(self, points):\n        self.available -= points"),
        ("if ...: ...", "if not ...: ...", "if not points > self.available:\n            raise ValueError(points)"),
        ("raise ValueError(...)", "", "available:\n            pass"),
        ("self.available -= ...\nreturn ...", "return ...", "return points"),
    ],
)
def test_a_snippet_of_python_is_found_whatever_its_format(was: str, becomes: str, expected: str) -> None:
    assert expected in Change("bank:Account.spend", was, becomes).changed(MODULE)


def test_a_variable_and_a_statement_of_sql_are_changed_as_well() -> None:
    assert "LIMITS = {'days': 4}" in Change("bank:LIMITS", "3", "4").changed(MODULE)
    changed = Change("bank.sql:first", "t ORDER BY a", "t").changed(SQL)
    assert changed.split() == SQL.replace("\nORDER BY a", "", 1).split()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (Change("bank:Account.earn", "points", "0"), "0 things have this name"),
        (Change("bank:Account.spend", "self.deficit", "0"), "does not occur"),
        (Change("bank:Account.spend", "self", "None"), "occurs 3 times"),
        (Change("bank.sql:third", "a", "b"), "there is no such statement"),
        (Change("bank.sql:second", "b", "c"), "occurs 2 times"),
    ],
)
def test_what_does_not_fit_says_why(change: Change, why: str) -> None:
    with pytest.raises(MisfitError, match=why):
        change.changed(SQL if change.file.endswith(".sql") else MODULE)
