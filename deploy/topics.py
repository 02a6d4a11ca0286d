"""The topics of an installation: each with every setting written out, made once, and compared with what is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaTimeoutError, TopicAlreadyExistsError, for_code

from shared.broker import RECORD_BYTES_MAX, REQUEST_TIMEOUT_MS
from shared.errors import ConfigurationError
from shared.topics import Topics

SHARDS = 64
"""Partitions of the points topic, and so of every input, where `POINTS_PARTITIONS` says nothing else."""

FOR_EVER = "-1"
_MINUTE_MS = 60_000
_DAY_MS = 24 * 60 * _MINUTE_MS
_ENVELOPE_BYTES = 64 * 1024  # what a dead letter adds to its original: headers that say why and where from
_SET_ON_TOPIC = 1  # Kafka's code for the source of a setting: this topic itself, not a default

_TRIES = 100
_TRY_EVERY_S = 0.1

FIX = "tallystick topics check --fix"
"""The cure of every difference that is a mere setting."""

_COMMON = {
    "cleanup.policy": "delete",  # compaction would throw away events that a rebuild needs
    "compression.type": "producer",  # ours send zstd; the broker needn't unpack and pack again
    "unclean.leader.election.enable": "false",  # rather no leader than one that lacks acknowledged records
    "message.timestamp.type": "CreateTime",  # a fact's time of arrival is its publisher's to give (history, replay)
    "message.timestamp.before.max.ms": str(2**63 - 1),  # any age: a year of history goes in with its own times
    "segment.bytes": str(512 * 1024 * 1024),
    "segment.ms": str(7 * _DAY_MS),
    "max.compaction.lag.ms": str(2**63 - 1),
    "retention.bytes": FOR_EVER,  # by time only: a size limit would take the youngest customers' history first
}


@dataclass(frozen=True)
class TopicPlan:
    """What a topic is to be: its partitions, copies, and its settings in full (Kafka's names and text values)."""

    name: str
    partitions: int
    replicas: int
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Difference:
    """One thing in which a topic is not as planned. `setting` is Kafka's name, `partitions`, `replicas` or `topic`."""

    topic: str
    setting: str
    wanted: str
    found: str
    cure: str


def planned(topics: Topics, shards: int, brokers: int) -> tuple[TopicPlan, ...]:
    """Every topic for an installation of `shards` shards on a cluster of `brokers` brokers."""
    inputs = _settings(
        brokers,
        retention_ms=str(30 * _DAY_MS),  # what was decided is in the points topic for ever; this is to look back
        bytes_max=RECORD_BYTES_MAX,
        ahead_ms=10 * _MINUTE_MS,
    )
    kept = _settings(brokers, retention_ms=FOR_EVER, bytes_max=RECORD_BYTES_MAX, ahead_ms=60 * _MINUTE_MS)
    # What we say of the present bears the broker's time: a worker whose clock is wrong must not be refused.
    by_broker = {"message.timestamp.type": "LogAppendTime"}
    # Original bytes may hold personal data: they stay for as long as somebody needs to see to them, no longer.
    dead = _settings(
        brokers,
        retention_ms=str(30 * _DAY_MS),
        bytes_max=RECORD_BYTES_MAX + _ENVELOPE_BYTES,
        ahead_ms=60 * _MINUTE_MS,
    )
    copies = min(brokers, 3)
    return (
        *(TopicPlan(name, shards, copies, inputs) for name in topics.inputs),
        TopicPlan(topics.programs, 1, copies, kept | by_broker),
        TopicPlan(topics.points, shards, copies, kept),
        TopicPlan(topics.dead_letters, 1, copies, dead | by_broker),
    )


def _settings(brokers: int, *, retention_ms: str, bytes_max: int, ahead_ms: int) -> dict[str, str]:
    return _COMMON | {
        "retention.ms": retention_ms,
        "max.message.bytes": str(bytes_max),
        # A timestamp from the future would hold back everybody's stream time; clocks differ by less than this.
        "message.timestamp.after.max.ms": str(ahead_ms),
        # With three copies one broker may be away; a write then still has two.
        "min.insync.replicas": "2" if brokers >= 3 else "1",  # noqa: PLR2004 (three brokers are what two copies need)
    }


async def create(bootstrap_servers: str, topics: Topics, shards: int) -> list[str]:
    """Make every topic that is missing; gives the names of those made now. Existing ones stay as they are.

    Raises:
        KafkaError: the cluster can't be reached, or refuses.
    """
    async with _admin(bootstrap_servers) as admin:
        plans = planned(topics, shards, await _brokers(admin))
        there = set(await admin.list_topics())
        made = [plan for plan in plans if plan.name not in there]
        names = [plan.name for plan in made]
        if made:
            await _create(admin, made)
            await _eventually(lambda: _led(admin, names), f"topics {', '.join(names)} have leaders")
        return names


async def _create(admin: AIOKafkaAdminClient, plans: Iterable[TopicPlan]) -> None:
    answer: Any = await admin.create_topics(
        [NewTopic(plan.name, plan.partitions, plan.replicas, topic_configs=dict(plan.settings)) for plan in plans]
    )
    for name, code, message in answer.topic_errors:
        if code and code != TopicAlreadyExistsError.errno:  # somebody else was quicker: check says if it differs
            raise for_code(code)(f"{name}: {message}")


async def differences(bootstrap_servers: str, topics: Topics, shards: int) -> list[Difference]:
    """In what the topics there are not as planned, each with its cure; empty when all is well.

    Raises:
        KafkaError: the cluster can't be reached, or refuses.
    """
    async with _admin(bootstrap_servers) as admin:
        plans = planned(topics, shards, await _brokers(admin))
        there = set(await admin.list_topics())
        missing = [
            Difference(plan.name, "topic", "there", "missing", "tallystick topics create")
            for plan in plans
            if plan.name not in there
        ]
        present = [plan for plan in plans if plan.name in there]
        shapes = {shape["topic"]: shape for shape in await admin.describe_topics([plan.name for plan in present])}
        found = await _settings_of(admin, [plan.name for plan in present])
    return missing + [
        difference
        for plan in present
        for difference in (*_shape_differences(plan, shapes[plan.name]), *_setting_differences(plan, found[plan.name]))
    ]


def _shape_differences(plan: TopicPlan, shape: Mapping[str, Any]) -> Iterable[Difference]:
    partitions = shape["partitions"]
    count = len(partitions)
    if count != plan.partitions:
        cure = f"set POINTS_PARTITIONS={count}; members don't move between partitions"
        yield Difference(plan.name, "partitions", str(plan.partitions), str(count), cure)
    replicas = min((len(partition["replicas"]) for partition in partitions), default=0)
    if replicas < plan.replicas:
        cure = "kafka-reassign-partitions.sh, one topic at a time"
        yield Difference(plan.name, "replicas", str(plan.replicas), str(replicas), cure)


def _setting_differences(plan: TopicPlan, found: Mapping[str, Setting]) -> Iterable[Difference]:
    for name, wanted in plan.settings.items():
        value = found[name].value if name in found else "unknown to this broker"
        if value != wanted:
            yield Difference(plan.name, name, wanted, value, FIX)


@dataclass(frozen=True)
class Setting:
    """A topic's setting as the broker tells it; `own` when it is set on the topic itself, not inherited."""

    value: str
    own: bool


async def settings_of(bootstrap_servers: str, names: Iterable[str]) -> dict[str, dict[str, Setting]]:
    """Topic → setting → value, as the brokers have them now.

    Raises:
        ConfigurationError: a topic isn't there.
        KafkaError: the cluster can't be reached.
    """
    async with _admin(bootstrap_servers) as admin:
        return await _settings_of(admin, list(names))


async def change(bootstrap_servers: str, name: str, settings: Mapping[str, str]) -> None:
    """Change some settings of a topic and leave its others as they are.

    Raises:
        ConfigurationError: the topic isn't there.
        KafkaError: the cluster can't be reached, or refuses.
    """
    async with _admin(bootstrap_servers) as admin:
        before = (await _settings_of(admin, [name]))[name]
        # The request replaces all of a topic's own settings, so those that stay are sent along.
        own = {setting: found.value for setting, found in before.items() if found.own}
        resource = ConfigResource(ConfigResourceType.TOPIC, name, own | dict(settings))
        for answer in await admin.alter_configs([resource]):
            for code, message, _, topic in answer.resources:
                if code:
                    raise for_code(code)(f"{topic}: {message}")

        async def told() -> bool:
            now = (await _settings_of(admin, [name]))[name]
            return all(now[setting].value == value for setting, value in settings.items())

        await _eventually(told, f"{name} has its new settings")


async def partitions_of(bootstrap_servers: str, names: Iterable[str]) -> dict[str, int]:
    """Topic → number of its partitions; topics that aren't there are left out."""
    async with _admin(bootstrap_servers) as admin:
        there = set(await admin.list_topics())
        asked = [name for name in names if name in there]
        return (
            {shape["topic"]: len(shape["partitions"]) for shape in await admin.describe_topics(asked)} if asked else {}
        )


async def _settings_of(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, Setting]]:
    if not names:
        return {}
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    found: dict[str, dict[str, Setting]] = {}
    for answer in answers:
        for code, message, _, topic, entries in answer.resources:
            if code:
                raise ConfigurationError(
                    f"Topic {topic}: {message or for_code(code).description}", cure="tallystick topics create"
                )
            found[topic] = {entry[0]: Setting(str(entry[1]), entry[3] == _SET_ON_TOPIC) for entry in entries}
    return found


async def _led(admin: AIOKafkaAdminClient, names: list[str]) -> bool:
    if not set(names) <= set(await admin.list_topics()):
        return False
    shapes = await admin.describe_topics(names)
    return all(partition["leader"] >= 0 for shape in shapes for partition in shape["partitions"])


async def _eventually(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until the brokers know: the controller has agreed, and tells them a moment later."""
    for _ in range(_TRIES):
        if await condition():
            return
        await asyncio.sleep(_TRY_EVERY_S)
    raise KafkaTimeoutError(f"{_TRIES * _TRY_EVERY_S:.0f} s went by before {what}")


async def _brokers(admin: AIOKafkaAdminClient) -> int:
    return len((await admin.describe_cluster())["brokers"])


@asynccontextmanager
async def _admin(bootstrap_servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(
        bootstrap_servers=bootstrap_servers,
        client_id="tallystick-topics",
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        retry_backoff_ms=100,
        metadata_max_age_ms=60_000,
        security_protocol="PLAINTEXT",
    )
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()
