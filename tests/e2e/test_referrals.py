"""Referrals between members of different shards: whatever dies between the decisions, both sides are right, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from shared.facts.builders import Publisher
from tests.e2e.pipeline import Pipeline
from tests.e2e.shop import Said, records
from tests.support.builders.programs import document

PROGRAM = "brought"
SHOP = Publisher(PROGRAM, "shop")
DOCUMENT = document("referrals: {referrer: 20, referee: 10, minimum: 30, limit: {times: 9}}", program=PROGRAM)
BEGAN = datetime(2025, 11, 1, tzinfo=UTC)
REFEREES = 36
REFERRERS = 3
ONE_BY_ONE = {"EARNING_BATCH": "5", "EARNING_INBOX_POLL_MS": "5", "PROJECTIONS_BATCH": "50"}


def _told(kind: str, number: int, minutes: int, data: dict[str, Any]) -> Said:
    member, at = f"new-{number}", BEGAN + timedelta(minutes=minutes)
    event = SHOP.event(f"commerce.{kind}.v1", data, id=f"{kind}-{number}", member=member, time=at)
    return Said(member, at, msgspec.json.encode(event))


def _facts(topic: str) -> list[Said]:
    """Every third order is cancelled, every fourth too small; each referral is completed before or after its order."""
    told = []
    for n in range(REFEREES):
        line = {"line_id": "1", "sku": "s", "quantity": 1, "subtotal": "29.99" if n % 4 == 0 else "30"}
        order = {"order_id": f"o-{n}", "currency": "EUR", "lines": [line]}
        referral = {"referral_id": f"f-{n}", "referrer_id": f"old-{n % REFERRERS}", "order_id": f"o-{n}"}
        if topic == "referrals":
            told.append(_told("referral.completed", n, 10 * n + n % 5, referral))
            continue
        told.append(_told("order.paid", n, 10 * n + 2, order))
        if n % 3 == 0:
            told.append(_told("order.cancelled", n, 10 * n + 9, {"order_id": f"o-{n}"}))
    return told


def _expected() -> dict[str, int]:
    counting = [n for n in range(REFEREES) if n % 4 and n % 3]
    points = {f"old-{one}": 20 * sum(n % REFERRERS == one for n in counting) for one in range(REFERRERS)}
    return points | {f"new-{n}": 10 * (n in counting) for n in range(REFEREES)}


@pytest.mark.parametrize(
    "failpoint", ["before_commit:4", "after_commit:4", "before_inbox_commit:3", "after_inbox_commit:3"]
)
async def test_a_worker_dies_between_the_referees_decision_and_the_referrers(
    pipeline: Pipeline, failpoint: str
) -> None:
    await pipeline.prepare(DOCUMENT)
    inputs = await pipeline.publish(records(_facts("referrals"), pipeline.shards, PROGRAM), pipeline.topics.referrals)
    inputs += await pipeline.publish(records(_facts("orders"), pipeline.shards, PROGRAM))
    pipeline.start("projections", ONE_BY_ONE)
    dying = pipeline.start("earning", ONE_BY_ONE | {"EARNING_FAILPOINT": failpoint})
    await pipeline.died(dying)
    for number in (1, 2):
        pipeline.start("earning", ONE_BY_ONE, number=number)
    await pipeline.settled(inputs)
    tables = await pipeline.tables()
    have = tables.available
    assert {member: have.get(member, 0) for member in _expected()} == _expected()
    rewarded = [row for row in tables.history if row[5] == "referral.rewarded"]
    reversals = [row for row in tables.history if row[5] == "referral.reversed"]
    assert len(rewarded) - len(reversals) == 2 * sum(1 for n in range(REFEREES) if n % 4 and n % 3)
    await pipeline.is_as_the_log_says()
