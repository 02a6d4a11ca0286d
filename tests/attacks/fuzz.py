"""`python -m tests.attacks.fuzz`: mutated real records on every topic of a running installation.

Both services must go on, in their memory; every input must have one of four outcomes; `verify` and a rebuild must come
to their end and find nothing.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import tempfile
import time
import uuid
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition
from rich.console import Console

from deploy.local_stack import LocalStack
from shared.broker import reading
from shared.errors import TallystickError
from shared.topics import Topics
from tests.attacks import hostile
from tests.attacks.hostile import CODECS, Raw
from tests.attacks.installation import MEMORY_MB, SERVICES, SHARDS, Installation, PromiseBrokenError
from tests.attacks.mutations import mutated
from tests.attacks.striking import fresh_stack, new_template
from tests.chaos import lives
from tests.chaos.traffic import Facts
from tests.conftest import new_topics
from tests.support.databases import copy_of

app = typer.Typer(add_completion=False)

_REAL = 3_000
_LOOK_EACH = 5_000
_BATCH_MAX = 40
_ELSEWHERE, _TRANSACTIONS = 0.15, 0.04
"""Shares: records that go to another topic than they came from; batches in a transaction, half of them aborted."""

_DECIDED_S = 90.0


class Fuzz:
    """One run over one installation; the same records for the same seed."""

    def __init__(self, victim: Installation, seed: int, only: list[str]) -> None:
        self.victim = victim
        self.counts: Counter[str] = Counter()
        self._draw = random.Random(seed)  # noqa: S311 (the same records for the same seed is the point)
        self._seed = seed
        self._inputs = 0
        topics = victim.topics
        every = (*topics.inputs, topics.points, topics.points, topics.programs, topics.dead_letters)
        self._targets = tuple(getattr(topics, name) for name in only) or every

    async def run(self, records: int) -> str:
        """All of it; gives what was seen.

        Raises:
            PromiseBrokenError: something stopped, took too much memory, or was lost.
        """
        victim = self.victim
        await victim.begin(lives.DOCUMENT)
        pools = await self._real_records()
        async with AsyncExitStack() as stack:
            wire = await stack.enter_async_context(hostile.Wire(victim.kafka))
            name = f"fuzz-{uuid.uuid4().hex}"
            publisher = await stack.enter_async_context(hostile.transactional(victim.kafka, name))
            sent = looked = 0
            while sent < records:
                sent += await self._batch(pools, wire, publisher)
                if sent - looked >= _LOOK_EACH:
                    looked = sent
                    await self._goes_on(f"after {sent:,} records")
        await self._goes_on(f"after {sent:,} records")
        return await self._comes_out_even()

    async def _real_records(self) -> dict[str, list[Raw]]:
        """What the installation's topics hold once it has decided some thousands of facts."""
        victim = self.victim
        taken = Facts(f"fuzz {self._seed}", shards=SHARDS).take(_REAL)
        for (topic, partition), records in taken.items():
            await victim.put(getattr(victim.topics, topic), partition, *records)
            self._inputs += len(records)
        await victim.decided(self._inputs, within=_DECIDED_S)
        await victim.comes(
            "SELECT bool_and(emitted = position) FROM earning.shards JOIN earning.emissions USING (shard)",
            what="everything is published",
        )
        await victim.comes(
            "SELECT count(*) = 0 FROM earning.dead_letters WHERE relayed_at IS NULL",
            what="every dead letter is on its topic",
        )
        return {topic: await self._read(topic) for topic in self._targets}

    async def _read(self, topic: str) -> list[Raw]:
        found: list[Raw] = []
        async with reading(self.victim.kafka) as consumer:
            count = len(consumer.partitions_for_topic(topic) or await self._partitions(topic))
            places = [TopicPartition(topic, number) for number in range(count)]
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends = await consumer.end_offsets(places)
            while any([await consumer.position(place) < ends[place] for place in places]):
                for rows in (await consumer.getmany(timeout_ms=500)).values():
                    found += [
                        Raw(row.key, row.value, [(name.encode(), text) for name, text in row.headers], row.timestamp)
                        for row in rows
                    ]
        return found

    async def _partitions(self, topic: str) -> range:
        topics = self.victim.topics
        return range(1 if topic in {topics.programs, topics.dead_letters} else SHARDS)

    async def _batch(self, pools: dict[str, list[Raw]], wire: hostile.Wire, publisher: AIOKafkaProducer) -> int:
        """Some mutated records of one topic, in one partition; gives how many."""
        draw, topics = self._draw, self.victim.topics
        topic = draw.choice(self._targets)
        partition = draw.choice(await self._partitions(topic))
        rows = []
        for _ in range(draw.randrange(1, _BATCH_MAX)):
            pool = pools[draw.choice(self._targets) if draw.random() < _ELSEWHERE else topic]
            rows.append(mutated(draw, draw.choice(pool), pool))
        if draw.random() < _TRANSACTIONS:
            there = await self._in_a_transaction(publisher, topic, partition, rows)
        else:
            there = await self._as_they_are(wire, topic, partition, rows)
        self._inputs += there if topic in topics.inputs else 0
        self.counts[topic.split(".", 1)[1]] += there
        return len(rows)

    async def _as_they_are(self, wire: hostile.Wire, topic: str, partition: int, rows: list[Raw]) -> int:
        codec = self._draw.choice(list(CODECS))
        try:
            await wire.put(topic, partition, hostile.batch(rows, codec=codec))
        except KafkaError:
            self.counts["refused by the broker"] += len(rows)
            return 0
        self.counts[f"by {codec}"] += len(rows)
        return len(rows)

    async def _in_a_transaction(self, publisher: AIOKafkaProducer, topic: str, partition: int, rows: list[Raw]) -> int:
        await publisher.begin_transaction()
        for row in rows:
            value = row.value if isinstance(row.value, bytes) else None
            await publisher.send_and_wait(topic, value, key=row.key or b"k", partition=partition)
        commits = self._draw.random() < 0.5
        await (publisher.commit_transaction() if commits else publisher.abort_transaction())
        self.counts["committed" if commits else "aborted"] += len(rows)
        return len(rows) if commits else 0

    async def _goes_on(self, when: str) -> None:
        victim = self.victim
        try:
            for service in SERVICES:
                await victim.ready(service)
            await victim.decided(self._inputs, within=_DECIDED_S)
            for service in SERVICES:
                await victim.ready(service)
        except PromiseBrokenError as error:
            last = "; ".join(f"{service}: {victim.last_words(service)}" for service in SERVICES)
            raise PromiseBrokenError(f"{when}: {error}; {last}") from None
        victim.within_memory()

    async def _comes_out_even(self) -> str:
        victim = self.victim
        await victim.restart()
        await self._goes_on("after a restart")
        status = await victim.status()
        outcomes = Counter[str]()
        for topic in status["inputs"]:
            outcomes.update({name: topic[name] for name in ("applied", "duplicate", "rejected", "dead_letter")})
        if outcomes.total() != self._inputs or not status["adds_up"]:
            raise PromiseBrokenError(f"{self._inputs:,} inputs became {outcomes.total():,}: {dict(outcomes)}")
        await victim.verified()
        await victim.rebuilt()
        return f"{self._inputs:,} inputs became {dict(outcomes)}; {victim.within_memory()}"


@app.command()
def main(
    *,
    facts: Annotated[int, typer.Option(help="How many mutated records.", min=1)] = 100_000,
    seed: Annotated[int | None, typer.Option(help="Which ones; default: by chance.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help=f"Only on these topics: {', '.join(Topics.model_fields)}.")
    ] = None,
) -> None:
    """Publish mutated real records; exit code 1 where something stopped, was lost, or took too much memory."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # clients of the rig tell of what the rig itself does
    console = Console(soft_wrap=True, highlight=False, markup=False)
    number = secrets.randbelow(1_000_000) if seed is None else seed
    began = time.monotonic()
    with fresh_stack() as stack:
        held, what, counts = asyncio.run(fuzz(stack, facts, number, only or []))
    console.print(", ".join(f"{name}: {count:,}" for name, count in sorted(counts.items())))
    console.print(f"{'held' if held else 'FAIL'}: {what} (promised: {MEMORY_MB} MB)")
    console.print(f"seed {number}, {(time.monotonic() - began) / 60:.1f} minutes")
    if not held:
        raise typer.Exit(1)


async def fuzz(stack: LocalStack, facts: int, seed: int, only: list[str]) -> tuple[bool, str, Counter[str]]:
    """One run on a fresh installation: whether it held, what was seen, and what was published."""
    async with new_template(stack.endpoints.dsn) as template, copy_of(template) as own:
        with tempfile.TemporaryDirectory(prefix="tallystick-fuzz-") as directory:
            victim = Installation(Path(directory), stack.endpoints.bootstrap_servers, own, new_topics())
            run = Fuzz(victim, seed, only)
            with victim.running_at_most():
                try:
                    return True, await run.run(facts), run.counts
                except (AssertionError, TallystickError, OSError, TimeoutError) as error:
                    return False, str(error), run.counts


if __name__ == "__main__":
    app()
