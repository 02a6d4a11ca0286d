"""The watchdog: notices a Kafka client that has died in silence, so that it is replaced.

aiokafka does its work in tasks of its own. Where one of them ends by an error that nobody expected, nothing says so: a
consumer gives no records for ever, while its heartbeats go on (aio-libs/aiokafka, issue 983). So whoever reads or
publishes has its client watched: are its tasks alive, does its group answer, does its position move while its log is
ahead? Where not, the client's user gets a `ClientDiedError` and makes another client.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from operator import attrgetter
from typing import Any, NoReturn, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from shared.telemetry import Readiness

T = TypeVar("T")

log = logging.getLogger(__name__)
"""Not structlog's: a command's output, and that of a rebuild's processes, is for others to read."""

LOOK_EVERY_S = 2.0
"""How often the tasks are looked at: it costs no request, and who is dead is replaced well within ten seconds."""

ASK_EVERY_S = 5.0
"""How often a consumer's log ends are asked for: a request each time, so less often."""

ANSWER_TIMEOUT_S = 5.0
"""How long Kafka may take to tell them; later than that it is away, and away is not dead."""

STANDSTILL_S = 20.0
"""How long a position may stay while its log is ahead: a request gets 15 s, and after it the client tries again."""

UNANSWERED_S = 30.0
"""How long a group may leave a consumer without coordinator or assignment while Kafka answers: twice what it takes when
many come and go at the same time."""

GAP_S = 2 * ASK_EVERY_S + ANSWER_TIMEOUT_S
"""After so long without an answer the counting begins anew: Kafka was away, or this process stood still."""

REPLACEMENTS_MAX = 10
"""How often reading that nobody else would begin again replaces its consumer, before it gives up."""

FETCH, METADATA, GROUP, OFFSETS = "fetch", "metadata", "group", "offsets"
HEARTBEAT, COMMIT, SEND = "heartbeat", "commit", "send"

CONSUMER_TASKS = {FETCH: "_fetcher._fetch_task", METADATA: "_client._sync_task"}
MEMBER_TASKS = CONSUMER_TASKS | {GROUP: "_coordinator._coordination_task"}
LONER_TASKS = CONSUMER_TASKS | {OFFSETS: "_coordinator._reset_committed_task"}
PRODUCER_TASKS = {SEND: "_sender._sender_task", METADATA: "client._sync_task"}
"""What never ends before its client is stopped, and where aiokafka 0.14 keeps it."""

PASSING_TASKS = {HEARTBEAT: "_coordinator._heartbeat_task", COMMIT: "_coordinator._commit_refresh_task"}
"""What a member of a group begins and ends with each assignment; an error is no good end."""

STANDSTILL, UNANSWERED = "standstill", "unanswered"
"""Reasons beside the names of tasks."""


class ClientDiedError(KafkaError):  # type: ignore[misc] # aiokafka has no types
    """A Kafka client works no more, and would never say so: its user makes another one.

    Attributes:
        client: what the client is for, as its user names it.
        reason: the task that has ended, or STANDSTILL, or UNANSWERED.
    """

    retriable = True

    def __init__(self, client: str, reason: str, message: str) -> None:
        super().__init__(f"{client}: {message}")
        self.client = client
        self.reason = reason


class Inside:
    """What goes on inside of a client: all that is read here is private to aiokafka, and pinned by a test.

    Raises:
        AttributeError: anywhere; aiokafka is another version than this was written for.
    """

    def __init__(self, client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
        self._client = client

    def tasks(self) -> dict[str, str]:
        """Name → where it is kept, of the tasks that never end."""
        if isinstance(self._client, AIOKafkaProducer):
            return PRODUCER_TASKS
        return MEMBER_TASKS if self.in_group else LONER_TASKS

    @property
    def in_group(self) -> bool:
        """Whether this is a consumer that belongs to a group."""
        return attrgetter("_group_id")(self._client) is not None

    def ended(self) -> Iterator[tuple[str, BaseException | None]]:
        """The tasks that have ended and should not have, and what they died of."""
        for name, place in self.tasks().items():
            if (task := attrgetter(place)(self._client)) is not None and task.done():
                yield name, _error(task)
        for name, place in PASSING_TASKS.items() if GROUP in self.tasks() else ():
            task = attrgetter(place)(self._client)
            if task is not None and task.done() and (error := _error(task)) is not None:
                yield name, error

    def is_answered(self) -> bool:
        """Whether the group, where there is one, has a coordinator and has given an assignment."""
        coordinator = attrgetter("_coordinator.coordinator_id")
        return not self.in_group or (coordinator(self._client) is not None and self._assignment() is not None)

    def positions(self) -> dict[TopicPartition, int]:
        """The offset that comes next, of each assigned partition that has one."""
        assignment = self._assignment()
        states = {} if assignment is None else {one: assignment.state_value(one) for one in assignment.tps}
        return {one: state.position for one, state in states.items() if state.has_valid_position}

    def fetching(self) -> set[TopicPartition]:
        """The assigned partitions that are not paused, and none of whose records lie ready to be taken."""
        ready, paused = attrgetter("_fetcher._records")(self._client), self._client.paused()
        return {one for one in self._client.assignment() if one not in ready and one not in paused}

    def _assignment(self) -> Any:  # noqa: ANN401 (aiokafka has no types)
        subscription = attrgetter("_subscription.subscription")(self._client)
        return None if subscription is None else subscription.assignment

    def bury(self) -> None:
        """Put ended tasks out of the way: `stop` would raise what they died of, and leave connections open."""
        at_peace: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        at_peace.set_result(None)
        places = self.tasks() | (PASSING_TASKS if GROUP in self.tasks() else {})
        for place in places.values():
            owner, _, name = place.rpartition(".")
            task = attrgetter(place)(self._client)
            if task is not None and task.done():
                setattr(attrgetter(owner)(self._client), name, at_peace)
        if FETCH in places:
            requests = attrgetter("_fetcher._pending_tasks")(self._client)
            for request in [one for one in requests if one.done()]:
                _error(request)
                requests.discard(request)


def _error(task: asyncio.Future[Any]) -> BaseException | None:
    """What an ended task died of; None: it came to a good end, or was cancelled."""
    return None if task.cancelled() else task.exception()


def _death(watching: asyncio.Future[Any]) -> BaseException | None:
    """What a watch has ended with; None: it goes on, or was called off."""
    return _error(watching) if watching.done() else None


class Watchdog:
    """Looks at one started client, and remembers since when something has not moved."""

    def __init__(self, client: AIOKafkaConsumer | AIOKafkaProducer, name: str) -> None:
        self._client = client
        self._name = name
        self._inside = Inside(client)
        self._reads = FETCH in self._inside.tasks()
        self._ask_at = 0.0
        self._answered_at = 0.0
        self._since: dict[Hashable, float] = {}

    async def look(self) -> None:
        """See whether the client is alive. Where Kafka is away, nothing can be said.

        Raises:
            ClientDiedError: it is not.
        """
        for task, error in self._inside.ended():
            self._bite(task, f"its {task} task has ended ({error!r})")
        now = asyncio.get_running_loop().time()
        if self._reads and now >= self._ask_at:
            self._ask_at = now + ASK_EVERY_S
            await self._ask()

    async def _ask(self) -> None:
        suspects = self._inside.fetching() & self._inside.positions().keys()
        is_answered = self._inside.is_answered()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                ends = await self._client.end_offsets(sorted(suspects)) if suspects else {}
                if not is_answered:
                    await self._client.topics()
        except (KafkaError, OSError, TimeoutError):
            return
        behind = self._behind(ends)
        if not self._inside.is_answered():
            behind[UNANSWERED] = UNANSWERED_S
        self._count(behind)

    def _behind(self, ends: Mapping[TopicPartition, int]) -> dict[Hashable, float]:
        """Partitions with their positions that should move on, and how long they may stay."""
        positions, fetching = self._inside.positions(), self._inside.fetching()
        found = {one: positions[one] for one in ends if one in positions and one in fetching}
        return {(one, position): STANDSTILL_S for one, position in found.items() if position < ends[one]}

    def _count(self, stays: Mapping[Hashable, float]) -> None:
        """Bite where one of these has stayed for as long as it may."""
        now = asyncio.get_running_loop().time()
        if now - self._answered_at > GAP_S:
            self._since.clear()
        self._answered_at = now
        self._since = {what: self._since.get(what, now) for what in stays}
        for what, at_most in stays.items():
            if now - self._since[what] >= at_most:
                reason = UNANSWERED if what == UNANSWERED else STANDSTILL
                self._bite(reason, f"{what} has stayed for {now - self._since[what]:.0f} s, and Kafka answers")

    def _bite(self, reason: str, message: str) -> NoReturn:
        self._inside.bury()
        log.error("kafka client died: it is replaced", extra={"client": self._name, "reason": reason, "why": message})
        raise ClientDiedError(self._name, reason, message)


async def watch(client: AIOKafkaConsumer | AIOKafkaProducer, name: str) -> NoReturn:
    """Look at a started client again and again; `name` is what it is for. It can be stopped afterwards, dead or alive.

    Raises:
        ClientDiedError: it must be replaced.
    """
    watchdog = Watchdog(client, name)
    try:
        while True:
            await watchdog.look()
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        Inside(client).bury()


@asynccontextmanager
async def watched(client: AIOKafkaConsumer | AIOKafkaProducer, name: str) -> AsyncIterator[None]:
    """Have a started client watched while the block lasts, whatever the block waits for.

    Raises:
        ClientDiedError: the client must be replaced; the block was broken off.
    """
    user, leaves = asyncio.current_task(), False
    assert user is not None  # noqa: S101 (a coroutine always runs in a task)
    cancelled_before = user.cancelling()

    async def look() -> None:
        try:
            await watch(client, name)
        finally:
            if not leaves:
                user.cancel()

    watching = asyncio.create_task(look())
    try:
        yield
    except asyncio.CancelledError:
        if (died := _death(watching)) is not None and user.cancelling() - 1 <= cancelled_before:
            raise died from None
        raise
    finally:
        leaves = True
        watching.cancel()
        if _death(watching) is not None:
            user.uncancel()


async def getmany(
    consumer: AIOKafkaConsumer, *partitions: TopicPartition, timeout_ms: int, max_records: int | None = None
) -> dict[TopicPartition, Any]:
    """The next records that a member of a group gives, as aiokafka's method of this name.

    Raises:
        ClientDiedError: its heartbeat died of what kills a fetch, too; here aiokafka says so, by that very error.
    """
    try:
        found: dict[TopicPartition, Any] = await consumer.getmany(
            *partitions, timeout_ms=timeout_ms, max_records=max_records
        )
    except KeyError as error:
        raise ClientDiedError("member", HEARTBEAT, repr(error)) from error
    return found


def count_replaced(error: BaseException, readiness: Readiness) -> None:
    """Count the clients whose deaths an error tells of, also one within a group; others are not counted."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            count_replaced(one, readiness)
    elif isinstance(error, ClientDiedError):
        readiness.replaced(error.client, error.reason)


class SupervisedConsumer:
    """A consumer without a group that is replaced when it dies, and goes on where it was.

    For reading that nobody would begin again by itself. Its calls are aiokafka's, and raise what aiokafka's do; and
    ClientDiedError where it has died too often.
    """

    def __init__(self, make: Callable[[], AIOKafkaConsumer], name: str) -> None:
        self._make = make
        self._name = name
        self._consumer = make()
        self._watching: asyncio.Task[NoReturn] | None = None
        self._replacements = 0

    async def start(self) -> None:
        """Connect; what can't be connected is closed."""
        async with AsyncExitStack() as otherwise:
            otherwise.push_async_callback(self._consumer.stop)
            await self._consumer.start()
            otherwise.pop_all()
        self._watching = asyncio.create_task(watch(self._consumer, self._name))

    async def stop(self) -> None:
        """Disconnect."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
            _error(self._watching)
        await self._consumer.stop()

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Take these partitions, in the place of those before."""
        self._consumer.assign(partitions)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go on from an offset."""
        self._consumer.seek(partition, offset)

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        """Go on from the log's beginning."""
        await self._ask(lambda consumer: consumer.seek_to_beginning(*partitions))

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Where logs begin."""
        return await self._ask(lambda consumer: consumer.beginning_offsets(partitions))

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Where logs end."""
        return await self._ask(lambda consumer: consumer.end_offsets(partitions))

    async def position(self, partition: TopicPartition) -> int:
        """The offset that comes next."""
        return await self._ask(lambda consumer: consumer.position(partition))

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        """The next records of these partitions; waits for the first of them."""
        return await self._ask(
            lambda consumer: consumer.getmany(*partitions, timeout_ms=timeout_ms, max_records=max_records)
        )

    async def _ask(self, ask: Callable[[AIOKafkaConsumer], Awaitable[T]]) -> T:
        """Ask the consumer; where it dies meanwhile, ask the next one."""
        while True:
            assert self._watching is not None  # noqa: S101 (it was started)
            asking = asyncio.ensure_future(ask(self._consumer))
            try:
                await asyncio.wait([asking, self._watching], return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not asking.done():
                    asking.cancel()
                    await asyncio.wait([asking])
            if not asking.cancelled() or not self._watching.done():
                return asking.result()
            await self._replace(_death(self._watching))

    async def _replace(self, died: BaseException | None) -> None:
        self._replacements += 1
        if died is not None and (self._replacements > REPLACEMENTS_MAX or not isinstance(died, ClientDiedError)):
            raise died
        assigned, positions = self._consumer.assignment(), Inside(self._consumer).positions()
        await self.stop()
        self._consumer = self._make()
        await self.start()
        if assigned:
            self._consumer.assign(list(assigned))
        for partition, offset in positions.items():
            self._consumer.seek(partition, offset)
