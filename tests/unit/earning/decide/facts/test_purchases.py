"""A plain payment takes a path of its own through the core, and comes out as any order would (rules 1–6)."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from msgspec.structs import replace

from services.earning.decide.facts import orders, purchases
from services.earning.program.terms import Basis, Caps, Program, Versions
from shared.facts.orders import OrderPaid
from tests.support.model.chance import Chance
from tests.support.model.facts import START
from tests.support.model.programs import program_versions
from tests.support.model.replay import History, digest
from tests.support.model.shorten import Step
from tests.support.model.traffic import arrival, order_life

SEEDS = int(os.environ.get("TALLYSTICK_EXAMPLES", "150"))
PLAIN_MIN = 10
"""Of a hundred histories at least so many have a plain payment: else this would compare nothing."""


def stripped(order: OrderPaid, program: Program) -> OrderPaid:
    """An order of prices alone."""
    lines = tuple(replace(line, gift_card=False) for line in order.lines)
    amounts = dict.fromkeys(("discount", "shipping", "shipping_tax", "points_payment"), "0")
    taxed = program.basis.tax
    return replace(order, lines=lines, currency=program.currency, prices_include_tax=taxed, test=False, **amounts)


def history(seed: int) -> History:
    """Orders of one member under a program by chance; every other one without what a plain payment can't have."""
    chance = Chance(seed)
    versions = program_versions(chance)
    if seed % 2:
        simple = [replace(p, gate="paid", caps=Caps(), basis=Basis(tax=p.basis.tax), cards=()) for p in versions.all]
        versions = Versions(tuple(simple))
    lives = [order_life(chance, f"o{n}", "ann", versions.all[0].currency) for n in range(3)]
    happenings = chance.shuffled([happening for life in lives for happening in life])
    first = max(happening.at for happening in happenings)
    steps = [Step(first, arrival(happening, first, number)) for number, happening in enumerate(happenings)]
    for step in steps:
        if seed % 2 and step.fact is not None and isinstance(step.fact.data, OrderPaid):
            step.fact.data = stripped(step.fact.data, versions.all[0])
    return versions, [*steps, Step(START + timedelta(days=1200))]


@pytest.mark.rule(2, 4, 5)
def test_a_plain_payment_is_decided_as_any_order_is(monkeypatch: pytest.MonkeyPatch) -> None:
    bought: list[int] = []

    def counted(*of: object) -> bool:
        done = purchases.buy(*of)  # type: ignore[arg-type]
        bought.extend([seed] * done)
        return done

    for seed in range(SEEDS):
        monkeypatch.setattr(orders, "buy", counted)
        in_one_go = digest([history(seed)])
        monkeypatch.setattr(orders, "buy", lambda *_: False)
        assert in_one_go == digest([history(seed)]), f"history {seed} differs"
    assert len(set(bought)) * 100 >= PLAIN_MIN * SEEDS
