"""The demo's facts: whole cents, every line of the data, the same file each time, in order of arrival."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.baskets import baskets
from deploy.demo.facts import FactsFile, facts_file

ONE_IN = 200


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def file(cache: Path, monkeypatch: pytest.MonkeyPatch) -> FactsFile:
    monkeypatch.setenv("TALLYSTICK_CACHE", str(cache))
    return facts_file(one_household_in=ONE_IN, progress=lambda _read, _total: None)


def facts_of(file: FactsFile) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.path.read_bytes().splitlines()]


def cents(amount: str) -> int:
    return round(float(amount) * 100)


def test_the_counts_are_those_of_the_file(file: FactsFile) -> None:
    facts, counts = facts_of(file), file.counts
    orders = {fact["data"]["order_id"]: fact for fact in facts if fact["type"] == "commerce.order.paid.v1"}
    assert len(facts) == counts.facts
    assert len(orders) == counts.orders
    assert sum(len(order["data"]["lines"]) for order in orders.values()) == counts.lines
    assert len({fact["subject"] for fact in facts}) == counts.households
    derived = counts.line_refunds + counts.amount_refunds + counts.cancels + counts.redelivered + counts.redemptions
    assert counts.orders + derived == counts.facts
    assert sum("receivedat" in fact for fact in facts) == counts.redelivered + counts.refund_before_order


def test_what_households_paid_is_in_the_orders_to_the_cent(file: FactsFile) -> None:
    paid = {}
    for fact in facts_of(file):
        data = fact["data"]
        if fact["type"] == "commerce.order.paid.v1":
            lines = sum(cents(line["subtotal"]) - cents(line.get("discount", "0")) for line in data["lines"])
            paid[data["order_id"]] = lines - cents(data.get("discount", "0"))
    assert sum(paid.values()) == file.counts.paid_cents
    assert min(paid.values()) >= 0


def test_a_line_never_has_more_off_than_it_costs(file: FactsFile) -> None:
    lines = [line for fact in facts_of(file) for line in fact["data"].get("lines", ()) if "subtotal" in line]
    assert all(cents(line["subtotal"]) >= cents(line.get("discount", "0")) for line in lines)
    assert all(line["quantity"] >= 1 for line in lines)


def test_the_file_is_in_order_of_arrival_and_within_the_year(file: FactsFile) -> None:
    arrivals = [datetime.fromisoformat(fact.get("receivedat", fact["time"])) for fact in facts_of(file)]
    assert arrivals == sorted(arrivals)
    assert {arrival.year for arrival in arrivals} == {2017}


def test_the_same_seed_gives_the_same_file(file: FactsFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYSTICK_CACHE", str(tmp_path))
    again = facts_file(one_household_in=ONE_IN, progress=lambda _read, _total: None)
    assert again.path != file.path
    assert again.path.read_bytes() == file.path.read_bytes()


def test_a_coupon_larger_than_its_line_is_for_the_basket() -> None:
    with_coupons = next(basket for _, basket in baskets(one_household_in=ONE_IN) if basket.coupons)
    assert all(0 <= line.discount <= line.subtotal for line in with_coupons.lines)
    assert with_coupons.coupons <= sum(line.value for line in with_coupons.lines)
