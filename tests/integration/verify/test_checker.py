"""The checker finds what it is there to find: each kind of damage, under the invariant that it breaks."""

from __future__ import annotations

import pytest

from deploy import topics as topics_plan
from services.verify.checker import verify
from services.verify.findings import Report
from shared.broker import Outgoing
from shared.topics import Topics
from tests.eventually import eventually
from tests.integration.earning.earning_rig import BEGAN, paid, shard
from tests.integration.earning.worker import Town
from tests.integration.projections.projection_rig import Desk
from tests.support.databases import copy_of
from tests.unit.projections.points_log import PointsLog

MEMBERS = ("ann", "bea", "cem", "dan")
SECOND = "(shard, position) = (SELECT min(shard), 2 FROM earning.shards WHERE position > 2)"
LAST = "(shard, position) = (SELECT shard, position FROM earning.shards WHERE position > 2 ORDER BY shard LIMIT 1)"
NOBODYS = """
INSERT INTO projections.members_1
SELECT (jsonb_populate_record(m, '{"member": "nobody"}')).* FROM projections.members_1 m WHERE member = 'ann'
"""
DOLLARS = "UPDATE earning.journal SET bytes = convert_to(replace(convert_from(bytes, 'UTF8'), 'EUR', 'USD'), 'UTF8')"

DAMAGE = {
    "a balance is changed": ("I4", "UPDATE projections.members_1 SET available = available + 1"),
    "a balance is lost": ("I4", "DELETE FROM projections.members_1 WHERE member = 'ann'"),
    "a balance is nobody's": ("I4", NOBODYS),
    "a line of history is lost": ("I4", "DELETE FROM projections.history_1 WHERE position = 2"),
    "a line of history is changed": ("I4", "UPDATE projections.history_1 SET change = change + 1"),
    "an input is counted twice": ("I3", "UPDATE earning.fences SET duplicate = duplicate + 1"),
    "a dead letter is lost": ("I3", "DELETE FROM earning.dead_letters"),
    "a dead letter never came to its topic": ("I3", 'UPDATE earning.dead_letters SET "offset" = "offset" + 1000'),
    "a row of the journal is lost": ("I7", f"DELETE FROM earning.journal WHERE {SECOND}"),  # noqa: S608 (ours)
    "a row of the journal is changed": ("I14", DOLLARS),
    "the journal's end is lost": ("I14", f"DELETE FROM earning.journal WHERE {LAST}"),  # noqa: S608 (ours)
    "a shard's head is changed": ("I14", "UPDATE earning.shards SET chain = 'ff' WHERE position > 0"),
}


@pytest.fixture
async def town(bootstrap_servers: str, dsn: str, topics: Topics) -> Town:
    """Twenty orders and one dead letter, decided, relayed and folded; nobody works any more."""
    town = Town(bootstrap_servers, dsn, topics)
    await town.build()
    # The orders are of months ago: retention would take them away while we look.
    await topics_plan.change(bootstrap_servers, topics.orders, {"retention.ms": "-1"})
    stamp = int(BEGAN.timestamp() * 1000)
    records: dict[int, list[Outgoing]] = {}
    for number in range(20):
        member = MEMBERS[number % len(MEMBERS)]
        row = Outgoing(f"shop/{member}".encode(), paid(f"o-{number}", member=member), (), stamp + number)
        records.setdefault(shard(member), []).append(row)
    records[shard("ann")].append(Outgoing(b"shop/ann", b"not json", (), stamp))
    desk = Desk(bootstrap_servers, dsn, topics, PointsLog())
    async with town.worker(), desk.worker():
        await town.decided(await town.publish(records))
        await town.emitted()

        async def done() -> bool:
            rows = "SELECT count(*)::int FROM loyalty.history"
            relayed = "SELECT count(*)::int FROM earning.dead_letters WHERE relayed_at IS NOT NULL"
            return await town.fetch(rows) == [(20,)] and await town.fetch(relayed) == [(1,)]

        await eventually(done, what="everything is folded, and the dead letter on its topic")
    return town


async def looked(town: Town) -> Report:
    return await verify(town.bootstrap_servers, town.dsn, town.topics)


async def test_each_kind_of_damage_is_found(town: Town) -> None:
    assert (await looked(town)).findings == []
    missed = []
    for name, (invariant, statement) in DAMAGE.items():
        async with copy_of(town.dsn) as copy:
            damaged = Town(town.bootstrap_servers, copy, town.topics)
            await damaged.execute(statement)
            found = {finding.invariant for finding in (await looked(damaged)).findings}
        if invariant not in found:
            missed.append(f"{name}: found {sorted(found)}, not {invariant}")
    assert missed == []
