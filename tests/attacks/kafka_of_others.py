"""Kafka as others use it: transactions, other partitioners and timestamps, topics that somebody changes."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from deploy import topics as topics_plan
from shared.broker import Outgoing
from tests.attacks import hostile
from tests.attacks.catalogue import Catalogue
from tests.attacks.hostile import Raw
from tests.attacks.installation import SHARDS, Installation, PromiseBrokenError
from tests.attacks.told import Fact, key_of, order, redemption, value_of

KAFKA = Catalogue()
attack = KAFKA.attack

_IN_TIME_S = 5.0


@attack("F6", "an order of a transaction that is aborted, or still open, earns nothing; a committed one does")
async def transactions(victim: Installation) -> str:
    """Three orders in transactions: one aborted, one committed, one left open while others are decided."""
    await victim.begin()
    orders = victim.topics.orders

    async def send(publisher: AIOKafkaProducer, member: str) -> None:
        told = order(member, f"o-{member}", "100.00")
        place = victim.partition(member)
        await publisher.send_and_wait(orders, value_of(told), key=key_of(told), partition=place)

    async with (
        hostile.transactional(victim.kafka, f"{orders}-1") as first,
        hostile.transactional(victim.kafka, f"{orders}-2") as second,
    ):
        await first.begin_transaction()
        await send(first, "aborted")
        await first.abort_transaction()
        await first.begin_transaction()
        await send(first, "committed")
        await first.commit_transaction()
        await second.begin_transaction()
        await send(second, "open")
        await victim.has("committed", 100)
        await _nobody_has_points(victim, "aborted", "open")
        await second.commit_transaction()
        await victim.has("open", 100)
    await victim.survives_a_restart()
    await _nobody_has_points(victim, "aborted")
    await victim.verified()
    return "the aborted order earned nothing, the open one only after its commit"


async def _nobody_has_points(victim: Installation, *members: str) -> None:
    for member in members:
        if points := await victim.available(member):
            raise PromiseBrokenError(f"the order of the {member} transaction gave {points} points")


async def _commit_in_each_partition(victim: Installation, topics: Sequence[str]) -> None:
    """A committed transaction at the end of every partition: the last record of each is Kafka's, not a fact."""
    async with hostile.transactional(victim.kafka, f"{victim.topics.orders}-outbox") as publisher:
        await publisher.begin_transaction()
        for topic in topics:
            for place in range(SHARDS):
                told = order(victim.member_in(place, "outbox"), f"{topic}-{place}")
                await publisher.send_and_wait(topic, value_of(told), key=key_of(told), partition=place)
        await publisher.commit_transaction()


@attack("F7", "lag returns to 0, counts add up, and nobody waits where logs end in control records")
async def control_records(victim: Installation) -> str:
    """A committed transaction at the end of each partition of the orders, a restart, then redemptions."""
    await victim.begin()
    members = [victim.member_in(place, "saver") for place in range(SHARDS)]
    await victim.send(order(member, f"first-{member}", "100.00") for member in members)
    for member in members:
        await victim.has(member, 100)
    await _commit_in_each_partition(victim, [victim.topics.orders])
    await victim.decided(2 * SHARDS)
    await victim.restart("earning")
    began = time.monotonic()
    await victim.send([redemption(member, f"r-{member}", 40) for member in members], victim.topics.commands)
    for member in members:
        await victim.has(member, 60, within=_IN_TIME_S)
    waited = time.monotonic() - began
    status = await victim.status()
    if not status["adds_up"] or status["exit_code"]:
        raise PromiseBrokenError("`tallystick status` says that the counts don't add up")
    if lags := {one["topic"].split(".")[-1]: one["lag"] for one in status["inputs"] if one["lag"]}:
        raise PromiseBrokenError(f"`tallystick status` shows a lag that stays: {lags}")
    _, metrics = await victim.fetch("earning", "/metrics")
    lagging = [row for row in metrics.splitlines() if "lag_records{" in row and not row.endswith(" 0.0")]
    if lagging:
        raise PromiseBrokenError(f"/metrics shows a lag that stays: {lagging[0]}")
    await victim.verified()
    return f"redemptions took {waited:.1f} s, lag 0, counts add up"


_REDEEMED = "SELECT count(*) FROM loyalty.balances WHERE member LIKE 'buyer-%' AND available = 50"


def _filling(number: int) -> list[Fact]:
    return [order(f"other-{one % 500}", f"other-{one}", "1.00") for one in range(number)]


@attack("F8", "another key, or another partitioner, costs speed, never correctness")
async def other_partitioners(victim: Installation) -> str:
    """While earning is away: many orders, those of 40 members, then their redemptions by librdkafka's CRC32."""
    await victim.begin(start=False)
    members = [f"buyer-{number}" for number in range(40)]
    await victim.send(_filling(6_000))
    await victim.send(order(member, f"o-{member}", "100.00") for member in members)
    asked = [redemption(member, f"r-{member}", 50) for member in members]
    elsewhere = sum(zlib.crc32(key_of(told)) % SHARDS != victim.partition(told["subject"]) for told in asked)
    assert elsewhere > 10
    hostile.by_librdkafka(
        victim.kafka, victim.topics.commands, [(key_of(told), value_of(told)) for told in asked], acks="all"
    )
    await victim.start()
    await victim.decided(6_000 + 2 * len(members))
    try:
        await victim.comes(f"SELECT ({_REDEEMED}) = $1", len(members), what="")
    except PromiseBrokenError:
        [(redeemed,)] = await victim.rows(_REDEEMED)
        message = f"{redeemed} of {len(members)} redemptions redeemed, the others refused for good"
        raise PromiseBrokenError(message) from None
    return "all 40 redemptions were paid for"


@attack("F11", "a log that nobody changed is not taken for another one, whatever its timestamps")
async def timestamps_below_zero(victim: Installation) -> str:
    """Orders with timestamps of −1 (none) and −5000 (1969) as the last of two partitions, then three restarts."""
    await victim.begin()
    for place, timestamp in ((0, -1), (1, -5000)):
        told = order(victim.member_in(place, "old"), f"old-{place}")
        records = hostile.batch([Raw(key_of(told), value_of(told), (), timestamp)])
        await victim.put_raw(victim.topics.orders, place, records)
    await victim.decided(2)
    before = await victim.letters()
    for _ in range(3):
        await victim.restart("earning")
    await victim.send([order(victim.member_in(2, "new"), "new")])
    await victim.decided(3)
    status = await victim.status()
    if changes := status["log_changes"]:
        raise PromiseBrokenError(f"{len(changes)} logs were said to be changed, and were read again")
    after = await victim.letters()
    if len(after) != len(before):
        raise PromiseBrokenError(f"{len(before)} dead letters became {len(after)} by restarts")
    if any(letter.reason == "occurred_in_future" for letter in after):
        raise PromiseBrokenError(f"a fact without a timestamp is called one of the future: {after[0].text}")
    return "no log was read again, no dead letter doubled"


@attack("F17", "both services go on, and start, when an input topic has more partitions")
async def more_partitions(victim: Installation) -> str:
    """Partitions of the orders raised from 4 to 8 while both run; orders in the new ones; a restart."""
    await victim.begin()
    await victim.goes_on("before")
    admin = AIOKafkaAdminClient(bootstrap_servers=victim.kafka)
    await admin.start()
    try:
        await admin.create_partitions({victim.topics.orders: NewPartitions(total_count=2 * SHARDS)})
    finally:
        await admin.close()
    await victim.send([order("ana", "in-a-new-one")], partition=SHARDS + 1)
    await victim.has("ana", 10, within=40)
    await victim.survives_a_restart()
    await victim.verified()
    return "orders of new partitions were decided; both start again"


@attack("F20", "settings of an input topic that lose facts are refused at the start, by name")
async def compacted_input(victim: Installation) -> str:
    """`cleanup.policy=compact` on the orders topic while earning is away; then its start."""
    await victim.begin(start=False)
    await topics_plan.change(victim.kafka, victim.topics.orders, {"cleanup.policy": "compact"})
    victim.launch("earning")
    try:
        await victim.ready("earning", within=10)
    except PromiseBrokenError as refused:
        if "cleanup.policy" in str(refused):
            return f"refused by name: {refused}"
        raise
    if "cleanup.policy" not in victim.log("earning"):
        raise PromiseBrokenError("earning starts on a compacted input, ready, and its log doesn't name the setting")
    return "it starts, and its log names the setting"


@attack("K13", "every codec is read, and foreign transactions on the points topic harm nobody")
async def codecs_and_foreign_transactions(victim: Installation) -> str:
    """Orders packed by gzip, snappy, lz4 and zstd; a committed and an aborted transaction on each points partition."""
    await victim.begin()
    for number, codec in enumerate(hostile.CODECS):
        told = order(f"by-{codec}", f"o-{codec}", f"{number + 1}.00")
        now = int(time.time() * 1000)
        records = hostile.batch([Raw(key_of(told), value_of(told), (), now)], codec=codec)
        await victim.put_raw(victim.topics.orders, victim.partition(f"by-{codec}"), records)
    for number, codec in enumerate(hostile.CODECS):
        await victim.has(f"by-{codec}", number + 1)
    async with hostile.transactional(victim.kafka, f"{victim.topics.points}-stranger") as publisher:
        for end in (publisher.commit_transaction, publisher.abort_transaction):
            await publisher.begin_transaction()
            for place in range(SHARDS):
                await publisher.send_and_wait(victim.topics.points, b"{}", key=b"k", partition=place)
            await end()
    await victim.survives_a_restart()
    await victim.verified()
    await victim.rebuilt()
    return "all decided, verify and rebuild clean"


@attack("K14", "one effect a key, whatever partition a record lies in and whoever tells of it first")
async def random_partitions(victim: Installation) -> str:
    """300 orders, each told by two members in two partitions at random; 300 more, each twice in the right one."""
    await victim.begin()
    by_place: dict[int, list[Outgoing]] = {place: [] for place in range(SHARDS)}
    for number in range(300):
        for teller in ("one", "two"):
            told = order(f"{teller}-{number}", f"shared-{number}")
            by_place[zlib.crc32(f"{teller}{number}".encode()) % SHARDS].append(Outgoing(key_of(told), value_of(told)))
    for place, records in by_place.items():
        await victim.put(victim.topics.orders, place, *records)
    twice = [order(f"own-{number % 40}", f"own-{number}") for number in range(300)]
    await victim.send([*twice, *twice])
    await victim.decided(1_200)
    status = await victim.status()
    [orders] = [one for one in status["inputs"] if one["topic"] == victim.topics.orders]
    outcomes = {name: orders[name] for name in ("applied", "duplicate", "rejected", "dead_letter")}
    [(points,)] = await victim.rows("SELECT sum(earned)::bigint FROM loyalty.balances")
    if sum(outcomes.values()) != 1_200 or points != 6_000:
        raise PromiseBrokenError(f"600 orders of 10 points gave {points} points: {outcomes}")
    await victim.verified()
    return f"600 keys once each: {outcomes}"
