"""The watchdog's patience, on a clock that is made up: who is taken for dead, when, and what becomes of its user."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from prometheus_client import CollectorRegistry

from shared import consumer_watch
from shared.consumer_watch import (
    ASK_EVERY_S,
    FETCH,
    GAP_S,
    HEARTBEAT,
    LOOK_EVERY_S,
    REPLACEMENTS_MAX,
    STANDSTILL,
    STANDSTILL_S,
    UNANSWERED,
    UNANSWERED_S,
    ClientDiedError,
    SupervisedConsumer,
    count_replaced,
    getmany,
    watch,
    watched,
)
from shared.telemetry import Readiness
from tests.support.simulation.loop import Loop
from tests.support.simulation.wire import pass_by

WHERE = TopicPartition("topic", 0)
LATE_S = ASK_EVERY_S + LOOK_EVERY_S
"""How much later than its limit a standstill is noticed at most."""


Run = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


class Client:
    """A consumer, and its own inside."""

    def __init__(self) -> None:
        self.position_now: int = 0
        self.end = 0
        self.dead = False
        self.away = False
        self.answered = True
        self.stopped = False
        self.buried = 0

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        self.stopped = True

    def assignment(self) -> set[TopicPartition]:
        return {WHERE}

    def assign(self, _: Sequence[TopicPartition]) -> None:
        """There is one anyway."""

    def seek(self, _: TopicPartition, offset: int) -> None:
        self.position_now = offset

    async def position(self, _: TopicPartition) -> int:
        while self.dead:
            await pass_by(1.0)
        return self.position_now

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        if self.away:
            raise KafkaConnectionError("away")
        return dict.fromkeys(partitions, self.end)

    async def topics(self) -> set[str]:
        if self.away:
            raise KafkaConnectionError("away")
        return {WHERE.topic}


class Inside:
    """What the watchdog sees of it."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def tasks(self) -> dict[str, str]:
        return {FETCH: "here"}

    def ended(self) -> Iterator[tuple[str, BaseException | None]]:
        if self._client.dead:
            yield FETCH, KeyError("nobody expected this")

    def is_answered(self) -> bool:
        return self._client.answered

    def positions(self) -> dict[TopicPartition, int]:
        return {WHERE: self._client.position_now}

    def fetching(self) -> set[TopicPartition]:
        return {WHERE}

    def bury(self) -> None:
        self._client.buried += 1


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a story on the clock that is made up."""
    monkeypatch.setattr(consumer_watch, "Inside", Inside)

    def told(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
        Loop().run(story())  # type: ignore[abstract] # what nobody uses isn't there

    return told


async def death_of(client: Client, within_s: float) -> tuple[str, float]:
    """The reason, and after how long; the reason is empty where nobody has died within that time."""
    clock = asyncio.get_running_loop().time
    began = clock()
    watching = asyncio.get_running_loop().create_task(watch(client, "test"))
    await asyncio.wait([watching], timeout=within_s)
    took = clock() - began
    if not watching.done():
        watching.cancel()
        await asyncio.wait([watching])
        return "", took
    error = watching.exception()
    assert isinstance(error, ClientDiedError)
    assert (error.client, client.buried > 0) == ("test", True)
    return error.reason, took


def test_a_task_that_has_ended_is_noticed_at_the_next_look(run: Run) -> None:
    async def story() -> None:
        client = Client()
        asyncio.get_running_loop().call_later(60, setattr, client, "dead", True)  # noqa: FBT003 (setattr's)
        reason, took = await death_of(client, 100)
        assert reason == FETCH
        assert took <= 60 + LOOK_EVERY_S

    run(story)


def test_a_position_that_stays_while_its_log_is_ahead_is_a_standstill(run: Run) -> None:
    async def story() -> None:
        client = Client()
        client.end = 1
        reason, took = await death_of(client, 100)
        assert reason == STANDSTILL
        assert STANDSTILL_S <= took <= STANDSTILL_S + 2 * LATE_S

    run(story)


def test_who_has_come_to_the_end_may_stay_there(run: Run) -> None:
    async def story() -> None:
        assert await death_of(Client(), 600) == ("", 600)

    run(story)


def test_who_goes_on_is_alive_however_far_the_log_is_ahead(run: Run) -> None:
    async def story() -> None:
        client = Client()
        client.end = 1_000_000

        async def move() -> None:
            while True:
                await pass_by(STANDSTILL_S - LATE_S)
                client.position_now += 1

        moving = asyncio.get_running_loop().create_task(move())
        assert await death_of(client, 600) == ("", 600)
        moving.cancel()

    run(story)


def test_nobody_is_dead_because_kafka_is_away_and_then_everybody_has_time_to_go_on(run: Run) -> None:
    async def story() -> None:
        client = Client()
        client.end, client.away = 1, True
        assert await death_of(client, 600) == ("", 600)
        client.away = False
        asyncio.get_running_loop().call_later(STANDSTILL_S / 2, setattr, client, "away", True)  # noqa: FBT003 (setattr's)
        back_after_s = STANDSTILL_S / 2 + 2 * GAP_S
        asyncio.get_running_loop().call_later(back_after_s, setattr, client, "away", False)  # noqa: FBT003 (setattr's)
        reason, took = await death_of(client, 600)
        assert reason == STANDSTILL
        assert took >= back_after_s + STANDSTILL_S

    run(story)


def test_a_group_that_does_not_answer_while_kafka_does_is_left(run: Run) -> None:
    async def story() -> None:
        client = Client()
        client.answered = False
        reason, took = await death_of(client, 100)
        assert reason == UNANSWERED
        assert UNANSWERED_S <= took <= UNANSWERED_S + 2 * LATE_S

    run(story)


def test_whatever_the_user_waits_for_is_broken_off_and_nothing_else_is(run: Run) -> None:
    async def story() -> None:
        client, loop = Client(), asyncio.get_running_loop()
        loop.call_later(3, setattr, client, "dead", True)  # noqa: FBT003 (setattr's)
        with pytest.raises(ClientDiedError):
            async with watched(client, "test"):
                await pass_by(600)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await pass_by(10)

        async def use(client: Client) -> None:
            async with watched(client, "test"):
                await pass_by(600)

        stopped = loop.create_task(use(Client()))
        loop.call_later(5, stopped.cancel)
        await asyncio.wait([stopped])
        assert stopped.cancelled()

        with pytest.raises(ZeroDivisionError):
            async with watched(Client(), "test"):
                raise ZeroDivisionError

    run(story)


def test_a_supervised_consumer_is_replaced_where_it_was_but_not_for_ever(run: Run) -> None:
    async def story() -> None:
        made: list[Client] = []

        def make() -> Client:
            made.append(Client())
            made[-1].dead = len(made) != 3
            return made[-1]

        consumer = SupervisedConsumer(make, "test")
        await consumer.start()
        consumer.seek(WHERE, 7)
        assert await consumer.position(WHERE) == 7
        assert [one.stopped for one in made] == [True, True, False]
        made[-1].dead = True
        with pytest.raises(ClientDiedError):
            await consumer.position(WHERE)
        assert len(made) == REPLACEMENTS_MAX + 1
        await consumer.stop()
        assert made[-1].stopped

    run(story)


def test_what_a_heartbeat_died_of_is_told_as_a_death(run: Run) -> None:
    class Dead(Client):
        async def getmany(self, *_: TopicPartition, **__: Any) -> dict[TopicPartition, Any]:
            raise KeyError("a connection that was closed meanwhile")

    async def story() -> None:
        with pytest.raises(ClientDiedError) as died:
            await getmany(Dead(), WHERE, timeout_ms=100)
        assert died.value.reason == HEARTBEAT

    run(story)


def test_replaced_clients_are_counted_also_those_that_a_group_of_errors_tells_of() -> None:
    registry = CollectorRegistry()
    readiness = Readiness(registry)
    died = ClientDiedError("intake", FETCH, "its fetch task has ended")
    count_replaced(died, readiness)
    count_replaced(BaseExceptionGroup("", [OSError(), BaseExceptionGroup("", [died])]), readiness)
    count_replaced(OSError(), readiness)
    labels = {"client": "intake", "reason": FETCH}
    assert registry.get_sample_value("tallystick_kafka_clients_replaced_total", labels) == 2
