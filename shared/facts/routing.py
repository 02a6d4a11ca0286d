"""Routing: the topic and partition of a fact, and what must be known of it for that; its data may be anything."""

from __future__ import annotations

import difflib
from datetime import datetime
from functools import cache
from typing import Annotated

import msgspec

from shared.errors import TallystickError
from shared.facts.fact import FACT_TYPES
from shared.facts.values import Instant
from shared.shards import shard_of
from shared.topics import Topics

NotEmpty = Annotated[str, msgspec.Meta(min_length=1)]


class UnknownTypeError(TallystickError):
    """No fact has this type."""


class FactHead(msgspec.Struct, frozen=True):
    """What must be known of a fact to publish it; its data goes through as it is, for earning to judge."""

    id: NotEmpty
    source: NotEmpty
    type: NotEmpty
    subject: NotEmpty
    program: NotEmpty
    time: Instant
    receivedat: Instant | None = None

    @property
    def arrived(self) -> datetime:
        """When it reached us, as a history tells it: `receivedat`, else its own time."""
        return self.receivedat or self.time


_decode = msgspec.json.Decoder(FactHead).decode


def head_of(line: bytes) -> FactHead:
    """The head of a line.

    Raises:
        msgspec.MsgspecError: it isn't JSON, or lacks something that publishing needs.
    """
    return _decode(line)


def partition_of(head: FactHead, partitions: int) -> int:
    """The partition that Kafka's default partitioner gives the member."""
    return shard_of(head.program, head.subject, partitions)


def topic_of(fact_type: str, topics: Topics) -> str:
    """The topic for facts of a type.

    Raises:
        UnknownTypeError: there is no such fact.
    """
    name: str = getattr(topics, _topic_name(fact_type))
    return name


@cache
def _topic_name(fact_type: str) -> str:
    data_class = FACT_TYPES.get(fact_type)
    if data_class is not None:
        return data_class.TOPIC
    near = difflib.get_close_matches(fact_type, FACT_TYPES, n=1)
    raise UnknownTypeError(f"unknown type {fact_type!r}" + (f"; did you mean {near[0]}?" if near else ""))
