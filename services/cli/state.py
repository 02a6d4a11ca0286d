"""State: how far an installation is, and whether its counts add up, by its topics and tables."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.topics import partitions_of
from services.cli.connections import kafka, postgres
from services.earning.ledger import dead_letters as facts_letters
from services.earning.ledger import query as books
from services.projections import dead_letters as points_letters
from services.projections import query as read_models
from shared.broker import REQUEST_TIMEOUT_MS, reading
from shared.topics import Topics


class Input(msgspec.Struct, frozen=True):
    """One input topic. `decided` is where its fences stand; the four counts are what became of these records.

    Where a log changed, reading began at `begun`, when the counts had come to `counted_before`.
    """

    topic: str
    first: int
    end: int
    decided: int = 0
    applied: int = 0
    duplicate: int = 0
    rejected: int = 0
    dead_letter: int = 0
    begun: int = 0
    counted_before: int = 0

    @property
    def lag(self) -> int:
        """Records in the topic that aren't decided yet."""
        return max(self.end - self.decided, 0)

    @property
    def counted(self) -> int:
        """All records that became something."""
        return self.applied + self.duplicate + self.rejected + self.dead_letter

    @property
    def adds_up(self) -> bool:
        """Every record below the fences became exactly one of the four.

        Where retention has cut the log since, some of those that were counted are gone.
        """
        counted = self.counted - self.counted_before
        return self.decided - max(self.first, self.begun) <= counted <= self.decided - self.begun


class Letters(msgspec.Struct, frozen=True):
    """Dead letters of one reason that a service has set aside."""

    service: str
    reason: str
    count: int
    not_relayed: int
    retried: int
    discarded: int = 0

    @property
    def open(self) -> int:
        """Those that nobody has dealt with yet."""
        return self.count - self.retried - self.discarded


class LogChange(msgspec.Struct, frozen=True):
    """An input log that was found changed: which, when, and how."""

    topic: str
    partition: int
    at: datetime
    why: str


class State(msgspec.Struct, frozen=True):
    """An installation at one moment, in records (inputs) and point events (the rest).

    `messages` between members wait to be decided; those that failed don't wait.
    """

    inputs: list[Input]
    journal: int
    emitted: int
    points_in_log: int
    visible: int
    generation: int
    dead_letters: list[Letters]
    log_changes: list[LogChange] = []
    messages: int = 0

    @property
    def published(self) -> int:
        """Records in all input topics."""
        return sum(topic.end - topic.first for topic in self.inputs)

    @property
    def counted(self) -> int:
        """Records that became something."""
        return sum(topic.counted for topic in self.inputs)

    @property
    def lag(self) -> int:
        """Records that aren't decided yet."""
        return sum(topic.lag for topic in self.inputs)

    @property
    def adds_up(self) -> bool:
        """Whether applied + duplicate + rejected + dead letter = input, for every topic."""
        return all(topic.adds_up for topic in self.inputs)

    @property
    def settled(self) -> bool:
        """Every record is decided, what that means for other members too, and every point event visible."""
        return self.lag == 0 and not self.messages and self.visible == self.journal


@dataclass(frozen=True)
class Observer:
    """Looks at an installation, again and again over the same connections; `partitions` are numbers by topic."""

    consumer: AIOKafkaConsumer
    partitions: dict[str, int]
    earning: asyncpg.Connection
    projector: asyncpg.Connection
    topics: Topics

    async def look(self) -> State:
        """The state now: read sides first, so that nothing seems visible before it was decided."""
        shown = await read_models.shown(self.projector)
        letters = [Letters("earning", *row) for row in await facts_letters.TABLE.counts(self.earning)]
        letters += [Letters("projections", *row) for row in await points_letters.TABLE.counts(self.projector)]
        progress = await books.progress(self.earning)
        names = (*self.topics.inputs, self.topics.points)
        bounds = {name: await self._bounds(name) for name in names}
        counts = {name: list(progress.inputs.get(name, ()))[1:] for name in self.topics.inputs}
        return State(
            inputs=[Input(name, *bounds[name], *counted) for name, counted in counts.items()],
            journal=progress.decided,
            emitted=progress.emitted,
            points_in_log=bounds[self.topics.points][1],
            visible=shown.events,
            generation=shown.generation,
            dead_letters=letters,
            log_changes=[LogChange(*row) for row in progress.changes],
            messages=progress.messages,
        )

    async def _bounds(self, topic: str) -> tuple[int, int]:
        partitions = [TopicPartition(topic, number) for number in range(self.partitions.get(topic, 0))]
        if not partitions:
            return 0, 0
        first = await self.consumer.beginning_offsets(partitions)
        end = await self.consumer.end_offsets(partitions)
        return sum(first.values()), sum(end.values())


@asynccontextmanager
async def observing(bootstrap_servers: str, dsn: str) -> AsyncIterator[Observer]:
    """An observer of the installation at these servers.

    Raises:
        UnreachableError: Kafka or Postgres doesn't answer.
        ConfigurationError: the database isn't one of ours.
    """
    topics = Topics()
    async with postgres(dsn, role="earning") as earning, postgres(dsn, role="projector") as projector:
        with kafka(bootstrap_servers):
            sizes = await partitions_of(bootstrap_servers, (*topics.inputs, topics.points))
            settings = {"client_id": "tallystick-status", "request_timeout_ms": REQUEST_TIMEOUT_MS}
            async with reading(bootstrap_servers, **settings) as consumer:
                # Assigned, so that the client keeps their leaders in mind; nothing is fetched before it is asked for.
                everything = [TopicPartition(topic, number) for topic, size in sizes.items() for number in range(size)]
                consumer.assign(everything)
                consumer.pause(*everything)
                yield Observer(consumer, sizes, earning, projector, topics)
