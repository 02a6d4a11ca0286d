"""What of an order's money earns, and what refunds leave of each line, to the micro: rules 1, 10 and 38 to 43."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest

from services.earning.decide.value.basis import cashes_of, lines_of, spread
from services.earning.decide.value.refunds import shares_left
from services.earning.program.terms import Basis
from services.earning.state.keys import RefundedLine, RefundKnown, Sold, SoldLine

UNIT = 1_000_000


def micros(amount: float) -> int:
    return round(amount * UNIT)


def one(number: int, subtotal: float, tax: float = 0, *, discount: float = 0, quantity: int = 1) -> SoldLine:
    money = (micros(subtotal), micros(discount), micros(tax))
    return SoldLine(str(number), "tea", (), quantity, *money, gift_card=False)


def sold(*lines: SoldLine, currency: str = "EUR", included: bool = False, **money: float) -> Sold:
    names = ("discount", "shipping", "shipping_tax")
    discount, shipping, tax = (micros(money.get(name, 0)) for name in names)
    return Sold(
        currency, lines, discount, shipping, tax, included, micros(money.get("points_payment", 0)), None, test=False
    )


def refund(*lines: RefundedLine, amount: float | None = None, shipping: float = 0) -> RefundKnown:
    whole = None if amount is None else micros(amount)
    return RefundKnown(datetime(2026, 6, 1, tzinfo=UTC), 1, lines, whole, micros(shipping), "cash")


def back(line_id: str, amount: float, tax: float = 0, *, quantity: int | None = None) -> RefundedLine:
    return RefundedLine(line_id, micros(amount), quantity, micros(tax))


@pytest.mark.rule(1)
@pytest.mark.parametrize(
    ("order", "basis", "bases"),
    [
        pytest.param(sold(one(1, 2, 3), included=True), Basis(), [0], id="more tax than price earns nothing"),
        pytest.param(sold(one(1, 10, 2), included=True, points_payment=9), Basis(), [0], id="points beyond the net"),
        pytest.param(sold(one(1, 119, 19), included=True, points_payment=59.5), Basis(), [40.5], id="points, tax in"),
        pytest.param(sold(one(1, 100, 19), points_payment=119), Basis(), [0], id="all paid with points"),
        pytest.param(sold(one(1, 100, 19), points_payment=59.5), Basis(), [50], id="points over tax on top"),
        pytest.param(sold(one(1, 9), shipping=5, shipping_tax=1), Basis(), [9, 0], id="shipping that earns nothing"),
        pytest.param(
            sold(one(1, 9), shipping=5, shipping_tax=1), Basis(shipping=True), [9, 5], id="shipping without its tax"
        ),
        pytest.param(
            sold(one(1, 9), included=True, shipping=1, shipping_tax=2),
            Basis(shipping=True),
            [9, 0],
            id="shipping with more tax than price",
        ),
        pytest.param(
            sold(one(1, 9), included=True, shipping=6, shipping_tax=1),
            Basis(shipping=True, tax=True),
            [9, 6],
            id="shipping's tax is not added twice",
        ),
    ],
)
def test_rule_01_a_basis_is_exact(order: Sold, basis: Basis, bases: list[float]) -> None:
    assert lines_of(order, basis).bases == [micros(amount) for amount in bases]


@pytest.mark.rule(39)
@pytest.mark.parametrize(
    ("order", "values"),
    [
        pytest.param(
            sold(one(1, 10), one(2, 10), one(3, 10), discount=1), [9.66, 9.67, 9.67], id="in cents, the first first"
        ),
        pytest.param(
            sold(one(1, 100), one(2, 100), one(3, 100), currency="JPY", discount=100), [66, 67, 67], id="in whole yen"
        ),
        pytest.param(
            sold(one(1, 10.001), one(2, 10), one(3, 10), discount=0.01),
            [9.997, 9.997, 9.997],
            id="as fine as the finest price",
        ),
        pytest.param(
            sold(one(1, 10), one(2, 10, discount=0.001), discount=0.01),
            [9.995, 9.994],
            id="as fine as the finest discount of a line",
        ),
    ],
)
def test_rule_39_discounts_are_spread_in_the_currencys_steps_or_finer(order: Sold, values: list[float]) -> None:
    left = lines_of(order, Basis()).values
    assert sum(left) == sum(line.subtotal - line.discount for line in order.lines) - order.discount
    assert left == [micros(value) for value in values]


@pytest.mark.rule(40)
@pytest.mark.parametrize(
    ("order", "shares"),
    [
        pytest.param(
            sold(one(1, 10), one(2, 10), one(3, 10), included=True, points_payment=1), [0.34, 0.33, 0.33], id="in cents"
        ),
        pytest.param(
            sold(one(1, 10), one(2, 10), one(3, 10), points_payment=1), [0.34, 0.33, 0.33], id="in cents, tax on top"
        ),
        pytest.param(
            sold(one(1, 10), one(2, 10), included=True, points_payment=0.001), [0.001, 0], id="as fine as the payment"
        ),
        pytest.param(sold(one(1, 10), one(2, 10), points_payment=0.001), [0.001, 0], id="the same, tax on top"),
        pytest.param(
            sold(one(1, 10, 0.001), one(2, 10, 0.001), points_payment=0.03), [0.015, 0.015], id="as fine as the tax"
        ),
    ],
)
def test_rule_40_what_was_paid_with_points_is_spread_in_the_same_steps(order: Sold, shares: list[float]) -> None:
    assert lines_of(order, Basis()).points_shares == [micros(share) for share in shares]


@pytest.mark.rule(40)
@pytest.mark.parametrize(("included", "cash"), [(True, [95, 15]), (False, [111, 15])])
def test_rule_40_cash_is_the_value_its_tax_on_top_less_points(cash: list[int], *, included: bool) -> None:
    order = sold(one(1, 100, 19), included=included, shipping=15, points_payment=5 if included else 8)
    lines = lines_of(order, Basis())
    assert cashes_of(lines, tax_included=included) == [micros(amount) for amount in cash]


@pytest.mark.parametrize(
    ("total", "weights", "unit", "shares"),
    [
        pytest.param(2, [3, 3, 3], 1, [1, 1, 0], id="ties to the earlier"),
        pytest.param(3, [3, 1], 1, [2, 1], id="the largest remainder, not the largest weight"),
        pytest.param(3, [1, 2], 2, [1, 2], id="all of it"),
        pytest.param(9, [1, 2], 1, [1, 2], id="more than all"),
        pytest.param(4, [3, 3], 2, [2, 2], id="in whole units"),
    ],
)
def test_sums_are_spread(total: int, weights: list[int], unit: int, shares: list[int]) -> None:
    assert spread(total, weights, unit) == shares
    assert unit != 1 or spread(total, weights) == shares


FREE = [one(1, 0, quantity=2), one(2, 100)]
HALF = Fraction(1, 2)


@pytest.mark.rule(42)
@pytest.mark.parametrize(
    ("order", "refunds", "left"),
    [
        pytest.param(
            sold(one(1, 119, 19), included=True), [refund(amount=59.5)], [HALF], id="half of the price, tax included"
        ),
        pytest.param(sold(one(1, 100, 19)), [refund(amount=59.5)], [HALF], id="half of the price, tax on top"),
        pytest.param(
            sold(one(1, 100), one(2, 100), shipping=10),
            [refund(back("1", 50), amount=60, shipping=10)],
            [HALF, 1, 0],
            id="an amount that says no more than lines and shipping",
        ),
        pytest.param(
            sold(one(1, 100, 20)),
            [refund(back("9", 10, 2), amount=12)],
            [1],
            id="a line that the order lacks, tax on top",
        ),
        pytest.param(
            sold(one(1, 100, 20), included=True),
            [refund(back("9", 10, 2), amount=60)],
            [HALF],
            id="a line that the order lacks, tax included",
        ),
        pytest.param(
            sold(*FREE),
            [refund(back("1", 0, quantity=1)), refund(back("1", 0, quantity=1))],
            [0, 1],
            id="a free line, piece by piece",
        ),
        pytest.param(sold(*FREE), [refund(back("1", 0, quantity=1))], [1, 1], id="one piece of a free line"),
        pytest.param(
            sold(*FREE), [refund(back("1", 0)), refund(back("1", 0))], [1, 1], id="a free line, no pieces named"
        ),
        pytest.param(
            sold(*FREE), [refund(back("1", 5)), refund(back("1", 0))], [0, 1], id="a free line for money, then none"
        ),
        pytest.param(
            sold(*FREE), [refund(back("2", 25)), refund(back("2", 25))], [1, HALF], id="a line in two refunds"
        ),
    ],
)
def test_rule_42_refunds_leave_shares(order: Sold, refunds: list[Any], left: list[Any]) -> None:
    lines = lines_of(order, Basis())
    assert shares_left(lines, refunds, tax_included=order.prices_include_tax) == left
