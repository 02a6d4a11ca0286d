"""Entries of a points log as records that a consumer would hand over."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.projections.decode import received
from services.projections.positions import Received
from tests.unit.projections.points_log import Entry


@dataclass(frozen=True)
class Record:
    """The fields of aiokafka's record that decoding reads."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def record(entry: Entry, offset: int = 0) -> Record:
    """The entry as it comes from Kafka."""
    out = entry.record
    return Record("points", entry.shard, offset, out.timestamp_ms or 0, out.key, out.value, tuple(out.headers))


def all_received(entries: Iterable[Entry]) -> list[Received]:
    """The entries, decoded, at offsets from 0 on."""
    return [received(record(entry, offset)) for offset, entry in enumerate(entries)]
