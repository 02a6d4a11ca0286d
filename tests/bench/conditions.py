"""Conditions: what a rule's condition costs of a decision, as a plain field and as an expression; no servers."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from statistics import median

from services.earning.program.authoring.check import check
from services.earning.program.compile import compile_versions
from services.earning.simulate import Arrival, run
from services.earning.source_events.facts import Fact
from shared.facts.orders import OrderLine, OrderPaid

ORDERS = 3_000
ROUNDS = 5
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
HEAD = "program: c\neffective_from: 2020-01-01T00:00:00Z\ncurrency: EUR\ntime_zone: UTC\n"
WHEN = {
    "no condition": "",
    "plain fields": ", when: {channels: [web], tiers: [basic]}",
    "expression": ", when: {expression: order.channel == 'web' && member.tier == 'basic'}",
}


def microseconds() -> dict[str, float]:
    """µs of an order's decision by the kind of condition that its rule has; medians, taken in turns."""
    taken: dict[str, list[float]] = {name: [] for name in WHEN}
    for _ in range(ROUNDS):
        for name, when in WHEN.items():
            taken[name].append(_run(when))
    return {name: median(some) for name, some in taken.items()}


def _run(when: str) -> float:
    text = f"{HEAD}rules: [{{id: a, rate: 1{when}}}]\ntiers: {{levels: [{{id: basic}}]}}\n"
    document = check(text.encode())
    programs = {"c": compile_versions([(document, document.effective_from)])}
    arrivals = [Arrival(number, _order(number)) for number in range(ORDERS)]
    began = time.perf_counter()
    rulings = run(programs, arrivals).rulings
    seconds = time.perf_counter() - began
    if not all(ruling.events[0].TYPE == "loyalty.points.earned.v1" for ruling in rulings):
        raise RuntimeError("not every order earned")
    return 1e6 * seconds / ORDERS


def _order(number: int) -> Fact:
    at = BEGAN + timedelta(seconds=number)
    line = OrderLine(line_id="1", sku="tea", quantity=1, subtotal="10.00")
    return Fact(
        type="commerce.order.paid.v1",
        id=str(number),
        source="shop",
        program="c",
        member=f"m-{number}",
        occurred_at=at,
        received_at=at,
        data=OrderPaid(order_id=str(number), currency="EUR", lines=(line,), channel="web"),
    )
