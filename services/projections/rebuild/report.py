"""What a rebuild tells: progress while it works, and what it found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """How far the rebuild is: events read, of all; `phase` is reading, keys, catching up, comparing or swapping."""

    phase: str
    read: int
    total: int


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Difference:
    """A member (or, without one, a partition) whose live rows are not what the log says.

    `table` is members, history or positions; `what` names the column, or the row by its sequence; `live` and `rebuilt`
    are the values found, None where there is no row.
    """

    table: str
    partition: int
    program: str
    member: str
    what: str
    live: str | None
    rebuilt: str | None


@dataclass(frozen=True)
class TableReport:
    """A table of the live generation and of the rebuilt one, at the same positions: rows and checksums."""

    table: str
    live_rows: int
    rebuilt_rows: int
    live_checksum: str
    rebuilt_checksum: str

    @property
    def identical(self) -> bool:
        """Whether both hold the same rows."""
        return (self.live_rows, self.live_checksum) == (self.rebuilt_rows, self.rebuilt_checksum)


@dataclass
class Report:
    """What a rebuild did and found.

    `read_seconds` is the time from the first process started to the last key built, for `events` events;
    `differing_members` counts all of them, `differences` names up to the limit asked for.
    """

    check_only: bool
    generation: int
    events: int = 0
    foreign: int = 0
    read_seconds: float = 0.0
    seconds: float = 0.0
    tables: list[TableReport] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    differing_members: int = 0
    caught_up: int = 0
    swapped: bool = False

    @property
    def identical(self) -> bool:
        """Whether the live tables were what the log says."""
        return not self.differences and all(table.identical for table in self.tables)

    @property
    def rate(self) -> float:
        """Events a second while reading, keys included."""
        return self.events / self.read_seconds if self.read_seconds else 0.0
