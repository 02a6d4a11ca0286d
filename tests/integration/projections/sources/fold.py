"""The fold of sources: a member's events of each shop, counted and added up."""

from __future__ import annotations

from dataclasses import dataclass

from services.projections.events import Event


@dataclass
class Source:
    """What a series of events added: how many of a member's were of a shop, and what they moved."""

    partition: int
    program: str
    member: str
    source: str
    sequence: int
    events: int = 0
    net: int = 0

    def values(self) -> tuple[object, ...]:
        """The row in the order of its columns."""
        return (self.partition, self.program, self.member, self.source, self.sequence, self.events, self.net)


def source_of(event: Event) -> tuple[str, str, str]:
    """Whose row the event changes."""
    return event.data.program, event.data.member, event.data.cause.source


def fold_source(row: Source | None, event: Event) -> Source:
    """The row after the event."""
    data, moved = event.data, event.data.postings
    if row is None:
        row = Source(data.shard, data.program, data.member, data.cause.source, data.sequence)
    row.sequence = data.sequence
    row.events += 1
    row.net += moved.available + moved.pending + moved.deficit
    return row
