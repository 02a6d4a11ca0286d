"""The runbooks of docs/how-to/runbooks.md, followed to the letter on servers that were harmed as they say."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deploy.local_stack import LocalStack
from deploy.local_stack.postgres import program_path
from deploy.migrate import migrate
from shared.broker import Outgoing
from shared.topics import Topics
from tests.chaos.runbook import Runbook
from tests.chaos.test_lost_logs import STAMP, orders
from tests.chaos.test_restored import TIERS, spent
from tests.e2e.pipeline import Pipeline
from tests.integration.earning.earning_rig import DOCUMENT, PROGRAM, SHARDS, event, paid
from tests.integration.earning.worker import Town
from tests.support.databases import copy_of, empty_database

FLOOD = 100
"""Records a partition: the runbook is tried, not the load."""

UNKNOWN = Outgoing(b"other/m-1", paid("o-1", member="m-1", program="other"), (), STAMP + 500_000)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def own_template(own_stack: LocalStack) -> AsyncIterator[str]:
    """A migrated database on the servers that may be harmed, for others to be copied from."""
    async with empty_database(own_stack.endpoints.dsn) as template:
        await migrate(template)
        yield template


@pytest.fixture
async def shop(own_stack: LocalStack, own_template: str, topics: Topics, tmp_path: Path) -> AsyncIterator[Pipeline]:
    """An installation with a program that was published by the command, and both services at work."""
    async with copy_of(own_template) as dsn:
        shop = Pipeline(tmp_path, own_stack.endpoints.bootstrap_servers, dsn, topics, SHARDS)
        await shop.make_topics()
        await Runbook.typed(environment(shop), "program", "publish", str(document(shop)))
        begin(shop)
        yield shop
        shop.stop()


def document(shop: Pipeline, name: str = "shop.yaml", **changed: str) -> Path:
    """The program's document as a file, some words of it changed."""
    text = DOCUMENT + TIERS
    for old, new in changed.items():
        assert f"{old}: 1}}" in text
        text = text.replace(f"{old}: 1}}", f"{old}: {new}}}")
    file = shop.directory / name
    file.write_text(text, "utf-8")
    return file


def environment(shop: Pipeline) -> dict[str, str]:
    return shop.environment() | {"TALLYSTICK_DIRECTORY": str(shop.directory)}


def begin(shop: Pipeline) -> None:
    """Start both services, as whoever runs them does."""
    for service in ("earning", "projections"):
        shop.start(service, {})


def end(shop: Pipeline) -> None:
    """Stop both services in good order."""
    for process in shop.processes:
        process.stop()


def town(shop: Pipeline) -> Town:
    return Town(shop.bootstrap_servers, shop.dsn, shop.topics)


async def relayed(shop: Pipeline) -> None:
    """Wait until everything that was decided is on its topic."""
    waiting = """SELECT (SELECT sum(position) FROM earning.shards)::bigint
        - (SELECT sum(emitted) FROM earning.emissions)::bigint
        + (SELECT count(*) FROM earning.dead_letters WHERE relayed_at IS NULL)"""

    async def none() -> bool:
        return await shop.value(waiting) == 0

    await shop.until(none, "everything to be on its topic")


def nonsense(number: int) -> list[Outgoing]:
    return [Outgoing(b"shop/m-1", b"nonsense", (), STAMP + 500_000 + at) for at in range(number)]


async def test_postgres_restored_from_a_backup_of_an_hour_ago(own_stack: LocalStack, shop: Pipeline) -> None:
    await shop.publish(orders(0, 60))
    await shop.settled(60)
    backup = base_backup(own_stack)
    await Runbook.typed(environment(shop), "program", "publish", str(document(shop, rate="3")))
    await shop.publish(orders(60, 120))
    await shop.publish(spent(0, 30), shop.topics.commands)
    await shop.publish({0: [*nonsense(2), UNKNOWN]})
    await shop.settled(60 + 60 + 30 + 3)
    await relayed(shop)
    before, versions = await shop.tables(), await town(shop).fetch(VERSIONS)

    book = Runbook("postgres-was-restored-from-a-backup", environment(shop))
    end(shop)
    restore(own_stack, backup)
    begin(shop)
    await shop.publish(orders(120, 130))
    await shop.settled(60 + 60 + 30 + 3 + 10)
    await relayed(shop)
    state = json.loads((await book.type("tallystick status", "--json")).stdout)
    assert state["adds_up"]
    for command in ("verify", "rebuild --check", "rebuild --standings --check"):
        await book.type(f"tallystick {command}")
    book.followed()
    after = await shop.tables()
    assert set(before.history) <= set(after.history)
    assert await town(shop).fetch(VERSIONS) == versions
    assert [each["open"] for each in state["dead_letters"]] == [2, 1]


VERSIONS = "SELECT program, version, checksum, in_force_from FROM earning.program_versions ORDER BY 1, 2"


def base_backup(stack: LocalStack) -> Path:
    """A backup of the running server, as its own tool makes one."""
    backup = stack.directory / "postgres" / "backup"
    shutil.rmtree(backup, ignore_errors=True)
    command = [
        program_path("pg_basebackup"),
        "--pgdata",
        str(backup),
        "--dbname",
        stack.postgres.dsn,
        "--checkpoint=fast",
    ]
    command += ["--wal-method=fetch", "--no-sync"]  # it need not outlive this machine
    subprocess.run(command, check=True, capture_output=True)
    return backup


def restore(stack: LocalStack, backup: Path) -> None:
    """The server is lost; another one is started from the backup."""
    stack.postgres.kill()
    data = backup.parent / "data"
    owner = data.stat()
    shutil.rmtree(data)
    backup.rename(data)
    for path in (data, *data.rglob("*")):
        shutil.chown(path, owner.st_uid, owner.st_gid)
    stack.postgres.start()


async def test_kafka_lost_with_all_its_topics(own_stack: LocalStack, shop: Pipeline) -> None:
    await shop.publish(orders(0, 60))
    await shop.publish(spent(0, 20), shop.topics.commands)
    await shop.publish({0: nonsense(3)})
    await shop.settled(83)
    await relayed(shop)
    told, programs = await town(shop).log(), await town(shop).log(shop.topics.programs)
    for process in shop.processes:
        process.kill()
    await shop.publish(orders(60, 70))  # not decided, and gone with the cluster

    book = Runbook("kafka-is-lost-with-all-its-topics", environment(shop))
    own_stack.kafka.kill()
    own_stack.kafka.throw_away()
    own_stack.kafka.start()
    await book.type("tallystick topics create")
    begin(shop)
    await book.type("tallystick dead-letters republish")
    since = await book.ask(shop.dsn)
    assert since[shop.topics.orders] < datetime.fromtimestamp((STAMP + 60_000) / 1000, UTC)
    await shop.publish(orders(40, 80))
    await shop.settled(83 + 40)
    await relayed(shop)
    state = json.loads((await book.type("tallystick status", "--json")).stdout)
    assert state["log_changes"]
    assert [each["lag"] for each in state["inputs"]] == [0] * 5
    for command in ("verify", "rebuild --check"):
        await book.type(f"tallystick {command}")
    book.followed()
    # The very bytes are there again, and nothing was lost or doubled.
    assert {(r.partition, r.value) for r in told} <= {(r.partition, r.value) for r in await town(shop).log()}
    assert {r.value for r in programs} == {r.value for r in await town(shop).log(shop.topics.programs)}
    assert await shop.value("SELECT count(*) FROM loyalty.history WHERE kind = 'points.earned'") == 80


async def test_a_wrong_program_published(shop: Pipeline) -> None:
    members = ("ann", "bob", "cat")
    book = Runbook("a-wrong-program-was-published", environment(shop))
    await Runbook.typed(environment(shop), "program", "publish", str(document(shop, "wrong.yaml", rate="10")))
    wrong_since = await in_force_from(shop, 2)
    orders_by_the_wrong = [fact(f"o-{at}", name, wrong_since) for at, name in enumerate(members)]
    facts = written(shop, "facts.jsonl", orders_by_the_wrong)
    await Runbook.typed(environment(shop), "publish", str(facts))
    await shop.settled(len(members))

    corrected = document(shop)
    assert "shop" in (await book.type("tallystick program list")).stdout
    told = await book.type(
        "tallystick program diff PROGRAM@1 PROGRAM@2", **{"PROGRAM@1": "shop@1", "PROGRAM@2": "shop@2"}
    )
    assert "10" in told.stdout
    await book.type("tallystick program check FILE", FILE=str(corrected))
    await book.type("tallystick program publish FILE", FILE=str(corrected))
    given = await book.ask(shop.dsn, PROGRAM=PROGRAM)
    assert given == dict.fromkeys(members, 100)
    tried = await book.type("tallystick try --program FILE --facts FACTS --json", FILE=str(corrected), FACTS=str(facts))
    should = {
        line["member"]: line["available"]
        for line in map(json.loads, tried.stdout.splitlines())
        if line["record"] == "member"
    }
    assert should == dict.fromkeys(members, 10)
    corrections = [adjustment(name, should[name] - int(given[name])) for name in members]
    file = written(shop, "corrections.jsonl", corrections + corrections[:1])
    await book.type("tallystick publish CORRECTIONS", CORRECTIONS=str(file))
    await shop.settled(len(members) + len(corrections) + 1)
    explained = await book.type("tallystick explain PROGRAM MEMBER", PROGRAM=PROGRAM, MEMBER="ann")
    assert "10 points available" in explained.stdout
    await book.type("tallystick verify")
    book.followed()

    # From the corrected version on it is right; a refund of before gives back by the version that awarded.
    more = [fact("o-9", "dan", await in_force_from(shop, 3)), refund("o-1", "bob", wrong_since)]
    await Runbook.typed(environment(shop), "publish", str(written(shop, "more.jsonl", more)))
    await shop.settled(len(members) + len(corrections) + 3)
    balances = {str(row[1]): (row[2], row[4]) for row in (await shop.tables()).balances}
    assert balances == {"ann": (10, 0), "bob": (0, 90), "cat": (10, 0), "dan": (10, 0)}


async def in_force_from(shop: Pipeline, version: int) -> datetime:
    ((since,),) = await town(shop).fetch(
        "SELECT in_force_from FROM earning.program_versions WHERE version = $1", version
    )
    assert isinstance(since, datetime)
    return since


def fact(order: str, member: str, at: datetime) -> dict[str, Any]:
    """An order of 10.00, some seconds after an instant (which may lie ahead a little)."""
    return as_told(paid(order, member=member), time=(at + timedelta(seconds=5)).isoformat())


def as_told(value: bytes, **changed: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(value)
    return told | changed


def refund(order: str, member: str, at: datetime) -> dict[str, Any]:
    data = {"order_id": order, "refund_id": "r-1", "amount": "10.00"}
    return as_told(event("refunded", order, member, PROGRAM, data), time=(at + timedelta(seconds=6)).isoformat())


def adjustment(member: str, points: int) -> dict[str, Any]:
    data = {"adjustment_id": f"wrong-rate-{member}", "points": points, "reason": "wrong rate", "actor_id": "a-7"}
    value = event("adjust", member, member, PROGRAM, data)
    return as_told(value, type="loyalty.points.adjust.v1", time=datetime.now(UTC).isoformat())


def written(shop: Pipeline, name: str, facts: Iterable[dict[str, Any]]) -> Path:
    file = shop.directory / name
    file.write_text("".join(json.dumps(each) + "\n" for each in facts), "utf-8")
    return file


async def test_a_platform_that_sends_garbage(shop: Pipeline) -> None:
    flood = nonsense(FLOOD)
    good = orders(0, 40)
    await shop.publish({number: [*flood, *rows, UNKNOWN] for number, rows in good.items()})
    number = sum(map(len, good.values()))
    await shop.settled(number + len(good) * (FLOOD + 1))
    book = Runbook("a-platform-sends-garbage", environment(shop))
    state = json.loads((await book.type("tallystick status", "--json")).stdout)
    assert {each["reason"]: each["open"] for each in state["dead_letters"]} == {
        "not_json": FLOOD * len(good),
        "unknown_program": len(good),
    }
    assert await shop.value("SELECT count(*) FROM loyalty.history WHERE kind = 'points.earned'") == number
    listed = await book.type("tallystick dead-letters list --reason not_json", "--json")
    place = json.loads(listed.stdout.splitlines()[0])["place"]
    assert "nonsense" in (await book.type("tallystick dead-letters show PLACE", PLACE=place)).stdout

    other = document(shop, "other.yaml")
    other.write_text(other.read_text("utf-8").replace("program: shop", "program: other"), "utf-8")
    await Runbook.typed(environment(shop), "program", "publish", str(other))
    await book.type("tallystick dead-letters retry --reason unknown_program")
    await book.type("tallystick dead-letters discard --reason not_json --why WHY --yes", WHY="a shop's broken release")
    await shop.settled(number + len(good) * (FLOOD + 2))
    await relayed(shop)
    kept = await book.type("tallystick dead-letters list --all", "--json", "--limit", "9999")
    states = [json.loads(line)["state"] for line in kept.stdout.splitlines()]
    assert (states.count("discarded"), states.count("retried"), len(states)) == (
        FLOOD * len(good),
        len(good),
        len(good) * (FLOOD + 1),
    )
    assert (await book.type("tallystick dead-letters list")).stdout == "no dead letters\n"
    await book.type("tallystick verify")
    await book.ask(shop.dsn, DAYS="0")
    book.followed()
    await Runbook.typed(environment(shop), "verify")
    assert await shop.value("SELECT sum(earned)::int FROM loyalty.balances WHERE program = 'other'") == 10
