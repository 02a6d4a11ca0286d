"""Foreign records on topics of ours that resemble ours, and control topics that nobody should believe."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from aiokafka.structs import TopicPartition

from shared.broker import Outgoing, reading
from tests.attacks import hostile
from tests.attacks.catalogue import Catalogue
from tests.attacks.installation import Installation, PromiseBrokenError
from tests.attacks.told import MINIMAL, PROGRAM, order
from tests.support.databases import execute

FOREIGN = Catalogue()
attack = FOREIGN.attack

_LONG_AGO = "2025-01-01T00:00:00+00:00"


@attack("F1", "a foreign record on the points topic is stepped over by every reader of it")
async def latin_1_header_on_points(victim: Installation) -> str:
    """A record whose header's name is Latin-1 on each partition of the points topic; then restart, verify, rebuild."""
    await victim.begin()
    await victim.goes_on("before")
    for partition in range(4):
        await victim.put_raw(victim.topics.points, partition, hostile.unreadable_header())
    await victim.survives_a_restart()
    await victim.verified()
    await victim.rebuilt()
    return "both services went on, also after a restart; verify and rebuild are clean"


@attack("F2", "what can't be read on the programs topic is stepped over")
async def foreign_record_on_programs(victim: Installation) -> str:
    """A word that is no JSON, a null, an unreadable header and {} on the programs topic; then a restart."""
    await victim.begin()
    topic = victim.topics.programs
    await victim.put(topic, 0, Outgoing(b"x", b"hello"), Outgoing(b"x", None), Outgoing(b"x", b"{}"))
    await victim.put_raw(topic, 0, hostile.unreadable_header())
    await victim.survives_a_restart()
    return "both services went on, also after a restart"


@attack("F2-forged", "versions never reach back, and need 60 s of notice")
async def forged_version(victim: Installation) -> str:
    """A well-formed version 2 on the programs topic, its checksum right, in force since long ago, 1,000 a EUR."""
    await victim.begin()
    await victim.goes_on("before")
    forged = await _forged_version(victim)
    await victim.put(victim.topics.programs, 0, forged)
    await victim.restart()
    await victim.send([order("ana", "after-forgery", "5.00")])
    await victim.has("ana", 5)
    await victim.goes_on("after a restart with the forged version")
    listed = await victim.typed("program", "list", "--json")
    if '"version":2' in listed.text:
        raise PromiseBrokenError("`tallystick program list` shows the forged version 2")
    alarms = [row for row in victim.log("earning").splitlines() if PROGRAM in row and "2" in row and "info" not in row]
    if not alarms:
        raise PromiseBrokenError("5 EUR earn 5 points, but no alarm in earning's log names the forged version")
    return "5 EUR earn 5 points; an alarm names the version"


async def _forged_version(victim: Installation) -> Outgoing:
    """The published version's own record, changed: what a neighbour who reads the topic can write."""
    place = TopicPartition(victim.topics.programs, 0)
    async with reading(victim.kafka) as consumer:
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        record = await consumer.getone(place)
    told: dict[str, Any] = json.loads(record.value)
    data = told["data"]
    document = data["document"] if isinstance(data["document"], dict) else json.loads(data["document"])
    for rule in document["rules"]:
        rule["rate"] = "1000" if isinstance(rule.get("rate"), str) else 1000
    written = json.dumps(document, separators=(",", ":"))
    data["document"] = written if isinstance(data["document"], str) else document
    data |= {"version": 2, "in_force_from": _LONG_AGO, "published_at": _LONG_AGO}
    data["checksum"] = hashlib.sha256(written.encode()).hexdigest()
    headers = [(name, value) for name, value in record.headers]
    return Outgoing(record.key, json.dumps(told).encode(), headers)


def _ours(shard: int, position: int, value: bytes, kind: str = "loyalty.points.earned.v1") -> Outgoing:
    """A record with the headers of a point event."""
    headers = [("shard", str(shard).encode()), ("position", str(position).encode()), ("type", kind.encode())]
    return Outgoing(b"k", value, headers)


@attack("F3", "what proves that a record is ours is its bytes and its chain, never its headers")
async def forged_positions(victim: Installation) -> str:
    """A record with our headers, far ahead, with the bytes {}, on the points topic; then a restart."""
    await victim.begin()
    await victim.goes_on("before")
    await victim.put(victim.topics.points, 3, _ours(3, 999_999, b"{}"))
    return await _nothing_stops(victim)


async def _nothing_stops(victim: Installation) -> str:
    await victim.restart()
    await victim.goes_on("after a restart")
    await victim.verified()
    await victim.rebuilt()
    return "all four shards went on after a restart; verify and rebuild are clean"


@attack("F3-alike", "what proves that a record is ours is its bytes and its chain, never its headers")
async def records_that_resemble_ours(victim: Installation) -> str:
    """Our headers with the next position and wrong bytes, another shard's; bytes of ours under another position."""
    await victim.begin()
    await victim.goes_on("before")
    points = victim.topics.points
    await victim.put(points, 2, _ours(2, 2, b"{}"), _ours(2, 3, b"\xff" * 40))
    await victim.put(points, 1, _ours(1, -5, b""), _ours(1, 2**63, b"{}"), _ours(0, 1, b"{}"))
    await victim.put(points, 0, await _with_other_position(victim, 0))
    return await _nothing_stops(victim)


async def _with_other_position(victim: Installation, partition: int) -> Outgoing:
    """The last event of a partition with another position in its headers: its bytes are ours, its place is not."""
    place = TopicPartition(victim.topics.points, partition)
    async with reading(victim.kafka) as consumer:
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        record = await consumer.getone(place)
    headers = [(name, b"77777" if name == "position" else value) for name, value in record.headers]
    return Outgoing(record.key, record.value, headers)


@attack("F9", "a failover to an older database is survived: earning learns from its log")
async def failover_before_a_first_version_is_relayed(victim: Installation) -> str:
    """A first version reaches the database, not its topic; orders under it; then the database of before."""
    await victim.begin()
    await victim.goes_on("before")
    await victim.stop()
    snapshot = f"{victim.dsn.rsplit('/', 1)[1]}_before"
    database = victim.dsn.rsplit("/", 1)[1]
    server = victim.dsn.rsplit("/", 1)[0] + "/postgres"
    await execute(server, f"CREATE DATABASE {snapshot} TEMPLATE {database}")
    try:
        await victim.publish_program(MINIMAL.replace(PROGRAM, "late-shop"))
        await _take_back_the_last_relay(victim)
        await victim.start()
        told = order("bo", "late-1")
        await victim.send([told | {"program": "late-shop"}])
        await victim.comes(
            "SELECT count(*) = 1 FROM loyalty.balances WHERE program = 'late-shop'", what="a point of late-shop is seen"
        )
        await victim.stop()
        await execute(server, f"DROP DATABASE {database} WITH (FORCE)")
        await execute(server, f"CREATE DATABASE {database} TEMPLATE {snapshot}")
        await victim.start()
        await victim.goes_on("after the failover")
        await victim.comes(
            "SELECT available = 10 FROM loyalty.balances WHERE program = 'late-shop'",
            what="late-shop's points are back",
        )
        await victim.verified()
    finally:
        await execute(server, f"DROP DATABASE IF EXISTS {snapshot} WITH (FORCE)")
    return "the version and its points were learnt again"


async def _take_back_the_last_relay(victim: Installation) -> None:
    """As if the command had been killed between the database and the topic: its record isn't there, nor its note."""
    await victim.execute("UPDATE earning.program_versions SET relayed_at = NULL WHERE program = 'late-shop'")
    place = TopicPartition(victim.topics.programs, 0)
    async with reading(victim.kafka) as consumer:
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
    await hostile.delete_records(victim.kafka, victim.topics.programs, 0, end)


@attack("F12", "poison never stops an input partition")
async def latin_1_header_on_inputs(victim: Installation) -> str:
    """A record whose header's name is Latin-1 on every input topic, orders behind it; then a restart."""
    await victim.begin()
    for topic in victim.topics.inputs:
        await victim.put_raw(topic, 1, hostile.unreadable_header())
    await victim.survives_a_restart()
    letters = await victim.letters()
    if len(letters) != len(victim.topics.inputs):
        raise PromiseBrokenError(f"{len(letters)} dead letters of {len(victim.topics.inputs)} such records")
    status = await victim.status()
    if status["exit_code"]:
        raise PromiseBrokenError("`tallystick status` ends with 1")
    return "each is a dead letter; the orders behind them were decided"
