"""The worked numbers of the domain, played by the naive model and the core alike: both must come to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.earning.program.terms import (
    Basis,
    Campaign,
    Caps,
    Expiry,
    Pending,
    Program,
    Rule,
    TierLevel,
    Tiers,
    Versions,
)
from shared.facts.adjustments import PointsAdjust
from shared.facts.fact import FactData
from shared.facts.imports import BalanceImport, ImportRevert
from shared.facts.orders import OrderCancelled, OrderLine, OrderPaid, OrderRefunded, OrderUpdated, Refund, RefundLine
from shared.facts.redemptions import RedemptionCancelled, RedemptionRequested
from tests.support.model.core import Core
from tests.support.model.facts import fact
from tests.support.model.member import NaiveMember
from tests.support.model.naive import Naive
from tests.support.model.shorten import Step, apply, tell

ONE_TO_ONE = (Rule("base", rate=Fraction(1)),)
GOLD = Tiers("base", (TierLevel("base", 0), TierLevel("gold", 1000)), window="calendar_year")


def at(text: str) -> datetime:
    """`06-01`, `2026-06-01` or `2026-06-01T15:00`, in UTC."""
    day, _, time = text.partition("T")
    day = day if len(day) > 5 else f"2026-{day}"
    return datetime.fromisoformat(f"{day}T{time or '12:00'}").replace(tzinfo=UTC)


def program(**settings: Any) -> Versions:
    terms: dict[str, Any] = {"currency": "EUR", "zone": ZoneInfo("UTC"), "rules": ONE_TO_ONE} | settings
    return Versions((Program(name="club", version=1, in_force_from=at("2020-01-01"), **terms),))


def paid(order_id: str, *subtotals: str, **fields: Any) -> OrderPaid:
    return OrderPaid(**order(order_id, *subtotals, **fields))


def order(order_id: str, *subtotals: str, **fields: Any) -> dict[str, Any]:
    lines = tuple(OrderLine(line_id=f"l{n}", sku="s", quantity=1, subtotal=s) for n, s in enumerate(subtotals, 1))
    return {"order_id": order_id, "currency": "EUR", "lines": lines} | fields


def back(order_id: str, refund_id: str, amount: str | None = None, **fields: Any) -> OrderRefunded:
    lines = tuple(RefundLine(line_id=line, amount=money) for line, money in fields.pop("lines", {}).items())
    return OrderRefunded(order_id=order_id, refund_id=refund_id, amount=amount, lines=lines, **fields)


class Play:
    """Facts one after the other, to model and core; after each they must be the same."""

    def __init__(self, versions: Versions) -> None:
        self.model, self.core, self.number = Naive(versions), Core(versions), 0

    def __call__(self, when: str, data: FactData, arrives: str | None = None) -> Play:
        self.number += 1
        given = fact(data, "ann", at(when), at(arrives or when), self.number)
        found = apply(self.model, self.core, Step(given.received_at, given))
        assert not found, "\n".join([tell(data), *found])
        return self

    def until(self, when: str) -> Play:
        found = apply(self.model, self.core, Step(at(when)))
        assert not found, "\n".join(found)
        return self

    @property
    def member(self) -> NaiveMember:
        return self.model.members["ann"]

    @property
    def balance(self) -> tuple[int, int, int]:
        account = self.member.account
        return account.available, account.pending, account.deficit

    def worth(self, order_id: str) -> int:
        return self.member.orders["shop", "order", order_id].award.points

    def counter(self, name: str) -> int:
        return self.member.account.counters[name]

    @property
    def ends(self) -> list[tuple[int, str]]:
        """What is spendable, with the last local day of each lot."""
        account = self.member.account
        lots = [(lot.remaining, account.ends(lot)) for lot in account.spendable()]
        return [(points, (end - timedelta(seconds=1)).date().isoformat() if end else "never") for points, end in lots]


@pytest.mark.rule(2, 9)
def test_rule_02_multipliers_before_the_one_floor() -> None:
    tiers = Tiers("base", (TierLevel("base", 0, Fraction(5, 4)),))
    play = Play(program(tiers=tiers, campaigns=(Campaign("double", Fraction(2)),)))
    play("06-01", paid("o", "9.99", "10.00"))
    assert play.worth("o") == 49
    assert play("06-02", back("o", "r1", lines={"l1": "9.99"})).worth("o") == 49 - 24
    assert play("06-03", back("o", "r2", lines={"l2": "10.00"})).worth("o") == 0


@pytest.mark.rule(6)
def test_rule_06_paid_cancelled_paid_again() -> None:
    play = Play(program())("06-01", paid("o", "49"))("06-02", OrderCancelled(order_id="o"))
    assert play.balance == (0, 0, 0)
    assert play("06-03", paid("o", "49")).balance == (49, 0, 0)


@pytest.mark.rule(7)
def test_rule_07_a_cap_of_500_a_day() -> None:
    play = Play(program(caps=Caps(day=500)))
    play("06-01T09:00", paid("a", "1000"))("06-01T10:00", paid("b", "300"))
    assert (play.worth("a"), play.worth("b")) == (500, 0)
    assert play("06-01T11:00", back("a", "r1", "400")).worth("a") == 500
    assert play("06-01T12:00", back("a", "r2", "300")).worth("a") == 300
    assert play("06-01T13:00", paid("c", "300")).worth("c") == 200
    assert (play.worth("a"), play.worth("b")) == (300, 0)


@pytest.mark.rule(8)
def test_rule_08_another_currency() -> None:
    play = Play(program())("06-01", paid("o", "50.00", currency="USD", exchange_rate="0.92"))
    assert play.worth("o") == 46


@pytest.mark.rule(9)
def test_rule_09_a_campaign_from_100() -> None:
    play = Play(program(campaigns=(Campaign("double", Fraction(2), minimum_micros=100_000_000),)))
    assert play("06-01", paid("o", "120")).worth("o") == 240
    assert play("06-02", back("o", "r", "40")).worth("o") == 80


@pytest.mark.rule(10)
def test_rule_10_half_of_all_the_cash() -> None:
    lines = (OrderLine(line_id="l1", sku="s", quantity=1, subtotal="100", tax="19"),)
    play = Play(program())("06-01", paid("o", lines=lines, shipping="5"))
    assert play("06-02", back("o", "r", "62")).worth("o") == 50


@pytest.mark.rule(10)
def test_rule_10_a_refund_never_spreads_the_discount_again() -> None:
    play = Play(program())("06-01", paid("o", "10", "20", "70", discount="10"))
    assert play("06-02", back("o", "r", lines={"l3": "63"})).worth("o") == 27


@pytest.mark.rule(12)
def test_rule_12_expired_first_then_the_others() -> None:
    play = Play(program(expiry=Expiry("after_available", 1)))
    play("01-10", paid("o", "100"))("01-11", RedemptionRequested(redemption_id="x", points=40)).until("03-01")
    assert play("03-02", paid("p", "50")).balance == (50, 0, 0)
    assert play("03-03", back("o", "r", "100")).balance == (10, 0, 0)
    assert (play.counter("expired"), play.counter("expired_reversed")) == (60, 60)


@pytest.mark.rule(13)
def test_rule_13_an_update_that_raises() -> None:
    play = Play(program())("06-01", paid("o", "100"))("06-02", back("o", "r", "30"))
    assert play.worth("o") == 70
    refund = Refund(refund_id="r", amount="30")
    play("06-03", OrderUpdated(**order("o", "150"), status="paid", refunds=(refund,)))
    assert play.worth("o") == 120


@pytest.mark.rule(16)
def test_rule_16_month_ends_clamp() -> None:
    assert Play(program(expiry=Expiry("after_available", 1)))("01-31", paid("o", "5")).ends == [(5, "2026-02-28")]


@pytest.mark.rule(17)
def test_rule_17_fourteen_days_pending() -> None:
    play = Play(program(pending=Pending(days=14)))("06-01T15:00", paid("o", "10"))
    assert play.until("06-15T23:59").balance == (0, 10, 0)
    assert play.until("06-16T00:00").balance == (10, 0, 0)


@pytest.mark.rule(20)
def test_rule_20_points_that_come_back_live_on() -> None:
    play = Play(program(expiry=Expiry("after_available", 1)))("05-30", paid("o", "10"))
    assert play.ends == [(10, "2026-06-30")]
    play("06-29", RedemptionRequested(redemption_id="x", points=10))
    assert play("08-01", RedemptionCancelled(redemption_id="x")).ends == [(10, "2026-08-31")]
    play("08-30", RedemptionRequested(redemption_id="y", points=10))
    assert play("09-05", RedemptionCancelled(redemption_id="y")).ends == [(10, "2026-09-06")]


@pytest.mark.rule(23)
def test_rule_23_gold_through_a_closed_window() -> None:
    play = Play(program(tiers=GOLD, pending=Pending(days=14)))
    play("2025-06-01", paid("a", "400"))("2025-12-20", paid("b", "600")).until("2026-01-03T23:00")
    assert play.member.tier != "gold"
    assert play.until("2026-01-04T00:00").member.tier == "gold"
    assert play("2026-01-10", back("b", "r", "600")).member.tier == "base"


@pytest.mark.rule(32)
def test_rule_32_an_import_reverted_and_corrected() -> None:
    play = Play(program())("01-01", BalanceImport(batch_id="a", row=1, points=500))
    play("01-02", RedemptionRequested(redemption_id="x", points=200))
    assert play("01-03", ImportRevert(batch_id="a")).balance == (0, 0, 200)
    assert play("01-04", BalanceImport(batch_id="b", row=1, points=400)).balance == (200, 0, 0)


@pytest.mark.rule(37)
def test_rule_37_a_fact_a_year_late() -> None:
    play = Play(program(expiry=Expiry("after_available", 12)))
    assert play("2025-01-10", paid("o", "100"), arrives="2026-02-01").ends == [(100, "2026-03-03")]


@pytest.mark.rule(40)
def test_rule_40_half_paid_with_points() -> None:
    lines = (OrderLine(line_id="l1", sku="s", quantity=1, subtotal="100", tax="19"),)
    assert Play(program())("06-01", paid("o", lines=lines, points_payment="59.50")).worth("o") == 50


@pytest.mark.rule(42)
def test_rule_42_refunds_of_every_kind_add_up() -> None:
    play = Play(program(basis=Basis(shipping=True)))("06-01", paid("o", "20", "30", shipping="4.90"))
    play("06-02", back("o", "r1", shipping="4.90"))("06-03", back("o", "r2", lines={"l1": "20"}))
    assert play("06-04", back("o", "r3", "30")).worth("o") == 0


@pytest.mark.rule(57)
def test_rule_57_spend_refund_cancel_is_no_gain() -> None:
    play = Play(program(deficit="forgive"))("06-01", paid("o", "100"))
    play("06-02", RedemptionRequested(redemption_id="x", points=100))("06-03", OrderCancelled(order_id="o"))
    assert play.balance == (0, 0, 0)
    assert play("06-04", RedemptionCancelled(redemption_id="x")).balance == (0, 0, 0)
    assert (play.counter("forgiven"), play.counter("restored")) == (100, 0)


@pytest.mark.rule(58)
def test_rule_58_an_adjustment_pays_what_is_owed() -> None:
    play = Play(program())("06-01", paid("o", "100"))("06-02", RedemptionRequested(redemption_id="x", points=70))
    assert play("06-03", OrderCancelled(order_id="o")).balance == (0, 0, 70)
    adjusted = PointsAdjust(adjustment_id="a", points=90, actor_id="me", reason="sorry")
    assert play("06-04", adjusted).balance == (20, 0, 0)
