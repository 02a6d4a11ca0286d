"""Golden logs: `loyalty.points` as a released version wrote it. A log is never changed; a new format gets a new one.

`golden/log/facts.jsonl` and `programs/` are what a log was made from, `golden/log/<name>/points.jsonl` is the log, one
record a line, and the files beside it are what is derived from it. This module knows files and nothing of the product.
"""

import json
from pathlib import Path
from typing import NamedTuple

import msgspec

FOLDER = Path(__file__).parent / "golden" / "log"
FACTS = FOLDER / "facts.jsonl"
PROGRAMS = sorted((FOLDER / "programs").glob("*.yaml"))
"""The versions of the program `club`, in their order."""

PROGRAM = "club"
SHARDS = 2


class LogRecord(NamedTuple):
    """A record of `loyalty.points`, with the fields of aiokafka's; `timestamp` in ms."""

    topic: str
    partition: int
    offset: int
    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes
    timestamp: int = 0

    @property
    def position(self) -> int:
        """Its number within its shard."""
        return int(dict(self.headers)["position"])

    @property
    def type(self) -> str:
        """The type of its event."""
        return dict(self.headers)["type"].decode()


class _Line(msgspec.Struct):
    partition: int
    offset: int
    key: str
    headers: dict[str, str]
    value: msgspec.Raw


def logs() -> list[str]:
    """The names of all golden logs."""
    return sorted(file.parent.name for file in FOLDER.glob("*/points.jsonl"))


def read_log(name: str) -> list[LogRecord]:
    """The records of a golden log in the order of their decisions, each value with exactly the bytes it was given."""
    return [_record(line) for line in (FOLDER / name / "points.jsonl").read_bytes().splitlines()]


def _record(line: bytes) -> LogRecord:
    read = msgspec.json.decode(line, type=_Line)
    headers = tuple((header, text.encode()) for header, text in read.headers.items())
    return LogRecord("loyalty.points", read.partition, read.offset, read.key.encode(), headers, bytes(read.value))


def line_of(record: LogRecord) -> bytes:
    """A record as a line of the file; the value goes in byte for byte."""
    headers = {header: value.decode() for header, value in record.headers}
    head = {"partition": record.partition, "offset": record.offset, "key": record.key.decode(), "headers": headers}
    return json.dumps(head, separators=(",", ":")).encode()[:-1] + b',"value":' + record.value + b"}\n"


def by_shard(log: list[LogRecord]) -> dict[int, list[LogRecord]]:
    """The records of each shard, in order of position."""
    return {shard: [record for record in log if record.partition == shard] for shard in range(SHARDS)}
