"""Publishing a file of facts: to the right topics and partitions, in batches, after looking at what the topics keep."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaProducer

from deploy import topics as plan
from deploy.topics import FOR_EVER, Setting
from services.cli.connections import postgres
from services.cli.fact_files import Survey, lines
from services.earning.background import holds
from services.earning.background.watermark import ends_of
from shared import broker
from shared.broker import Outgoing, reading
from shared.errors import ConfigurationError
from shared.facts.builders import record
from shared.facts.routing import head_of, partition_of, topic_of
from shared.topics import Topics

FACTS_AT_ONCE = 4_000
"""Read while as many are on their way: enough to fill the batches of every partition."""

_RETENTION, _BEFORE, _AFTER = "retention.ms", "message.timestamp.before.max.ms", "message.timestamp.after.max.ms"
_KEEP_ALL = {_RETENTION: FOR_EVER, _BEFORE: str(2**63 - 1)}

Chunk = dict[str, dict[int, list[Outgoing]]]
"""Topic → partition → records in the order of the file."""


async def partitions(bootstrap_servers: str, found: Survey) -> dict[str, int]:
    """Topic → its number of partitions, for every topic the facts go to.

    Raises:
        ConfigurationError: one of them isn't there.
        KafkaError: the cluster can't be reached.
    """
    there = await plan.partitions_of(bootstrap_servers, found.by_topic)
    if missing := sorted(found.by_topic.keys() - there.keys()):
        raise ConfigurationError(f"Missing topics: {', '.join(missing)}.", cure="Run `tallystick topics create`.")
    return there


async def prepare_history(bootstrap_servers: str, found: Survey, *, fix_retention: bool) -> list[str]:
    """See to it that the topics keep facts as old as these; gives the topics whose settings were changed for that.

    Raises:
        ConfigurationError: a topic would delete or refuse them, and `fix_retention` is not asked for.
        KafkaError: the cluster can't be reached.
    """
    settings = await plan.settings_of(bootstrap_servers, found.by_topic)
    now = datetime.now(UTC)
    for topic, newest in found.newest.items():
        _refuse_future(topic, newest - now, settings[topic])
    losing = [topic for topic, oldest in found.oldest.items() if not _keeps(settings[topic], now - oldest)]
    if losing and not fix_retention:
        raise _would_be_lost(losing[0], found.oldest[losing[0]], settings[losing[0]])
    for topic in losing:
        await plan.change(bootstrap_servers, topic, _KEEP_ALL)
    return losing


def _keeps(settings: dict[str, Setting], age: timedelta) -> bool:
    retention, before = int(settings[_RETENTION].value), int(settings[_BEFORE].value)
    age_ms = age / timedelta(milliseconds=1)
    return (retention < 0 or age_ms < retention) and age_ms < before


def _would_be_lost(topic: str, oldest: datetime, settings: dict[str, Setting]) -> ConfigurationError:
    kept_ms = settings[_RETENTION].value
    return ConfigurationError(
        f"{topic} keeps records for {int(kept_ms) / 86_400_000:g} days by their timestamps ({_RETENTION}={kept_ms}), "
        f"and the oldest fact is of {oldest:%Y-%m-%d}: Kafka would delete it within minutes, decided or not.",
        cure="Add --fix-retention: it sets retention.ms=-1; `tallystick topics check --fix` sets it back, afterwards.",
    )


def _refuse_future(topic: str, ahead: timedelta, settings: dict[str, Setting]) -> None:
    if ahead / timedelta(milliseconds=1) > int(settings[_AFTER].value):
        raise ConfigurationError(
            f"{topic} refuses records from the future ({_AFTER}={settings[_AFTER].value}), and the newest fact is "
            f"{ahead} ahead of this machine's clock.",
            cure="Correct the facts' times, or the clock.",
        )


@asynccontextmanager
async def sweeps_held(
    dsn: str, bootstrap_servers: str, programs: Sequence[str], sizes: Mapping[str, int]
) -> AsyncIterator[None]:
    """Hold the programs' sweeps inside the block, and after it until all of these topics that is there is decided.

    Where the block fails, the hold ends with its term; see `services.earning.background.holds`.

    Raises:
        UnreachableError, ConfigurationError: Postgres can't be used.
        KafkaError: Kafka doesn't say where the topics end.
    """
    holder = uuid.uuid4().hex
    async with postgres(dsn, role="earning") as session:
        await holds.hold(session, programs, holder)
        renewing = asyncio.ensure_future(_renew(session, programs, holder))
        try:
            yield
        finally:
            renewing.cancel()
            with suppress(asyncio.CancelledError):
                await renewing
        async with reading(bootstrap_servers) as consumer:
            ends = await ends_of(consumer, sizes)
        await holds.hold_to_the_end(session, programs, holder, ends)


async def _renew(session: asyncpg.Connection, programs: Sequence[str], holder: str) -> None:
    while True:
        await asyncio.sleep(holds.TERM.total_seconds() / 4)
        await holds.hold(session, programs, holder)


async def publish(
    bootstrap_servers: str,
    file: Path,
    sizes: dict[str, int],
    *,
    history: bool,
    progress: Callable[[int], None],
) -> int:
    """Publish every line of a surveyed file, each partition's in the file's order; gives how many.

    `progress(facts acknowledged)` after each chunk. The next chunk is read while one is on its way.

    Raises:
        KafkaError, TimeoutError: some are in the topics and some not. Publishing the file again does no harm.
    """
    done = 0
    to = broker.producer(bootstrap_servers, "tallystick-publish")
    try:
        await to.start()
        chunks = _chunks(file, sizes, history=history)
        count, chunk = next(chunks, (0, {}))
        while count:
            sending = asyncio.ensure_future(_send(to, chunk))
            await asyncio.sleep(0)  # so that the sending begins before the next chunk is read
            sent = count
            count, chunk = next(chunks, (0, {}))
            await sending
            done += sent
            progress(done)
    finally:
        await to.stop()
    return done


async def _send(to: AIOKafkaProducer, chunk: Chunk) -> None:
    for topic, records in chunk.items():
        await broker.publish(to, topic, records)


def _chunks(file: Path, sizes: dict[str, int], *, history: bool) -> Iterator[tuple[int, Chunk]]:
    """The file in pieces, each with the number of its facts."""
    rows, topics = lines(file), Topics()
    while read := list(islice(rows, FACTS_AT_ONCE)):
        chunk: Chunk = defaultdict(lambda: defaultdict(list))
        for _, line in read:
            head = head_of(line)
            topic = topic_of(head.type, topics)
            outgoing = record(line, head.program, head.subject, head.arrived if history else None)
            chunk[topic][partition_of(head, sizes[topic])].append(outgoing)
        yield len(read), chunk
