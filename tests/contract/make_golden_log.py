"""Make a golden log from the committed facts: `python -m tests.contract.make_golden_log NAME`.

A log that is there already stays as it is, for it was released: with its name, only what is derived from it is written
anew (a read model with another column, a stored field with another name). The difference is for a reviewer to read.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime

from services.cli.fact_files import read_arrivals
from services.earning.ledger.journal import Head, Journal
from services.earning.simulate import Arrival, run
from services.earning.source_events.facts import Fact
from shared.codec import CHAIN_START, headers_of
from shared.facts.routing import topic_of
from shared.point_events import EventData
from shared.shards import shard_of
from shared.topics import Topics
from tests.contract.golden_log import FACTS, FOLDER, PROGRAM, SHARDS, LogRecord, line_of, read_log
from tests.contract.golden_log_results import result_files, versions

UNTIL = datetime(2029, 6, 1, tzinfo=UTC)
"""Every member is brought up to here at the end."""


def make_log() -> list[LogRecord]:
    """The log that earning, as it is now, writes for the committed facts."""
    made = run({PROGRAM: versions()}, _arrivals(), UNTIL)
    events = [event for ruling in made.rulings for event in ruling.events]
    return _published([*events, *(event for closing in made.closing.values() for event in closing)])


def _arrivals() -> Iterator[Arrival]:
    """The facts as they lie on their topics."""
    topics = Topics()
    for offset, arrival in enumerate(read_arrivals(FACTS)):
        fact = arrival.fact
        assert isinstance(fact, Fact), fact
        fact.topic, fact.partition = topic_of(fact.type, topics), shard_of(fact.program, fact.member, SHARDS)
        fact.offset = offset
        yield arrival


def _published(events: list[EventData]) -> list[LogRecord]:
    """Events with their positions and chains, as the relay publishes them."""
    journal = Journal({shard: Head(0, CHAIN_START) for shard in range(SHARDS)}, date.min)
    for event in events:
        journal.append(shard_of(event.program, event.member, SHARDS), [event])
    return [
        LogRecord(
            Topics().points,
            entry.shard,
            entry.position - 1,
            entry.key.encode(),
            tuple(headers_of(entry.shard, entry.position, entry.type)),
            entry.bytes,
        )
        for entry in journal.entries
    ]


def main(name: str) -> None:
    """Write the log, unless it is there, and what is derived from it."""
    folder = FOLDER / name
    folder.mkdir(exist_ok=True)
    if not (folder / "points.jsonl").exists():
        (folder / "points.jsonl").write_bytes(b"".join(map(line_of, make_log())))
    for file, content in result_files(read_log(name)).items():
        (folder / file).write_bytes(content)


if __name__ == "__main__":
    main(sys.argv[1])
