"""The demo's facts: whole cents, every line of the data, the same file each time, in order of arrival."""

import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.cli.demo.baskets import baskets, visits
from services.cli.demo.envelopes import member_of
from services.cli.demo.facts import FactsFile, facts_file
from services.cli.demo.referrals import referrals_of
from services.cli.demo.reviews import reviews_of

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
    beyond = counts.reviews + counts.review_edits + counts.review_removals + 3 * counts.referrals
    assert counts.orders + derived + beyond == counts.facts
    late = counts.redelivered + counts.refund_before_order + counts.removals_before_review
    assert sum("receivedat" in fact for fact in facts) == late


def test_no_two_facts_have_the_same_id_but_those_delivered_twice(file: FactsFile) -> None:
    ids = [fact["id"] for fact in facts_of(file)]
    assert len(ids) - len(set(ids)) == file.counts.redelivered


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


def test_reviews_are_of_what_the_household_bought_and_tell_their_life_in_order() -> None:
    made: Counter[str] = Counter()
    lives: dict[str, list[tuple[datetime, str]]] = {}
    for _, basket in baskets(one_household_in=20):
        bought = {str(line.product) for line in basket.lines}
        for _, fact in reviews_of(basket, made):
            assert datetime.fromisoformat(fact["time"]) > basket.time
            assert fact["data"].get("product_id", next(iter(bought))) in bought
            told = datetime.fromisoformat(fact["time"]), fact["type"]
            lives.setdefault(fact["data"]["review_id"], []).append(told)
    kinds = [[kind for _, kind in sorted(life)] for life in lives.values()]
    began = "commerce.review.published.v1"
    assert all(life[0] == began and life.count(began) == 1 for life in kinds)
    assert made["review_edits"]
    assert made["review_removals"]
    assert 0 < made["reviews_with_photo"] < made["reviews"]


def test_who_brings_others_was_there_before_and_each_household_is_brought_once() -> None:
    made: Counter[str] = Counter()
    known: dict[str, datetime] = {}
    second: dict[str, datetime] = {}
    for visit in visits():
        name = member_of(visit.household)
        (second if name in known else known).setdefault(name, visit.time)
    referrals = referrals_of(visits(), made)
    joined = [fact for _, fact in referrals.facts if fact["type"] == "commerce.referral.joined.v1"]
    assert len(joined) == len({fact["subject"] for fact in joined}) == made["referrals"]
    for fact in joined:
        time, referrer = datetime.fromisoformat(fact["time"]), fact["data"]["referrer_id"]
        assert known[referrer] < time or referrer == fact["subject"]
        assert time < second.get(fact["subject"], time + timedelta(1))
    assert referrals.charged_back
    named = [fact["data"] for _, fact in referrals.facts if "signals" in fact["data"]]
    assert len(named) == made["referrals"]
    assert {name for data in named for name, seen in data["signals"].items() if seen} == {"same_device", "same_payment"}


def test_visits_are_those_of_the_baskets() -> None:
    of_baskets = [(basket.household, basket.id, basket.time) for _, basket in baskets(one_household_in=ONE_IN)]
    assert [tuple(visit) for visit in visits(one_household_in=ONE_IN)] == of_baskets


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
