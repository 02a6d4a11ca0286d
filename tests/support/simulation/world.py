"""World: one run from a seed: two workers of each service, their servers, a shop; harm, then calm, then the checks."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

import pytest
from aiokafka import TopicPartition

import shared.clients
import shared.consumer_watch
import shared.migrations
from services.earning.decide import SETTLE
from services.earning.intake import lane
from services.earning.program.authoring.check import check
from services.earning.program.registry import Published, Record
from services.earning.program.registry import record as record_of
from services.earning.relay import dead_letters as emit_dead_letters
from services.projections import consume
from shared.clients import Clients
from shared.telemetry import RoomClock
from tests.support.simulation.checks import Checks, whole_to
from tests.support.simulation.clients import Admin, Stream
from tests.support.simulation.consumer import Consumer, Fetching
from tests.support.simulation.faults import Fate, Fates
from tests.support.simulation.inside import Inside
from tests.support.simulation.kafka import Broker
from tests.support.simulation.loop import Host, Loop, here, loop
from tests.support.simulation.postgres import Server
from tests.support.simulation.producer import Producer
from tests.support.simulation.session import Session
from tests.support.simulation.shop import DOCUMENT, Publication, Traffic, traffic
from tests.support.simulation.statements import statements
from tests.support.simulation.tables import (
    DeadLetterRow,
    Emission,
    FenceRow,
    ForeignRow,
    InboxRow,
    PositionRow,
    ProgramRow,
    Registry,
    Shard,
    StandingRow,
)
from tests.support.simulation.wire import pass_by
from tests.support.simulation.workers import TOPICS, Earning, Projections, Worker

SHARDS = 2
BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)
HARM_S = 12.0
CALM_MAX_S = 90.0
"""Within so many seconds after the last harm nothing may be behind any more."""

SWEPT_WITHIN = timedelta(seconds=10)
"""Members who are due are swept within so long once their inputs are idle; the sweeper looks every few seconds."""

STEPS_MAX = 50_000
"""Ten times what a run takes: somebody is busy without end."""

LOOK_EVERY_S = 1.0
POLL_MS = 2000
POLLS = (
    (lane, "FETCH_WAIT_MS"),
    (consume, "FETCH_WAIT_MS"),
    (emit_dead_letters, "LOOK_EVERY_S"),
)
"""Who looks now and then whether there is something to do looks less often: nothing is decided by it, and it costs."""

FOREIGN: tuple[tuple[Any, ...], ...] = ((b"?", b"not ours", []), (None, None, [("shard", b"x")]))


HARMS = (
    "kill somebody",
    "pause somebody",
    "replace somebody",
    "crash postgres",
    "stop kafka",
    "lose points",
    "write foreign",
    "end fetching",
    "hang fetching",
)
"""What is done to hosts and servers at some moment, beside what becomes of single requests."""


class Outcome(NamedTuple):
    """What a run came to: violations, what was done to it, how much happened, and a digest that tells runs apart."""

    seed: int
    violations: list[str]
    harms: Counter[str]
    steps: int
    facts: int
    digest: str


class World:
    """Everything of one run."""

    def __init__(self, seed: int) -> None:
        random.seed(seed)  # the services' backoff
        self.seed = seed
        self.loop = Loop()  # type: ignore[abstract] # what the services don't use isn't there
        self.fates = Fates(seed)
        self.server = Server(self.loop, BEGAN, statements())
        self.broker = Broker(self.loop, self.fates, self._now_ms)
        self.traffic: Traffic = traffic(self.fates.chance, (TOPICS.commands, TOPICS.orders), SHARDS, BEGAN)
        for topic in (*TOPICS.inputs, TOPICS.points, TOPICS.programs, TOPICS.dead_letters):
            self.broker.create(topic, SHARDS)
        self.workers: list[Worker] = []
        self.foreign = 0

    def _now_ms(self) -> int:
        return int(self.server.clock().timestamp() * 1000)

    def run(self) -> Outcome:
        """Run it."""
        with self._installed():
            checks = self.loop.run(self._live())
        for worker in self.workers:
            if worker.trouble:
                checks.violated("I11", f"{worker.name} {worker.trouble}")
        for trouble in self.loop.troubles:
            checks.violated("I11", trouble)
        digest = hashlib.blake2b(repr((self.loop.steps, checks.seen, checks.violations)).encode(), digest_size=8)
        return Outcome(
            self.seed, checks.violations, self.fates.told, self.loop.steps, self.traffic.facts, digest.hexdigest()
        )

    async def _live(self) -> Checks:
        checks = Checks(self)
        self.server.on_commit = checks.committed
        self._publish_program()
        for number in (1, 2):
            self._add(f"earning-{number}", lambda worker: Earning(self.fates, worker.instance, worker.owner))
            self._add(f"projections-{number}", lambda worker: Projections(self.fates, worker.instance))
        for publication in self.traffic.publications:
            self.loop.later(publication.at_s, self._publish, publication)
        self._plan_harm()
        await pass_by(HARM_S)
        self._calm()
        await self._until_level(checks)
        if not checks.violations:
            await self._on_host(checks.check())
        for worker in self.workers:
            worker.host.dead = True
        return checks

    def _add(self, name: str, make: Any) -> None:
        worker = Worker(name, self.loop, self.fates, make)
        self.workers.append(worker)
        self.loop.later(self.fates.chance.random(), worker.start)

    def _publish_program(self) -> None:
        row, record = _program()
        self.server.tables[ProgramRow][row.program, row.version] = row
        self.server.tables[Registry][True,] = Registry(serial=row.serial)
        where = TopicPartition(TOPICS.programs, 0)
        self.broker.append(where, record.key, record.value, record.headers)

    def _publish(self, what: Publication) -> None:
        where = TopicPartition(what.topic, what.partition)
        self.broker.append(where, what.key, what.value, timestamp_ms=what.timestamp_ms, with_gaps=True)

    # harm

    def _plan_harm(self) -> None:
        chance = self.fates.chance
        harms = [chance.choice(HARMS) for _ in range(chance.choice((0, 1, 2, 4)))]
        if "lose points" in harms:
            self.fates.rule_out(Fate.LATE)
        for harm in harms:
            self.loop.later(chance.random() * HARM_S, self._harm, harm)

    def _harm(self, name: str) -> None:
        if self.fates.harmful:
            self.fates.told[name] += 1
            getattr(self, "_" + name.replace(" ", "_"))()

    def _somebody(self) -> Worker:
        return self.fates.chance.choice(self.workers)

    def _kill_somebody(self) -> None:
        self._somebody().host.crash()

    def _pause_somebody(self) -> None:
        self.fates.stand_still(self._somebody().host)

    def _replace_somebody(self) -> None:
        self._somebody().replace()

    def _crash_postgres(self) -> None:
        self.server.crash()
        self.loop.later(self.fates.chance.random() * 5, self._postgres_up)

    def _postgres_up(self) -> None:
        if not self.server.up:
            self.server.start()

    def _stop_kafka(self) -> None:
        self.broker.up = False
        self.loop.later(self.fates.chance.random() * 5, self._kafka_up)

    def _kafka_up(self) -> None:
        self.broker.up = True

    def _lose_points(self) -> None:
        log = self.broker.logs[TopicPartition(TOPICS.points, self.fates.chance.randrange(SHARDS))]
        log.lose(self.fates.chance.randint(0, min(3, len(log.records))))

    def _write_foreign(self) -> None:
        where = TopicPartition(TOPICS.points, self.fates.chance.randrange(SHARDS))
        self.broker.append(where, *self.fates.chance.choice(FOREIGN))

    def _end_fetching(self) -> None:
        self._let_fetching_be(Fetching.ENDED)

    def _hang_fetching(self) -> None:
        self._let_fetching_be(Fetching.HANGS)

    def _let_fetching_be(self, what: Fetching) -> None:
        living = [one for one in self.broker.consumers if not one.host.dead]
        if living:
            self.fates.chance.choice(living).fetching = what

    def _calm(self) -> None:
        """Nothing fails from now on; who stands still wakes up, who is down comes back."""
        self.fates.harmful = False
        self.broker.up = True
        self._postgres_up()
        for worker in self.workers:
            if worker.host.paused and not worker.host.dead:
                worker.host.revive()

    async def _until_level(self, checks: Checks) -> None:
        ends = self.loop.time() + CALM_MAX_S
        while (behind := self._behind()) and self.loop.time() < ends and self.loop.steps < STEPS_MAX:
            await pass_by(LOOK_EVERY_S)
        for what in behind:
            checks.violated("I11", f"{what}, {CALM_MAX_S:.0f} s after the last harm")

    def _behind(self) -> list[str]:
        """What has not come to its end yet."""
        tables, behind = self.server.tables, []
        for where, log in self.broker.logs.items():
            if where.topic in TOPICS.inputs:
                fence: Any = tables[FenceRow].get((where.topic, where.partition))
                if log.end and (fence is None or fence.stored < log.end):
                    behind.append(f"{where.topic}/{where.partition} ends at {log.end}, its fence is {fence}")
        for shard in range(SHARDS):
            head: Any = tables[Shard].get((shard,), Shard(shard))
            emitted: Any = tables[Emission].get((shard,), Emission(shard))
            folded: Any = tables[PositionRow].get((shard,), PositionRow(shard))
            logged = self._logged(shard)
            if not head.position == emitted.emitted == logged == folded.position:
                behind.append(
                    f"shard {shard}: {head.position} decided, {emitted.emitted} emitted, {logged} in the log, "
                    f"{folded.position} folded"
                )
        swept_to = self.server.clock() - SETTLE - SWEPT_WITHIN
        due = sum(row.next_due is not None and row.next_due <= swept_to for row in self._rows(StandingRow))
        if due:
            behind.append(f"{due} members are due and not swept")
        messages = len(self.server.tables[InboxRow])
        if messages:
            behind.append(f"{messages} messages wait in inboxes")
        unrelayed = sum(row.relayed_at is None for row in self._rows(DeadLetterRow) + self._rows(ForeignRow))
        if unrelayed:
            behind.append(f"{unrelayed} dead letters are not relayed")
        for worker in self.workers:
            waiting = {"start": "not running"} if worker.service is None else worker.service.waiting()
            behind += [f"{worker.name} waits for {what}: {why}" for what, why in waiting.items()]
        return behind

    def _rows(self, table: Any) -> list[Any]:
        return list(self.server.tables[table].values())

    def _logged(self, shard: int) -> int:
        """Up to which position the log has all."""
        return whole_to(self.broker.logs[TopicPartition(TOPICS.points, shard)], in_order=False)

    # the doubles in the place of the clients

    async def _on_host(self, work: Any) -> None:
        await loop().create_task(work, context=Host("operator").context())

    async def connect(self, *_: Any, server_settings: dict[str, str], **__: Any) -> Session:
        """asyncpg.connect."""
        session = Session(self.server, self.fates, here(), server_settings)
        await session.connect()
        return session

    def _clients(self) -> Clients:
        broker, fates = self.broker, self.fates
        doubles: dict[str, Any] = {
            "connect": self.connect,
            "consumer": lambda **settings: Consumer(broker, fates, group=settings["group_id"]),
            "producer": lambda **_: Producer(broker, fates),
            "admin": lambda **_: Admin(broker, fates),
            "subscriptions": lambda *_, **__: Stream(broker, fates),
        }
        return Clients(**doubles)

    @contextmanager
    def _installed(self) -> Iterator[None]:
        async def checked(*_: Any) -> None:
            """The schema is that of the doubles."""

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shared.clients, "CLIENTS", self._clients())
            patch.setattr(shared.consumer_watch, "Inside", Inside)
            patch.setattr(shared.migrations, "check", checked)
            patch.setattr(RoomClock, "add", lambda *_: None)
            patch.setattr(RoomClock, "measure", lambda *_: nullcontext())
            for module, name in POLLS:
                patch.setattr(module, name, POLL_MS if name.endswith("_MS") else POLL_MS / 1000)
            yield


@cache
def _program() -> tuple[ProgramRow, Record]:
    document = check(DOCUMENT.encode(), "shop.yaml")
    effective = document.effective_from.astimezone(UTC)
    published = Published(document.program, 1, document.canonical(), "", BEGAN, effective, BEGAN)
    return ProgramRow(*published, serial=1), record_of(published)
