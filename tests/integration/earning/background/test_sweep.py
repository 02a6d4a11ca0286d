"""The sweeper: members who are due are brought forward, and whether it works fast, slowly or never leaves no trace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.earning.background.sweep import mark_versions, sweep
from services.earning.ledger.load import read_standing
from services.earning.program.registry import ProgramCache
from services.earning.replay.rederive import rederive
from shared.facts.builders import Publisher
from tests.integration.earning.earning_rig import BEGAN, PROGRAM, SHARDS, TOPIC, Counter, opened, span
from tests.support.builders.programs import ONE_A_EURO, document
from tests.support.databases import copy_of

DOCUMENT = document(
    ONE_A_EURO,
    """
orders: {pending: {after: paid, days: 3}}
expiry: {mode: after_available, months: 1}
tiers:
  measure: points_earned
  window: rolling
  months: 2
  levels:
    - {id: bronze}
    - {id: silver, threshold: 30, multiplier: 1.5}
""",
)
SHOP = Publisher(PROGRAM, "shop-eu")
MEMBERS = [f"m-{number}" for number in range(12)]
DAYS = 24 * 3600
TABLES = {
    "standings": "SELECT shard, program, member, body FROM earning.standings ORDER BY program, member",
    "keys": "SELECT * FROM earning.keys ORDER BY program, source, kind, id",
    "lots": "SELECT * FROM earning.lots ORDER BY program, member, lot",
}


def fact(kind: str, data: dict[str, Any], member: str, at: datetime) -> bytes:
    told = SHOP.event(f"{kind}.v1", data, id=f"{kind}-{member}-{at.isoformat()}", member=member, time=at)
    return msgspec.json.encode(told)


def days() -> list[list[bytes]]:
    """What happens on every fifth day, the offset of a record being its second: orders, refunds, redemptions."""
    made: list[list[bytes]] = []
    for day in range(0, 100, 5):
        at = BEGAN + timedelta(days=day)
        here: list[bytes] = []
        for number, member in enumerate(MEMBERS):
            order = f"{member}-{day}"
            lines = [{"line_id": "1", "sku": "tea", "quantity": 1, "subtotal": f"{7 + number}.00"}]
            data: dict[str, Any] = {"order_id": order, "currency": "EUR", "lines": lines}
            if (day // 5 + number) % 4 == 0:
                here.append(fact("commerce.order.paid", data, member, at))
            if (day // 5 + number) % 9 == 8:
                spent = {"redemption_id": order, "points": 5}
                here.append(fact("loyalty.redemption.requested", spent, member, at))
            if (day // 5 + number) % 11 == 10:
                refund = {"order_id": f"{member}-{day - 10}", "refund_id": order, "amount": "4.00"}
                here.append(fact("commerce.order.refunded", refund, member, at))
        made.append(here)
    return made


class Clock:
    """A counter whose records are received on the day they happen, and a sweeper that is called by hand."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.programs = ProgramCache()
        self.offset = 0
        self.looked_at = 0

    async def day(self, number: int, values: list[bytes]) -> None:
        start = max(self.offset, number * 5 * DAYS)
        if start > self.offset:
            await self.counter.earn(span([], start=self.offset, end=start))
        await self.counter.earn(span(values, start=start))
        self.offset = start + len(values)

    async def sweep(self, until: datetime) -> int:
        """Everything that is due; gives how many events it made."""
        session = self.counter.session
        await mark_versions(session, range(SHARDS), until, [])
        swept = [await sweep(session, self.programs, SHARDS, shard, until) for shard in range(SHARDS)]
        self.looked_at += sum(one.members for one in swept)
        return sum(len(one.entries) for one in swept)

    async def state(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every table; without the number of decisions: what is due is one of its own, or part of a fact's."""
        found = {name: [tuple(row) for row in await self.counter.session.fetch(text)] for name, text in TABLES.items()}
        standings = [
            (*of, msgspec.structs.replace(read_standing(body), decision=0)) for *of, body in found["standings"]
        ]
        return found | {"standings": standings}

    async def lives(self) -> dict[str, list[dict[str, Any]]]:
        """Each member's events in their order, without their places in the shard and in decisions."""
        lives: dict[str, list[dict[str, Any]]] = {}
        for row in await self.counter.journal():
            data = msgspec.json.decode(row["bytes"])["data"]
            lives.setdefault(row["key"], []).append(
                {name: value for name, value in data.items() if name not in {"position", "chain", "decision", "index"}}
            )
        return lives


async def clock(dsn: str, expiry: str) -> Clock:
    document = DOCUMENT.replace("mode: after_available", f"mode: {expiry}")
    return Clock(await opened(dsn, (TOPIC, 0), document=document))


@pytest.fixture(params=["after_available"])
async def clocks(request: pytest.FixtureRequest, template_database: str) -> AsyncIterator[tuple[Clock, Clock]]:
    """Two installations of the same program, whose points end by the mode named."""
    async with copy_of(template_database) as one, copy_of(template_database) as other:
        both = await clock(one, request.param), await clock(other, request.param)
        yield both
        for each in both:
            await each.counter.session.close()


@pytest.mark.parametrize("clocks", ["after_available", "inactivity"], indirect=True)
async def test_a_fast_a_slow_and_a_dead_sweeper_leave_the_same(clocks: tuple[Clock, Clock]) -> None:
    fast, dead = clocks
    made = 0
    for number, values in enumerate(days()):
        await fast.day(number, values)
        await dead.day(number, values)
        for hours in range(-1, 96, 7 if number % 3 else 30):
            made += await fast.sweep(BEGAN + timedelta(days=5 * number, hours=hours))
    assert made > 30  # it had something to do
    end = BEGAN + timedelta(days=200)
    await fast.sweep(end)
    assert await dead.sweep(end) > 0
    assert await fast.lives() == await dead.lives()
    assert await fast.state() == await dead.state()
    assert await fast.sweep(end + timedelta(days=400)) == 0  # all has ended
    report = await rederive(fast.counter.dsn, check=True)
    assert (report.different, report.differences) == (0, [])


async def test_nobody_who_is_not_due_is_looked_at(clocks: tuple[Clock, Clock]) -> None:
    counted, _ = clocks
    await counted.day(0, days()[0])
    assert await counted.sweep(BEGAN + timedelta(days=2)) == 0
    assert counted.looked_at == 0
    assert await counted.sweep(BEGAN + timedelta(days=4)) == 3  # three orders of that day are released
    assert counted.looked_at == 3


async def test_members_of_a_program_that_is_held_wait(clocks: tuple[Clock, Clock]) -> None:
    counted, _ = clocks
    await counted.day(0, days()[0])
    until = BEGAN + timedelta(days=4)
    session = counted.counter.session
    held = [await sweep(session, counted.programs, SHARDS, shard, until, [PROGRAM]) for shard in range(SHARDS)]
    assert sum(one.members for one in held) == 0
