"""Cost: what a fact costs of a member with a long life, beside one of a new member."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from statistics import median

import asyncpg
import msgspec
from aiokafka import ConsumerRecord
from prometheus_client import CollectorRegistry

from services.earning import installation
from services.earning.intake.earn import DecidingContext, earn
from services.earning.intake.lane import LANE_SETTINGS, read
from services.earning.ledger.batch import Span
from services.earning.program import registry
from services.earning.program.authoring.check import check
from services.earning.program.registry import ProgramCache
from shared.facts.builders import Publisher
from shared.postgres import connect
from shared.telemetry import RoomClock
from tests.support.builders.programs import ONE_A_EURO, document

SHARDS = 8
PROGRAM, TOPIC, COMMANDS = "cost", "orders", "commands"
SHOP = Publisher(PROGRAM, "shop")
DOCUMENT = document(
    ONE_A_EURO,
    """
expiry: {mode: after_available, months: 1200}
tiers:
  measure: points_earned
  window: calendar_year
  levels:
    - {id: bronze}
    - {id: gold, threshold: 2000}
""",
    program=PROGRAM,
    effective_from="2020-01-01T00:00:00+01:00",
)
BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
BATCH = 500
OLD = "old"


class Till:
    """A lane by hand: facts of members, decided in batches of the service's own transaction."""

    def __init__(self, session: asyncpg.Connection) -> None:
        self._session = session
        self._programs = ProgramCache()
        self._offsets = {TOPIC: 0, COMMANDS: 0}
        self._told = 0

    async def pay(self, members: list[str], *, amount: str = "10.00") -> float:
        """An order of each; gives the seconds it took to decide them, in one transaction."""
        lines = [{"line_id": "1", "sku": "tea", "quantity": 1, "subtotal": amount}]
        data: list[dict[str, object]] = [
            {"order_id": f"o-{self._told + n}", "currency": "EUR", "lines": lines} for n in range(len(members))
        ]
        return await self._earn(TOPIC, "commerce.order.paid.v1", members, data)

    async def redeem(self, members: list[str], points: int) -> float:
        """A redemption of each; gives the seconds."""
        data: list[dict[str, object]] = [
            {"redemption_id": f"r-{self._told + n}", "points": points} for n in range(len(members))
        ]
        return await self._earn(COMMANDS, "loyalty.redemption.requested.v1", members, data)

    async def _earn(self, topic: str, kind: str, members: list[str], data: list[dict[str, object]]) -> float:
        start = self._offsets[topic]
        inputs = []
        for offset, (member, own) in enumerate(zip(members, data, strict=True), start=start):
            self._told += 1
            at = BEGAN + timedelta(seconds=self._told)
            value = msgspec.json.encode(SHOP.event(kind, own, id=f"f-{self._told}", member=member, time=at))
            stamp = int(at.timestamp() * 1000)
            inputs.append(read(ConsumerRecord(topic, 0, offset, stamp, 0, b"", value, None, 0, len(value), ())))
        self._offsets[topic] = start + len(inputs)
        place = DecidingContext(
            self._session, self._programs, SHARDS, {COMMANDS: 0, TOPIC: 1}, RoomClock(CollectorRegistry())
        )
        began = time.perf_counter()
        earned, _ = await earn(place, [Span(topic, 0, start, start + len(inputs), inputs)])
        seconds = time.perf_counter() - began
        ((counts),) = earned.counts.values()
        if counts.applied != len(inputs):
            raise RuntimeError(f"not all facts were applied: {counts}, {earned.reasons}")
        return seconds


async def opened(dsn: str) -> tuple[asyncpg.Connection, Till]:
    """An empty installation with one program, and a till in it."""
    session = await connect(dsn, role="earning", application="cost", settings=LANE_SETTINGS)
    await installation.install(session, SHARDS)
    await installation.prepare_journal(session)
    await registry.publish(session, check(DOCUMENT.encode(), "cost.yaml"))
    await session.executemany(
        "INSERT INTO earning.fences (topic, partition, stored) VALUES ($1, 0, 0)", [(TOPIC,), (COMMANDS,)]
    )
    return session, Till(session)


async def live_long(till: Till, orders: int, lots: int) -> None:
    """The old member's life: so many orders, of which the points of so many are left."""
    for done in range(0, orders, BATCH):
        await till.pay([OLD] * BATCH)
        if done < orders - lots:
            await till.redeem([OLD], 10 * BATCH)


async def compare(till: Till, rounds: int = 30) -> dict[str, float]:
    """µs of a fact, one a transaction, of the old member and of young ones, by kind; medians, taken in turns."""
    seconds: dict[str, list[float]] = {"old_order": [], "new_order": [], "old_redemption": [], "new_redemption": []}
    for number in range(rounds):
        young = f"young-{number}"
        await till.pay([young])
        seconds["old_order"].append(await till.pay([OLD]))
        seconds["new_order"].append(await till.pay([young]))
        seconds["old_redemption"].append(await till.redeem([OLD], 5))
        seconds["new_redemption"].append(await till.redeem([young], 5))
    return {name: 1e6 * median(taken) for name, taken in seconds.items()}
