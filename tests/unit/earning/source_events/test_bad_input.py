"""Bad input, from its bytes to what is said of it: a reason for each fault, and nothing silently ignored."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.earning.program.authoring.check import check
from services.earning.program.compile import compile_versions
from services.earning.simulate import Arrival, Ruling, run
from services.earning.source_events.codec import decode
from services.earning.source_events.facts import Fact
from shared.errors import PermanentError
from shared.point_events import FactRecorded, PointsEarned, RedemptionRejected, ReferralBlocked
from shared.reasons import MEANINGS, Reason

PROGRAM = b"""
program: club
effective_from: 2026-01-01T00:00:00Z
currency: EUR
time_zone: UTC
orders: {caps: {day: 500}}
rules: [{id: base, rate: 1, minimum: 5, except: {categories: [fuel]}}]
tiers: {levels: [{id: basic}, {id: gold, threshold: 100000}]}
expiry: {mode: after_available, months: 12}
rewards: [{id: mug, points: 50}, {id: bag, points: 50, tiers: [gold]}]
referrals: {referrer: 10, referee: 10, blocks: [same_ip, same_device, same_payment], limit: {times: 1}}
reviews: {points: 10, verified_only: true, minimum_length: 20}
activities: [{id: newsletter, points: 5, limit: {times: 1}}]
"""
GATED = PROGRAM.replace(b"program: club", b"program: gated").replace(b"orders: {", b"orders: {award: fulfilled, ")
DOCUMENTS = [check(PROGRAM), check(GATED)]
PROGRAMS = {one.program: compile_versions([(one, one.effective_from)]) for one in DOCUMENTS}
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LINE = {"line_id": "1", "sku": "s", "quantity": 1, "subtotal": "100.00"}

Body = dict[str, Any]


def fact(kind: str, data: Body, **attributes: Any) -> Body:
    envelope = {"specversion": "1.0", "type": f"{kind}.v1", "source": "shop", "subject": "ann", "program": "club"}
    return {**envelope, "data": data, **attributes}


def order(kind: str = "paid", **data: Any) -> Body:
    attributes = {name: data.pop(name) for name in ("subject", "program", "time") if name in data}
    body = {"order_id": "o"} | ({"currency": "EUR", "lines": [LINE]} if kind in {"paid", "updated"} else {})
    return fact(f"commerce.order.{kind}", body | data, **attributes)


def line(**changes: Any) -> Body:
    return order(lines=[LINE | changes])


def refund(**data: Any) -> Body:
    return order("refunded", refund_id="r", **data)


def redeem(**data: Any) -> Body:
    return fact("loyalty.redemption.requested", {"redemption_id": "x"} | data)


def cancel(**data: Any) -> Body:
    return fact("loyalty.redemption.cancelled", {"redemption_id": "x"} | data)


def adjust(**data: Any) -> Body:
    return fact(
        "loyalty.points.adjust", {"adjustment_id": "a", "points": 5, "actor_id": "me", "reason": "sorry"} | data
    )


def reinstate(**data: Any) -> Body:
    body = {"reinstate_id": "i", "award": "o", "points": 5, "reason": "sorry"}
    return fact("loyalty.points.reinstate", body | data)


def bring(**data: Any) -> Body:
    return fact("loyalty.balance.import", {"batch_id": "b", "row": 1, "points": 5} | data)


def revert(**data: Any) -> Body:
    return fact("loyalty.import.revert", {"batch_id": "b"} | data)


def tier(**data: Any) -> Body:
    return fact("loyalty.tier.assigned", {"tier": "gold"} | data)


def review(subject: str = "ann", **data: Any) -> Body:
    body = {"review_id": "r", "product_id": "tea", "rating": 5, "verified": True, "length": 20}
    return fact("commerce.review.published", body | data, subject=subject)


def did(**data: Any) -> Body:
    return fact("commerce.activity.recorded", {"activity_id": "a", "kind": "newsletter"} | data)


def referral(subject: str = "ann", **data: Any) -> Body:
    body = {"referral_id": "f", "referrer_id": "bob", "order_id": "o"}
    return fact("commerce.referral.completed", body | data, subject=subject)


CLOSED = fact("loyalty.member.closed", {})
PAST = "2026-05-01T00:00:00Z"


DEAD: list[tuple[str, list[Body | bytes], str]] = [
    ("not_json", [b"{"], ""),
    ("invalid_text", [b'{"a": "\\u0000"}'], ""),
    ("too_deep", [b"[" * 30 + b"]" * 30], ""),
    ("too_large", [b" " * 1_100_000], ""),
    ("not_cloudevents", [b'{"specversion": "0.3"}'], "specversion"),
    ("unknown_type", [fact("loyalty.points.give", {})], "type"),
    ("missing_field", [order(lines=None)], "data.lines"),
    ("missing_field", [fact("loyalty.redemption.requested", {"points": 5})], "data.redemption_id"),
    ("missing_field", [fact("commerce.order.refunded", {"order_id": "o"})], "data.refund_id"),
    ("missing_field", [fact("loyalty.balance.import", {"batch_id": "b", "row": 1})], "data.points"),
    ("wrong_type", [redeem(points="5")], "data.points"),
    ("wrong_type", [adjust(qualifying="yes")], "data.qualifying"),
    ("out_of_range", [line(quantity=-1)], "data.lines[0].quantity"),
    ("out_of_range", [order(exchange_rate="0")], "data.exchange_rate"),
    ("out_of_range", [order("updated", status="returned")], "data.status"),
    ("out_of_range", [refund(tender="voucher")], "data.tender"),
    ("out_of_range", [cancel(points=0)], "data.points"),
    ("out_of_range", [bring(points=-5)], "data.points"),
    ("out_of_range", [bring(lifetime_points=-5)], "data.lifetime_points"),
    ("out_of_range", [reinstate(points=0)], "data.points"),
    ("out_of_range", [adjust(points=10**30)], "data.points"),
    ("out_of_range", [review(rating=101)], "data.rating"),
    ("missing_field", [fact("loyalty.member.claimed", {})], "data.from"),
    ("out_of_range", [review(photos=-1)], "data.photos"),
    ("out_of_range", [did(quantity=-1)], "data.quantity"),
    ("wrong_type", [did(attributes={"store": 7})], "data.attributes.store"),
    ("out_of_range", [order(order_id="")], "data.order_id"),
    ("invalid_fact", [redeem()], "data"),
    ("invalid_fact", [redeem(points=5, reward="mug")], "data"),
    ("invalid_fact", [adjust(points=0)], "data.points"),
    ("invalid_fact", [adjust(reason="")], "data.reason"),
    ("invalid_fact", [reinstate(reason="")], "data.reason"),
    ("invalid_time", [order(time="2026-06-01 12:00")], "time"),
    ("invalid_time", [tier(until="2300-01-01T00:00:00Z")], "data.until"),
    ("money_not_text", [line(subtotal=100)], "data.lines[0].subtotal"),
    ("invalid_money", [refund(amount="-1")], "data.amount"),
    ("excess_precision", [line(subtotal="1.1234567")], "data.lines[0].subtotal"),
    ("unknown_currency", [order(currency="XXQ", exchange_rate="2")], "data.currency"),
    ("too_many_lines", [order(lines=[LINE | {"line_id": str(n)} for n in range(1001)])], "data.lines"),
    ("duplicate_line", [order(lines=[LINE, LINE])], "data.lines"),
    ("occurred_in_future", [order(time="2026-06-01T13:00:00Z")], "time"),
    ("unknown_program", [order(program="klub")], "program"),
    ("no_exchange_rate", [order(currency="USD")], "data.exchange_rate"),
    ("owned_by_another_member", [order(), refund(amount="5") | {"subject": "bob"}], ""),
    ("conflict", [order(), redeem(points=5), redeem(points=6)], ""),
    ("conflict", [order(), redeem(points=5), cancel(cancel_id="c", points=1), cancel(cancel_id="c", points=2)], ""),
    ("conflict", [adjust(), adjust(points=6)], ""),
    ("conflict", [bring(), bring(points=6)], ""),
    ("conflict", [bring(row=7), bring(row="7", points=6)], ""),
    ("owned_by_another_member", [review(), review(subject="bob", rating=1)], ""),
    ("conflict", [referral(), referral(referrer_id="eve")], "data.referrer_id"),
    ("wrong_type", [referral(signals={"same_ip": "yes"})], "data.signals.same_ip"),
    ("expires_in_past", [adjust(expires_at=PAST)], "data.expires_at"),
    ("expires_in_past", [bring(expires_at=PAST)], "data.expires_at"),
    ("unknown_award", [reinstate()], "data.award"),
    ("unknown_award", [order(), reinstate()], "data.points"),
    ("unknown_tier", [tier(tier="glod")], "data.tier"),
    ("unknown_tier", [bring(tier="glod")], "data.tier"),
]
"""Reason → inputs, of which the last is a dead letter for it, and the field that is named."""

REJECTED: list[tuple[str, list[Body]]] = [
    ("insufficient_points", [redeem(points=5)]),
    ("insufficient_points", [redeem(reward="mug")]),
    ("unknown_reward", [order(), redeem(reward="cup")]),
    ("tier_required", [order(), redeem(reward="bag")]),
    ("invalid_points", [order(), redeem(points=0)]),
    ("invalid_points", [order(), redeem(points=-5)]),
    ("cancelled", [order(), cancel(), redeem(points=5)]),
    ("member_closed", [order(), CLOSED, redeem(points=5)]),
]
"""Reason → facts, of which the last is a redemption that is refused for it."""

RECORDED: list[tuple[str, list[Body]]] = [
    ("test_order", [order(test=True)]),
    ("below_minimum", [line(subtotal="4.99")]),
    ("nothing_eligible", [line(categories=["fuel"])]),
    ("not_in_force", [order(placed_at="2025-06-01T00:00:00Z")]),
    ("nothing_changed", [order(), refund(shipping="5")]),
    ("nothing_changed", [order(), redeem(points=5), cancel(), cancel(cancel_id="c")]),
    ("nothing_changed", [revert()]),
    ("waits_for_order", [refund(amount="5")]),
    ("waits_for_order", [order("cancelled")]),
    ("waits_for_order", [order("fulfilled")]),
    ("waits_for_request", [cancel()]),
    ("waits_for_payment", [order("updated", status="pending")]),
    ("waits_for_fulfilment", [order(program="gated")]),
    ("cap_reached", [line(subtotal="700"), order(order_id="p")]),
    ("reverted", [revert(), bring()]),
    ("tier_assigned", [tier()]),
    ("referral_clicked", [fact("commerce.referral.clicked", {"referral_id": "f"}, subject="bob")]),
    ("referral_joined", [fact("commerce.referral.joined", {"referral_id": "f", "referrer_id": "bob"})]),
    ("waits_for_referral", [fact("commerce.referral.voided", {"referral_id": "f"})]),
    ("waits_for_order", [referral()]),
    ("waits_for_referrer", [order(), referral()]),
    ("claim_asked", [fact("loyalty.member.claimed", {"from": "guest"})]),
    (
        "member_claimed",
        [
            order(subject="guest"),
            fact("loyalty.member.claimed", {"from": "guest"}),
            order(order_id="p", subject="guest"),
        ],
    ),
    (
        "nothing_changed",
        [fact("loyalty.member.claimed", {"from": "ann"})],
    ),
    (
        "claim_refused",
        [
            fact("loyalty.member.claimed", {"from": "guest"}),
            fact("loyalty.member.claimed", {"from": "guest"}, subject="bob", source="another-shop"),
        ],
    ),
    ("not_verified", [review(verified=False)]),
    ("too_short", [review(length=19)]),
    ("product_reviewed", [review(), review(review_id="s")]),
    ("nothing_changed", [fact("commerce.review.removed", {"review_id": "r"})]),
    ("unknown_activity", [did(kind="dance")]),
    ("limit_reached", [did(), did(activity_id="b")]),
    ("member_closed", [CLOSED, did()]),
    ("member_closed", [CLOSED, order()]),
    ("member_closed", [CLOSED, adjust()]),
    ("member_closed", [CLOSED, bring()]),
]
"""Reason → facts, of which the last is noted and moves no points."""

BLOCKED: list[tuple[str, list[Body]]] = [
    ("self_referral", [order(), referral(referrer_id="ann")]),
    ("not_a_new_customer", [order(), order(order_id="p"), referral(order_id="p")]),
    ("same_ip", [order(), referral(signals={"same_ip": True})]),
    ("same_device", [order(), referral(signals={"same_device": True})]),
    ("same_payment", [order(), referral(signals={"same_payment": True})]),
    (
        "referrer_cap",
        [
            order(),
            referral(),
            order(order_id="p", subject="cat"),
            referral(subject="cat", order_id="p", referral_id="g"),
        ],
    ),
]
"""Reason → facts, of which the last completes a referral that is blocked for it."""

OF_THE_RECORD = {"null_value", "null_key", "invalid_headers", "foreign_record", "internal_error"}
"""Reasons that a record's place or headers give, or a fault of ours: their tests stand beside the shells."""


def rulings(inputs: list[Body | bytes]) -> list[Ruling]:
    """What becomes of inputs, a minute apart."""
    arrivals = []
    for number, given in enumerate(inputs):
        at = NOON + timedelta(minutes=number)
        value = given if isinstance(given, bytes) else _bytes(given, number, at)
        arrivals.append(Arrival(number, _read(value, at)))
    return run(PROGRAMS, arrivals).rulings


def _bytes(given: Body, number: int, at: datetime) -> bytes:
    body: Body = {"id": f"e{number}", "time": at.isoformat()} | given
    body["data"] = {name: value for name, value in body["data"].items() if value is not None}
    return json.dumps(body).encode()


def _read(value: bytes, at: datetime) -> Fact | PermanentError:
    try:
        return decode(value, received_at=at)
    except PermanentError as refusal:
        return refusal


@pytest.mark.parametrize(("reason", "inputs", "field"), DEAD, ids=[reason for reason, _, _ in DEAD])
def test_what_cant_be_read_or_decided_is_a_dead_letter_that_names_the_field(
    reason: str, inputs: list[Body | bytes], field: str
) -> None:
    *before, last = rulings(inputs)
    assert all(ruling.dead_letter is None for ruling in before)
    assert last.dead_letter is not None
    assert (last.dead_letter.reason, last.dead_letter.field) == (reason, field)
    assert last.dead_letter.message
    assert last.events == []


@pytest.mark.parametrize(("reason", "facts"), REJECTED, ids=[reason for reason, _ in REJECTED])
def test_a_redemption_that_cant_be_is_refused_with_its_reason(reason: str, facts: list[Body | bytes]) -> None:
    last = rulings(facts)[-1]
    assert last.outcome == "rejected"
    (event,) = last.events
    assert isinstance(event, RedemptionRejected)
    assert event.reason == reason


@pytest.mark.parametrize(("reason", "facts"), RECORDED, ids=[reason for reason, _ in RECORDED])
def test_what_moves_no_points_is_noted_with_its_reason(reason: str, facts: list[Body | bytes]) -> None:
    last = rulings(facts)[-1]
    assert last.outcome == "applied"
    noted = [event.reason for event in last.events if isinstance(event, FactRecorded)]
    assert isinstance(last.events[0], FactRecorded)
    assert reason in noted


@pytest.mark.parametrize(("reason", "facts"), BLOCKED, ids=[reason for reason, _ in BLOCKED])
def test_a_referral_that_may_not_count_is_blocked_with_its_reason(reason: str, facts: list[Body | bytes]) -> None:
    last = rulings(facts)[-1]
    assert {event.reason for event in last.events if isinstance(event, ReferralBlocked)} == {reason}
    assert not any(isinstance(event, PointsEarned) for event in last.events)


def test_every_reason_has_its_case_and_its_words() -> None:
    shown = {reason for reason, *_ in [*DEAD, *REJECTED, *RECORDED, *BLOCKED]} | OF_THE_RECORD
    assert shown == {reason.value for reason in Reason} == {reason.value for reason in MEANINGS}
