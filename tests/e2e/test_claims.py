"""Claims across shards: whatever dies between asking, handing over and taking in, every point arrives, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from shared.facts.builders import Publisher
from tests.e2e.pipeline import Pipeline
from tests.e2e.shop import Said, records
from tests.support.builders.programs import ONE_A_EURO, document

PROGRAM = "guests"
SHOP = Publisher(PROGRAM, "shop")
DOCUMENT = document(ONE_A_EURO, "enrolment: {required: true}", program=PROGRAM)
BEGAN = datetime(2025, 11, 1, tzinfo=UTC)
MEMBERS = 12
ONE_BY_ONE = {"EARNING_BATCH": "5", "EARNING_INBOX_POLL_MS": "5", "PROJECTIONS_BATCH": "50"}


def _told(kind: str, member: str, minutes: int, data: dict[str, Any]) -> Said:
    at = BEGAN + timedelta(minutes=minutes)
    event = SHOP.event(f"{kind}.v1", data, id=f"{kind}-{member}-{minutes}", member=member, time=at)
    return Said(member, at, msgspec.json.encode(event))


def _order(kind: str, order_id: str) -> dict[str, Any]:
    line = {"line_id": "1", "sku": "s", "quantity": 1, "subtotal": "30"}
    sold: dict[str, Any] = {"currency": "EUR", "lines": [line]} if kind == "paid" else {}
    return {"order_id": order_id} | sold


def _orders() -> list[Said]:
    """Three orders of each guest, one of each member; then one of the guest's is cancelled under each of both ids."""
    told = []
    for n in range(MEMBERS):
        told += [_told("commerce.order.paid", f"guest-{n}", n + i, _order("paid", f"g-{n}-{i}")) for i in range(3)]
        told.append(_told("commerce.order.paid", f"member-{n}", n, _order("paid", f"m-{n}")))
    return told


def _cancels() -> list[Said]:
    told = []
    for n in range(MEMBERS):
        told.append(_told("commerce.order.cancelled", f"guest-{n}", 900, _order("cancelled", f"g-{n}-0")))
        told.append(_told("commerce.order.cancelled", f"member-{n}", 900, _order("cancelled", f"g-{n}-1")))
    return told


def _commands() -> list[Said]:
    told = [_told("loyalty.member.enrolled", f"member-{n}", n + 5, {}) for n in range(MEMBERS)]
    claims = [_told("loyalty.member.claimed", f"member-{n}", 600 + n, {"from": f"guest-{n}"}) for n in range(MEMBERS)]
    return told + claims


def _refused() -> list[Said]:
    """Each alias claims what the next one's member has claimed already."""
    return [
        _told("loyalty.member.claimed", f"guest-{n}", 950, {"from": f"guest-{(n + 1) % MEMBERS}"})
        for n in range(MEMBERS)
    ]


@pytest.mark.parametrize("failpoint", ["before_inbox_commit:2", "after_inbox_commit:2", "after_inbox_commit:5"])
async def test_a_worker_dies_while_members_hand_over(pipeline: Pipeline, failpoint: str) -> None:
    await pipeline.prepare(DOCUMENT)
    inputs = await pipeline.publish(records(_orders(), pipeline.shards, PROGRAM))
    pipeline.start("projections", ONE_BY_ONE)
    dying = pipeline.start("earning", ONE_BY_ONE | {"EARNING_FAILPOINT": failpoint})
    await pipeline.decided(inputs)
    inputs += await pipeline.publish(records(_commands(), pipeline.shards, PROGRAM), pipeline.topics.commands)
    await pipeline.died(dying)
    for number in (1, 2):
        pipeline.start("earning", ONE_BY_ONE, number=number)
    await pipeline.settled(inputs)
    inputs += await pipeline.publish(records(_cancels(), pipeline.shards, PROGRAM))
    inputs += await pipeline.publish(records(_refused(), pipeline.shards, PROGRAM), pipeline.topics.commands)
    await pipeline.settled(inputs)
    tables = await pipeline.tables()
    have = tables.available
    assert have == {f"member-{n}": 60 for n in range(MEMBERS)} | {f"guest-{n}": 0 for n in range(MEMBERS)}
    refused = [row for row in tables.history if str(row[6]).endswith("owned_by_another_member")]
    assert len(refused) == MEMBERS
    await pipeline.is_as_the_log_says()
