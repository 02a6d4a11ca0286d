"""A world: a database and topics of its own, workers of both services, a shop, and what is true now."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import asyncpg
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from services.cli.supervise import ServiceProcess
from services.verify.log import Log
from shared.broker import KAFKA_TRANSIENT
from shared.topics import Topics
from tests.chaos import lives
from tests.chaos.publisher import Publisher
from tests.chaos.servers import Servers
from tests.chaos.traffic import MEMBERS, Facts
from tests.conftest import new_topics
from tests.e2e.pipeline import Pipeline

SERVICES = ("earning", "projections")
SHARDS = 4
SETTINGS = {
    "EARNING_BATCH": "500",
    "EARNING_RELAY_RECORDS": "500",
    "EARNING_LEASE_S": "3",
    "PROJECTIONS_BATCH": "500",
}
"""Small batches: many transactions, so many moments to be hit between two of them."""

TEMPLATE = "chaos_template"
SAMPLE = 40

_DECIDED = "SELECT coalesce(sum(applied + duplicate + rejected + dead_letter), 0)::bigint FROM earning.fences"
# Nothing swaps generations here: the first one stays in use.
_FOLDED = "SELECT coalesce(sum(position), 0)::bigint FROM projections.positions_1"
_BEHIND = """
SELECT (SELECT coalesce(sum(position), 0) FROM earning.shards)::bigint
     - (SELECT coalesce(sum(position), 0) FROM projections.positions_1)
     + (SELECT coalesce(sum(s.position - e.emitted), 0) FROM earning.shards s JOIN earning.emissions e USING (shard))
     + (SELECT count(*) FROM earning.dead_letters WHERE relayed_at IS NULL)
     + (SELECT count(*) FROM earning.inbox WHERE failed IS NULL)
"""
_FAILED = "SELECT count(*) FROM earning.inbox WHERE failed IS NOT NULL"
_TORN = f"""
SELECT count(*)
FROM (
    SELECT member, sum(change) AS available FROM loyalty.history
    WHERE program = '{lives.PROGRAM}' AND member = ANY ('{{%s}}') GROUP BY 1
) h
FULL JOIN (
    SELECT member, available FROM loyalty.balances WHERE program = '{lives.PROGRAM}' AND member = ANY ('{{%s}}')
) b USING (member)
WHERE h.available IS DISTINCT FROM b.available
"""  # noqa: S608 (ours)
_KEYS = "SELECT count(*) FROM earning.keys WHERE kind = '%s'"


class Struck(NamedTuple):
    """What was done: words, how many single harms it was, and what was wrong already while it lasted."""

    what: str
    harms: int = 1
    wrong: tuple[str, ...] = ()


@dataclass
class Worker:
    """One process of a service; whether it ought to run, whether we ended it, and whether it is made to stand still."""

    service: str
    number: int
    process: ServiceProcess
    wanted: bool = True
    harmed: bool = False
    stands_still: bool = False


@dataclass
class World:
    """Everything of one installation under faults."""

    servers: Servers
    directory: Path
    database: str
    seed: str
    rate: int
    workers_each: int
    topics: Topics = field(default_factory=new_topics)
    workers: list[Worker] = field(default_factory=list)
    harms: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.dsn = self.servers.dsn_of(self.database)
        self.pipeline = Pipeline(self.directory, self.servers.bootstrap_servers, self.dsn, self.topics, SHARDS)
        self.facts = Facts(self.seed, shards=SHARDS)
        self.publisher = Publisher(self.servers.bootstrap_servers, self.topics, self.facts, self.rate)
        self._publishing: asyncio.Task[None] | None = None
        self._log = Log(self.servers.bootstrap_servers)
        self._starting = asyncio.Lock()
        self._looks = random.Random(self.seed)  # noqa: S311 (whom a reader looks at)

    async def begin(self) -> None:
        """Make database and topics, start workers and shop."""
        await self.servers.administrate(f"CREATE DATABASE {self.database} TEMPLATE {TEMPLATE}")
        await self.pipeline.prepare(lives.DOCUMENT)
        await self._log.start()
        for number in range(1, self.workers_each + 1):
            for service in SERVICES:
                await self.start(service, number)
        self._publishing = asyncio.create_task(self.publisher.run())

    async def end(self) -> None:
        """Stop the shop, end the workers, drop database and topics."""
        if self._publishing is not None:
            self._publishing.cancel()
            await asyncio.wait([self._publishing])
        await asyncio.to_thread(self.pipeline.stop)
        await self._log.stop()
        with suppress(OSError, asyncpg.PostgresError):
            await self.servers.administrate(f"DROP DATABASE {self.database} WITH (FORCE)")
        with suppress(*KAFKA_TRANSIENT):
            await self._delete_topics()

    async def _delete_topics(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers.bootstrap_servers)
        try:
            await admin.start()
            await admin.delete_topics(list(self.topics.all))
        finally:
            await admin.close()

    async def start(self, service: str, number: int, **further: str) -> Worker:
        """Start a worker, or start it again; where it runs, nothing happens."""
        settings = {
            **SETTINGS,
            "KAFKA_BOOTSTRAP_SERVERS": self.servers.bootstrap_servers_proxied,
            "POSTGRES_DSN": self.servers.proxied(self.dsn),
            **self.servers.clock.environment,
            **further,
        }
        async with self._starting:  # two tracks may want the same one back
            self._keep_log(service, number)
            process = await asyncio.to_thread(self.pipeline.start, service, settings, number=number)
            for known in self.workers:
                if (known.service, known.number) == (service, number):
                    known.process, known.wanted, known.harmed = process, True, False
                    return known
            self.workers.append(Worker(service, number, process))
            return self.workers[-1]

    def _keep_log(self, service: str, number: int) -> None:
        """A worker's log begins anew at each start: what it said before is kept, for whoever looks for a cause."""
        for known in self.workers:
            if (known.service, known.number) == (service, number) and known.process.pid is None:
                file = known.process.log_file
                with suppress(FileNotFoundError), file.with_suffix(".all").open("ab") as kept:
                    kept.write(file.read_bytes())

    @property
    def running(self) -> list[Worker]:
        """The workers that ought to run."""
        return [worker for worker in self.workers if worker.wanted]

    async def kill(self, worker: Worker) -> int:
        """End a worker as a power cut would; gives 1, or 0 where it was dead already."""
        worker.harmed, worker.stands_still = True, False
        if worker.process.pid is None:
            return 0
        await asyncio.to_thread(worker.process.kill)
        self.harms["worker kills"] += 1
        return 1

    def stop_still(self, worker: Worker) -> bool:
        """Have a worker stand still, where it runs."""
        with suppress(ProcessLookupError):
            if (pid := worker.process.pid) is not None:
                os.kill(pid, signal.SIGSTOP)
                worker.stands_still = True
                self.harms["zombies"] += 1
                return True
        return False

    def wake(self, worker: Worker) -> None:
        """Let a worker go on; where it was replaced meanwhile, nothing happens."""
        worker.stands_still = False
        with suppress(ProcessLookupError):
            if (pid := worker.process.pid) is not None:
                os.kill(pid, signal.SIGCONT)

    async def mend(self) -> list[str]:
        """Undo all harm that is left: servers up, wires whole, every wanted worker running.

        Gives who ended without our doing.
        """
        self.servers.disk.relieve()
        for proxy in (self.servers.kafka_proxy, self.servers.postgres_proxy):
            proxy.refuses, proxy.delay_s = False, 0.0
            proxy.thaw()
        await self.servers.up()
        ended = []
        for worker in self.running:
            self.wake(worker)
            if worker.process.pid is None:
                if not worker.harmed:
                    ended.append(f"{worker.process.name} ended by itself: {last_words(worker.process)}")
                await self.start(worker.service, worker.number)
        return ended

    async def retire(self) -> None:
        """End every worker in good order."""
        for worker in self.workers:
            worker.wanted, worker.harmed = False, True
        await asyncio.gather(*(asyncio.to_thread(worker.process.stop) for worker in self.workers))

    async def published(self) -> int:
        """How many records the input topics hold."""
        inputs = [TopicPartition(topic, number) for topic in self.topics.inputs for number in range(SHARDS)]
        return sum((await self._log.end_offsets(inputs)).values())

    async def decided(self) -> int:
        """How many inputs are decided; -1 while Postgres doesn't answer."""
        return await self.pipeline.value(_DECIDED)

    async def behind(self) -> int:
        """How many point events, dead letters and messages are on their way; -1 while Postgres doesn't answer."""
        return await self.pipeline.value(_BEHIND)

    async def folded(self) -> int:
        """How many point events readers see."""
        return await self.pipeline.value(_FOLDED)

    async def torn(self) -> int:
        """How many of some members a reader sees just now whose balance is not the sum of their history."""
        members = ",".join(f"m-{self._looks.randrange(MEMBERS):05d}" for _ in range(SAMPLE))
        return await self.pipeline.value(_TORN % (members, members))

    async def forgotten(self) -> list[str]:
        """Whether every order, redemption, … that the shop told of is known, and no other; else something is lost."""
        wrong = []
        for kind in ("order", "redemption", "adjustment", "review", "activity", "referral"):
            told, known = len(self.facts.keys[kind]), await self.pipeline.value(_KEYS % kind)
            if told != known:
                wrong.append(f"I3: the shop told of {told} of kind {kind}, and {known} are known")
        if failed := await self.pipeline.value(_FAILED):
            wrong.append(f"I11: {failed} messages for members could not be decided")
        return wrong

    def last_words(self) -> Iterator[str]:
        """What each worker said last."""
        for worker in self.workers:
            yield f"{worker.process.name} (pid {worker.process.pid}): {last_words(worker.process)}"


def last_words(process: ServiceProcess) -> str:
    """The last lines of a worker's log."""
    file = process.log_file
    return "\n  ".join(file.read_text("utf-8", errors="replace").splitlines()[-6:]) if file.exists() else "(no log)"
