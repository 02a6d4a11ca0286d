"""Routing: a line of a file of facts, and the topic, partition and timestamp it is published with."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from services.earning.source_events.facts import FACT_TYPES
from shared.broker import Outgoing
from shared.errors import TallystickError
from shared.shards import member_key, shard_of
from shared.topics import Topics

CONTENT_TYPE = ("content-type", b"application/cloudevents+json")
PROBLEMS_SHOWN = 20

_KINDS = (
    ("commerce.order.", "orders"),
    ("commerce.review.", "reviews"),
    ("commerce.referral.", "referrals"),
    ("commerce.activity.", "activities"),
    ("loyalty.", "commands"),
)
"""Beginning of a fact's type → whose topic it goes to, by its name among `Topics`."""

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Name = Annotated[str, msgspec.Meta(min_length=1)]


class FactHead(msgspec.Struct, frozen=True):
    """What must be known of a fact to publish it; its data goes through as it is, for earning to judge."""

    id: Name
    source: Name
    type: Name
    subject: Name
    program: Name
    time: Instant
    receivedat: Instant | None = None

    @property
    def arrived(self) -> datetime:
        """When it reached us, as a history tells it: `receivedat`, else its own time."""
        return self.receivedat or self.time


class Problem(NamedTuple):
    """Why a line can't be published."""

    line: int
    message: str


class FactsInvalidError(TallystickError):
    """Lines of a file are no facts; none was published.

    Attributes:
        file: the file.
        problems: each line with what is wrong; the first hundred.
    """

    def __init__(self, file: Path, problems: list[Problem], count: int) -> None:
        shown = "\n".join(f"{file}:{problem.line}: {problem.message}" for problem in problems[:PROBLEMS_SHOWN])
        more = f"\n… and {count - PROBLEMS_SHOWN:,} more" if count > PROBLEMS_SHOWN else ""
        super().__init__(
            f"{shown}{more}", cure="Nothing was published. docs/reference/facts.md has every type's fields."
        )
        self.file = file
        self.problems = problems


@dataclass
class Survey:
    """What is in a file: facts by topic, their programs, and the span of time in which they arrived."""

    facts: int = 0
    programs: set[str] = field(default_factory=set)
    by_topic: Counter[str] = field(default_factory=Counter)
    oldest: dict[str, datetime] = field(default_factory=dict)
    newest: dict[str, datetime] = field(default_factory=dict)

    def add(self, topic: str, arrived: datetime) -> None:
        """Count one fact."""
        self.facts += 1
        self.by_topic[topic] += 1
        if topic not in self.oldest or arrived < self.oldest[topic]:
            self.oldest[topic] = arrived
        if topic not in self.newest or arrived > self.newest[topic]:
            self.newest[topic] = arrived


_decode = msgspec.json.Decoder(FactHead).decode


def survey(file: Path, topics: Topics, progress: Callable[[int], None]) -> Survey:
    """Read the whole file before a line of it is published; `progress(facts read)` now and then.

    Raises:
        FactsInvalidError: with every line that is no fact.
    """
    found = Survey()
    problems: list[Problem] = []
    count = 0
    for number, line in lines(file):
        try:
            head = head_of(line)
            found.add(topic_of(head.type, topics), head.arrived)
            found.programs.add(head.program)
        except (msgspec.MsgspecError, _UnknownTypeError) as error:
            count += 1
            if len(problems) < PROBLEMS_SHOWN * 5:
                problems.append(Problem(number, str(error)))
        if number % 10_000 == 0:
            progress(found.facts)
    if problems:
        raise FactsInvalidError(file, problems, count)
    progress(found.facts)
    return found


def lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """The file's lines that aren't blank, stripped, with their numbers from 1."""
    with file.open("rb") as rows:
        for number, row in enumerate(rows, start=1):
            if line := row.strip():
                yield number, line


def head_of(line: bytes) -> FactHead:
    """The head of a line.

    Raises:
        msgspec.MsgspecError: it isn't JSON, or lacks something that publishing needs.
    """
    return _decode(line)


def outgoing(line: bytes, head: FactHead, *, history: bool) -> Outgoing:
    """The record of a line: its bytes as they are; with `history` its timestamp is when the fact arrived then."""
    timestamp_ms = int(head.arrived.timestamp() * 1000) if history else None
    return Outgoing(member_key(head.program, head.subject).encode(), line, [CONTENT_TYPE], timestamp_ms)


def partition_of(head: FactHead, partitions: int) -> int:
    """The partition that Kafka's default partitioner gives the member."""
    return shard_of(head.program, head.subject, partitions)


def topic_of(event_type: str, topics: Topics) -> str:
    """The topic for facts of a type."""
    name: str = getattr(topics, _kind_of(event_type))
    return name


class _UnknownTypeError(Exception):
    """No contract has this type."""


@cache
def _kind_of(event_type: str) -> str:
    if event_type in FACT_TYPES:
        for beginning, kind in _KINDS:
            if event_type.startswith(beginning):
                return kind
    near = difflib.get_close_matches(event_type, FACT_TYPES, n=1)
    raise _UnknownTypeError(f"unknown type {event_type!r}" + (f"; did you mean {near[0]}?" if near else ""))
