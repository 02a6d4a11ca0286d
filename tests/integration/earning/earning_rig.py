"""A counter to earn at: an installation in a real database, and batches made by hand, as a fetch would bring them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
from aiokafka import ConsumerRecord
from prometheus_client import CollectorRegistry

from services.earning import installation
from services.earning.background import inbox
from services.earning.intake.earn import DecidingContext, earn
from services.earning.intake.lane import read
from services.earning.ledger.batch import Counts, Earned, Span
from services.earning.ledger.journal import Entry
from services.earning.program import registry
from services.earning.program.authoring.check import check
from services.earning.program.registry import ProgramCache
from shared.facts.builders import Publisher
from shared.postgres import connect
from shared.shards import shard_of
from shared.telemetry import RoomClock
from tests.support.builders.programs import ONE_A_EURO, document

SHARDS = 4
TOPIC = "orders"
PROGRAM = "shop"
DOCUMENT = document(ONE_A_EURO)
BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def paid(order: str, *, member: str = "ann", amount: str = "10.00", program: str = PROGRAM) -> bytes:
    """An order of one line, as its publisher writes it."""
    lines = [{"line_id": "1", "sku": "tea", "quantity": 1, "subtotal": amount}]
    return event("paid", order, member, program, {"order_id": order, "currency": "EUR", "lines": lines})


def refunded(order: str, amount: str, *, member: str = "ann") -> bytes:
    """A refund of an amount of an order."""
    data = {"order_id": order, "refund_id": f"r-{order}", "amount": amount}
    return event("refunded", order, member, PROGRAM, data)


def redeemed(redemption: str, points: int, *, member: str = "ann") -> bytes:
    """A request to redeem points."""
    fact = msgspec.json.decode(event("paid", redemption, member, PROGRAM, {}))
    data = {"redemption_id": redemption, "points": points}
    return msgspec.json.encode(fact | {"type": "loyalty.redemption.requested.v1", "data": data})


def claimed(member: str, *, by: str) -> bytes:
    """A claim of one member by another."""
    fact = msgspec.json.decode(event("paid", member, by, PROGRAM, {}))
    return msgspec.json.encode(fact | {"type": "loyalty.member.claimed.v1", "data": {"from": member}})


def event(kind: str, order: str, member: str, program: str, data: dict[str, Any]) -> bytes:
    """A fact about an order, in structured mode."""
    shop = Publisher(program, "shop-eu")
    fact_type = f"commerce.order.{kind}.v1"
    return msgspec.json.encode(shop.event(fact_type, data, id=f"{kind}-{order}", member=member, time=BEGAN))


def record(value: bytes | None, offset: int, partition: int, topic: str = TOPIC) -> ConsumerRecord[bytes, bytes]:
    """A record as aiokafka hands it over; later offsets were received later."""
    timestamp = int((BEGAN + timedelta(seconds=offset)).timestamp() * 1000)
    return ConsumerRecord(
        topic, partition, offset, timestamp, 0, b"a key", value, None, 5, len(value or b""), ()
    )  # fmt: skip


def span(
    values: Sequence[bytes | None], *, start: int = 0, end: int | None = None, partition: int = 0, topic: str = TOPIC
) -> Span:
    """What a fetch of one partition brought, from `start` on."""
    inputs = [read(record(value, start + at, partition, topic)) for at, value in enumerate(values)]
    return Span(topic, partition, start, start + len(values) if end is None else end, inputs)


@dataclass
class Counter:
    """A worker's lane, by hand: a session, and the transaction on it."""

    dsn: str
    session: asyncpg.Connection
    programs: ProgramCache = field(default_factory=ProgramCache)

    async def earn(self, *spans: Span) -> tuple[Earned, list[Entry]]:
        """Decide a batch."""
        ranks = {"commands": 0, TOPIC: 1}
        place = DecidingContext(self.session, self.programs, SHARDS, ranks, RoomClock(CollectorRegistry()))
        return await earn(place, spans)

    async def take_messages(self, member: str) -> int:
        """Decide the messages that wait on a member's shard; how many they were."""
        return (await inbox.decide_messages(self.session, self.programs, SHARDS, shard(member))).messages

    async def counted(self, *spans: Span) -> Counts:
        """Decide a batch of one partition; what became of its inputs."""
        earned, _ = await self.earn(*spans)
        (counts,) = earned.counts.values()
        return counts

    async def fences(self) -> list[tuple[str, int, int]]:
        """Where the fences are."""
        rows = await self.session.fetch("SELECT topic, partition, stored FROM earning.fences ORDER BY topic, partition")
        return [tuple(row) for row in rows]

    async def totals(self) -> tuple[int, int, int, int]:
        """The four counts over all partitions."""
        columns = "sum(applied)::int, sum(duplicate)::int, sum(rejected)::int, sum(dead_letter)::int"
        ((applied, duplicate, rejected, dead_letter),) = await self.session.fetch(
            f"SELECT {columns} FROM earning.fences"  # noqa: S608 - our own names
        )
        return applied, duplicate, rejected, dead_letter

    async def dead_letters(self) -> list[tuple[int, str]]:
        """Offset and reason of every dead letter."""
        rows = await self.session.fetch('SELECT "offset", reason FROM earning.dead_letters ORDER BY "offset"')
        return [tuple(row) for row in rows]

    async def journal(self) -> list[asyncpg.Record]:
        """The journal by shard and position."""
        rows: list[asyncpg.Record] = await self.session.fetch(
            "SELECT shard, position, key, type, bytes FROM earning.journal ORDER BY shard, position"
        )
        return rows

    async def points(self, member: str) -> int:
        """What a member has earned less what was reversed, by the journal."""
        rows = await self.session.fetch("SELECT bytes FROM earning.journal WHERE key = $1", f"{PROGRAM}/{member}")
        return sum(msgspec.json.decode(row["bytes"])["data"].get("postings", {}).get("available", 0) for row in rows)


def shard(member: str) -> int:
    """The shard of a member of the program."""
    return shard_of(PROGRAM, member, SHARDS)


async def opened(dsn: str, *partitions: tuple[str, int], document: str = DOCUMENT) -> Counter:
    """A counter whose fences begin at 0."""
    session = await connect(dsn, role="earning", application="test")
    await installation.install(session, SHARDS)
    await installation.prepare_journal(session)
    await registry.publish(session, check(document.encode(), "shop.yaml"))
    await session.executemany("INSERT INTO earning.fences (topic, partition, stored) VALUES ($1, $2, 0)", partitions)
    return Counter(dsn, session)
