"""Logins and secrets: what an analyst's login can do to others, and what reaches logs and terminals."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from aiokafka.structs import TopicPartition

from shared.broker import Outgoing, reading
from tests.attacks.catalogue import Catalogue
from tests.attacks.installation import SHARDS, Installation, PromiseBrokenError
from tests.attacks.told import MINIMAL, PROGRAM, fact, key_of, order, value_of

LOGINS = Catalogue()
attack = LOGINS.attack

_CANARY = "S3CRET-canary"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@asynccontextmanager
async def _as_role(victim: Installation, role: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of its own, logged in as that role."""
    connection = await asyncpg.connect(victim.dsn.replace("postgres@", f"{role}@"))
    try:
        yield connection
    finally:
        await connection.close()


@attack("G1", "a reader sees the programs that were granted to it, and no other")
async def other_merchants_rows(victim: Installation) -> str:
    """As `analyst` and `api`, to whom nobody has granted a program: balances, history and planner statistics."""
    await victim.begin()
    await victim.publish_program(MINIMAL.replace(PROGRAM, "rival-shop"))
    await victim.send([order("ana", "o-1"), order("eve", "o-2") | {"program": "rival-shop"}])
    await victim.comes("SELECT count(*) = 2 FROM loyalty.balances", what="two members are visible")
    for role in ("analyst", "api"):
        async with _as_role(victim, role) as session:
            for view in ("loyalty.balances", "loyalty.history", "loyalty.tiers"):
                seen = await session.fetchval(f"SELECT count(*) FROM {view}")  # noqa: S608 (ours)
                if seen:
                    raise PromiseBrokenError(f"{role} sees {seen} rows of {view}, of programs nobody granted to it")
    return "neither sees a row"


@attack("G2", "no other login can hold up a start, a migration or a rebuild")
async def foreign_advisory_locks(victim: Installation) -> str:
    """An analyst holds every advisory lock that the services, migrations and rebuilds use, or are seen to use."""
    await victim.begin()
    await victim.goes_on("before")
    seen = await victim.rows(
        "SELECT DISTINCT (classid::bigint << 32) | objid::bigint FROM pg_locks "
        "WHERE locktype = 'advisory' AND objsubid = 1"
    )
    await victim.stop()
    async with _as_role(victim, "analyst") as session:
        for number in {7_411_000, 7_411_001, 7_411_002, 7_411_010, *(int(str(row[0])) for row in seen)}:
            await session.execute(f"SELECT pg_try_advisory_lock({number})")
        await victim.start(within=15)
        await victim.goes_on("beside these locks")
        await victim.rebuilt()
    return "both services start, and a rebuild runs"


@attack("G3", "a reader's login is limited: sessions, time, temporary tables, large objects")
async def unlimited_readers(victim: Installation) -> str:
    """As `analyst` and `api`: what limits they have, a temporary table, a large object."""
    await victim.begin(start=False)
    found = []
    for role in ("analyst", "api"):
        [(limit,)] = await victim.rows("SELECT rolconnlimit FROM pg_roles WHERE rolname = $1", role)
        if limit == -1:
            found.append(f"{role} has no connection limit")
        async with _as_role(victim, role) as session:
            settings = ("statement_timeout", "idle_in_transaction_session_timeout")
            found += [f"{role} has no {one}" for one in settings if await session.fetchval(f"SHOW {one}") == "0"]
            for what, statement in (
                ("temporary tables", "CREATE TEMPORARY TABLE t (x int)"),
                ("large objects", "SELECT lo_from_bytea(0, 'x')"),
            ):
                try:
                    await session.execute(statement)
                except asyncpg.InsufficientPrivilegeError:
                    continue
                found.append(f"{role} may make {what}")
    if found:
        raise PromiseBrokenError("; ".join(found))
    return "all limited"


@attack("G4", "a password is never in a log, an error, or the command's output")
async def passwords_in_words(victim: Installation) -> str:
    """Passwords with / and @ in the DSN, settings that are missing, servers that aren't there: services and command."""
    await victim.begin(start=False)
    address = victim.dsn.split("@")[1]
    dsns = [
        f"postgresql://postgres:{_CANARY}@127.0.0.1:1/db",
        f"postgresql://postgres:{_CANARY}/x@{address}",
        f"postgresql://postgres:{_CANARY}@x@{address}",
        f"postgresql://postgres:x#{_CANARY}@{address}",
        f"postgresql://nobody:{_CANARY}@{address}",
        f"postgres_ql://postgres:{_CANARY}@{address}",
    ]
    for service in ("earning", "projections"):
        for dsn in dsns:
            for name, value in (("LOG", ""), ("KAFKA_BOOTSTRAP_SERVERS", ""), ("HTTP_PORT", "many")):
                process = victim.launch(service, {"POSTGRES_DSN": dsn, name: value})
                await victim.says_something(service)
                if _CANARY in victim.log(service):
                    raise PromiseBrokenError(f"{service}'s log has the password: {victim.last_words(service)[:160]}")
                process.kill()
    for dsn in dsns:
        for command in (["status"], ["balance", PROGRAM, "ana"], ["program", "list"]):
            said = await victim.typed(*command, POSTGRES_DSN=dsn)
            if _CANARY in said.text:
                raise PromiseBrokenError(f"`tallystick {command[0]}` prints the password: {said.text.strip()[:160]}")
    return "in none of them"


@attack("G5", "control characters reach no terminal")
async def escape_sequences(victim: Installation) -> str:
    """An order's id, a line's, a value, a key and a header with escape sequences; then all that the command shows."""
    await victim.begin()
    escape = "\x1b]0;pwned\x07\x1b[2J\x9b31m"
    told = order("ana", f"o-{escape}")
    told["data"]["lines"][0] |= {"line_id": escape, "sku": escape}
    adjusted = {"adjustment_id": f"a{escape}", "points": 5, "actor_id": f"x{escape}", "reason": f"r{escape}"}
    await victim.send([told, order("ana", "good")])
    await victim.send([fact("loyalty.points.adjust.v1", "ana", adjusted)], victim.topics.commands)
    await victim.put(
        victim.topics.orders, 0,
        Outgoing(escape.encode(), escape.encode(), [(escape, escape.encode())]),
        Outgoing(key_of(told), value_of(told).replace(b'"1.0"', f'"{escape}"'.encode())),
    )  # fmt: skip
    await victim.decided(5)
    await victim.goes_on("behind them")
    commands = [["explain", PROGRAM, "ana"], ["history", PROGRAM, "ana"], ["dead-letters", "list"], ["status"]]
    commands += [["dead-letters", "show", f"{victim.topics.orders}/0/{offset}"] for offset in (0, 1)]
    for command in commands:
        said = await victim.typed(*command)
        if found := _CONTROL.search(said.text):
            raise PromiseBrokenError(f"`tallystick {command[0]}` prints {found[0]!r} of what a publisher sent")
    return f"{len(commands)} commands print none"


@attack("G6", "attributes that no program declares are not kept in the log")
async def undeclared_attributes(victim: Installation) -> str:
    """A member enrols and is changed with attributes that no program declares, an e-mail address among them."""
    await victim.begin()
    attributes = {"attributes": {"email": f"{_CANARY}@example.org", "phone": _CANARY}}
    await victim.send(
        [
            fact("loyalty.member.enrolled.v1", "ana", attributes),
            fact("loyalty.member.updated.v1", "ana", attributes),
        ],
        victim.topics.commands,
    )
    await victim.decided(2)
    await victim.goes_on("behind them")
    places = [TopicPartition(victim.topics.points, place) for place in range(SHARDS)]
    async with reading(victim.kafka) as consumer:
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        kept = 0
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                kept += sum(_CANARY.encode() in (record.value or b"") for record in records)
    if kept:
        raise PromiseBrokenError(f"{kept} events of the points topic, which is kept for ever, have the e-mail address")
    return "no event has them"


@attack("G7", "dead letters are pruned by policy: 90 days, counts stay")
async def old_dead_letters(victim: Installation) -> str:
    """Two dead letters, one of them put back to 91 days ago; then a restart."""
    await victim.begin()
    for one in range(2):
        await victim.put(victim.topics.orders, one, Outgoing(b"k", b"no fact"))
    await victim.decided(2)
    await victim.comes(
        "SELECT count(*) = 2 FROM earning.dead_letters WHERE relayed_at IS NOT NULL", what="both are on their topic"
    )
    await victim.stop()
    await victim.execute(
        "UPDATE earning.dead_letters SET recorded_at = now() - interval '91 days', "
        "relayed_at = now() - interval '91 days', received_at = now() - interval '91 days' WHERE partition = 0"
    )
    await victim.start()
    await victim.comes(
        "SELECT count(*) FILTER (WHERE partition = 0 AND value IS NOT NULL) = 0 AND "
        "count(*) FILTER (WHERE partition = 1) = 1 FROM earning.dead_letters",
        what="the old one is gone and the young one is there",
    )
    status = await victim.status()
    if status["exit_code"]:
        raise PromiseBrokenError("`tallystick status` says that the counts don't add up")
    return "the old one is gone, the young one is there"
