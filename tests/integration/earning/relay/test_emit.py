"""The relay: the journal comes out on the points topic, whole and in the order of positions, whatever happens to it."""

from __future__ import annotations

from itertools import pairwise

from shared.broker import Outgoing
from shared.codec import headers_of
from shared.shards import member_key, shard_of
from tests.eventually import eventually
from tests.integration.earning.earning_rig import BEGAN, PROGRAM, SHARDS, paid, shard
from tests.integration.earning.worker import Town, positions, sent

AT_MS = int(BEGAN.timestamp() * 1000)
MEMBERS = ("ann", "bob", "cid", "dan", "eve", "fay", "gil", "hal")


async def publish_orders(town: Town, name: str, each: int = 5) -> int:
    total = 0
    for member in MEMBERS:
        values = [paid(f"{name}-{member}-{number}", member=member) for number in range(each)]
        key = member_key(PROGRAM, member).encode()
        total += await town.publish({shard_of(PROGRAM, member, SHARDS): sent(values, key=key, timestamp_ms=AT_MS)})
    return total


async def journaled(town: Town) -> list[tuple[int, bytes, bytes]]:
    return await town.fetch("SELECT shard, key::bytea, bytes FROM earning.journal ORDER BY shard, position")


async def test_the_log_holds_the_journals_bytes_in_order(town: Town) -> None:
    inputs = await publish_orders(town, "a")
    async with town.worker():
        await town.decided(inputs)
        await town.emitted()
    log = await town.log()
    assert [(record.partition, record.key, record.value) for record in log] == await journaled(town)
    assert {len(found) for found in positions(log).values()} == {
        5 * sum(shard(member) == number for member in MEMBERS) for number in {shard(member) for member in MEMBERS}
    }
    assert {record.timestamp for record in log} == {AT_MS + 1000 * number for number in range(5)}


async def test_what_was_published_and_not_recorded_is_not_published_again(town: Town) -> None:
    inputs = await publish_orders(town, "a")
    async with town.worker():
        await town.decided(inputs)
        await town.emitted()
    await town.execute("UPDATE earning.emissions SET emitted = 0")
    inputs += await publish_orders(town, "b")
    async with town.worker():
        await town.decided(inputs)
        await town.emitted()
    log = await town.log()
    assert [(record.partition, record.key, record.value) for record in log] == await journaled(town)


async def test_what_a_log_lacks_is_published_though_others_have_written_in_its_place_and_it_goes_on(
    town: Town,
) -> None:
    """A relay that has not looked since knows nothing of it; whoever relays next looks at all that came since."""
    inputs = await publish_orders(town, "a")
    async with town.worker(roles="decide"):
        await town.decided(inputs)
    rows = await town.fetch("SELECT shard, position, type, key::bytea, bytes FROM earning.journal ORDER BY 1, 2")
    log: dict[int, list[Outgoing]] = {}
    for number, position, kind, key, value in rows:
        ours = Outgoing(key, value, headers_of(number, position, kind))
        log.setdefault(number, []).append(ours if position != 2 else Outgoing(b"?", b"not ours"))
    await town.publish(log, town.topics.points)
    await town.execute(
        "UPDATE earning.emissions e SET emitted = position FROM earning.shards s WHERE s.shard = e.shard"
    )
    async with town.worker(roles="relay"):
        await eventually(lambda: has_all(town), what="the log has every position")


async def has_all(town: Town) -> bool:
    """Whether the points topic holds all bytes of the journal."""
    return {record.value for record in await town.log()} >= {value for _, _, value in await journaled(town)}


async def test_two_relays_at_once_add_copies_but_no_disorder(town: Town) -> None:
    inputs = await publish_orders(town, "a", each=10)
    async with town.worker(relay_records=1, roles="relay"), town.worker(roles="decide"):
        await town.decided(inputs)
        # The lease says that nobody relays: the second one begins beside the first.
        await town.execute("UPDATE earning.leases SET until = now() - interval '1 hour' WHERE kind = 'emit'")
        async with town.worker(roles="relay"):
            await town.emitted()
    for found in positions(await town.log()).values():
        assert set(found) == set(range(1, max(found) + 1))
        highest = 0
        for position in found:
            assert position <= highest + 1
            highest = max(highest, position)


async def test_a_relay_that_stops_gives_its_shards_to_the_next_at_once(town: Town) -> None:
    async with town.worker(roles="relay", lease_s=300):
        pass
    inputs = await publish_orders(town, "a")
    async with town.worker(lease_s=300):
        await town.decided(inputs)
        await town.emitted()
    assert all(
        second == first + 1 for found in positions(await town.log()).values() for first, second in pairwise(found)
    )
