"""The total order of an order's state: rule 6."""

from __future__ import annotations

from typing import Any

import pytest

from services.earning.program.terms import Versions
from tests.unit.earning.decide.facts.test_orders import cases
from tests.unit.earning.decide.story import Story, Told, cancelled, fulfilled, paid, program, updated

PAID, CANCELLED, AGAIN = (
    Told("2026-06-01", paid("o", "49")),
    Told("2026-06-02", cancelled("o")),
    Told("2026-06-03", paid("o", "49")),
)


@pytest.mark.rule(6)
@pytest.mark.parametrize("order", ["PCA", "PAC", "CPA", "CAP", "APC", "ACP", "PCPCACA", "ACPPCA"])
def test_rule_06_paid_cancelled_and_paid_again_is_worth_49(order: str) -> None:
    known = {"P": PAID, "C": CANCELLED, "A": AGAIN}
    story = Story(Versions((program(),))).tell(*(known[letter] for letter in order))
    assert story.ann.balances.available == 49


@pytest.mark.rule(6)
@pytest.mark.parametrize("order", ["PC", "CP", "PCPC"])
def test_rule_06_paid_and_cancelled_is_worth_nothing(order: str) -> None:
    known = {"P": PAID, "C": CANCELLED}
    story = Story(Versions((program(),))).tell(*(known[letter] for letter in order))
    assert story.ann.balances.available == 0


@pytest.mark.parametrize(
    ("after", "settings", "points"),
    cases(
        ("fulfilled_does_not_reopen", 6, [Told("2026-06-03", fulfilled("o"))], {}, 0),
        ("update_that_is_paid_reopens", 6, [Told("2026-06-03", updated("o", "50"))], {}, 50),
        ("update_that_is_pending_does_not", 6, [Told("2026-06-03", updated("o", "50", status="pending"))], {}, 0),
        ("higher_revision_at_the_same_time", 6, [Told("2026-06-02", paid("o", "50", revision=1))], {}, 50),
        ("rank_decides_at_the_same_time", 6, [Told("2026-06-02", updated("o", "50"))], {}, 0),
    ),
)
def test_after_a_cancel(after: list[Told], settings: dict[str, Any], points: int) -> None:
    story = Story(Versions((program(**settings),))).tell(PAID, CANCELLED, *after)
    assert story.ann.balances.available == points
