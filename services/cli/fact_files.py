"""Files of facts: JSON lines of CloudEvents in structured mode, surveyed for publishing or read in order of arrival."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from services.earning.simulate import Arrival
from services.earning.source_events.codec import decode
from services.earning.source_events.facts import Fact
from shared.errors import PermanentError, TallystickError
from shared.facts.routing import UnknownTypeError, head_of, topic_of
from shared.reasons import Reason
from shared.topics import Topics

PROBLEMS_SHOWN = 20

STDIN = Path("-")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class FactsInvalidError(TallystickError):
    """Lines of a file are no facts; none was published. Its message names each of them, up to the twentieth."""

    def __init__(self, file: Path, problems: Mapping[int, str], count: int) -> None:
        shown = "\n".join(f"{file}:{line}: {message}" for line, message in problems.items())
        more = f"\n… and {count - len(problems):,} more" if count > len(problems) else ""
        super().__init__(
            f"{shown}{more}", cure="Nothing was published. docs/reference/facts.md has every type's fields."
        )


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
        self.oldest[topic] = min(arrived, self.oldest.get(topic, arrived))
        self.newest[topic] = max(arrived, self.newest.get(topic, arrived))


def survey(file: Path, topics: Topics, progress: Callable[[int], None]) -> Survey:
    """Read the whole file before a line of it is published; `progress(facts read)` now and then.

    Raises:
        FactsInvalidError: with every line that is no fact.
    """
    found = Survey()
    problems: dict[int, str] = {}
    count = 0
    for number, line in lines(file):
        try:
            head = head_of(line)
            found.add(topic_of(head.type, topics), head.arrived)
            found.programs.add(head.program)
        except (msgspec.MsgspecError, UnknownTypeError) as error:
            count += 1
            if len(problems) < PROBLEMS_SHOWN:
                problems[number] = str(error)
        if number % 10_000 == 0:
            progress(found.facts)
    if problems:
        raise FactsInvalidError(file, problems, count)
    progress(found.facts)
    return found


def lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """The file's lines that aren't blank, stripped, with their numbers from 1."""
    with file.open("rb") as rows:
        yield from _numbered(rows)


def _numbered(rows: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    return ((number, line) for number, row in enumerate(rows, start=1) if (line := row.strip()))


class _Times(msgspec.Struct):
    """What says when a fact reached us: its extension `receivedat`, or else its own time."""

    time: datetime | None = None
    receivedat: datetime | None = None


def read_arrivals(file: Path) -> Iterator[Arrival]:
    """Each line of a file (`-`: stdin) as a fact, or as the error it is refused with; empty lines are passed over.

    Lines are numbered from 1. A fact's received_at is its extension `receivedat`, or else its own time.
    """
    with sys.stdin.buffer if file == STDIN else file.open("rb") as rows:
        for number, line in _numbered(rows):
            yield Arrival(number, _fact(line))


def _fact(value: bytes) -> Fact | PermanentError:
    try:
        return decode(value, received_at=received_at(value))
    except PermanentError as refusal:
        return refusal


def received_at(value: bytes) -> datetime:
    """When a fact in a file reached us, in UTC; of one that `decode` will refuse, any instant.

    Raises:
        PermanentError: `invalid_time` where `receivedat` is no instant with an offset.
    """
    try:
        times = msgspec.json.decode(value, type=_Times)
    except msgspec.ValidationError as error:
        if "receivedat" in str(error):
            message = "receivedat is not RFC 3339 with an offset"
            raise PermanentError(Reason.INVALID_TIME, message, field="receivedat") from error
        return _NEVER
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _NEVER
    found = times.receivedat or times.time
    if found is None:
        return _NEVER
    if found.tzinfo is None:
        if times.receivedat is None:
            return _NEVER
        raise PermanentError(Reason.INVALID_TIME, "receivedat has no offset", field="receivedat")
    return found.astimezone(UTC)
