"""The events as the folds see them: the part of a point event that a read model keeps, decoded and nothing else.

Decoding leaves the canonical fact, the lots and the lines out: they are over half of an event's bytes. None of these
values can be part of a cycle, so the garbage collector need not look at them (`gc=False`).
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from shared.point_events import EVENT_TYPES, Balances, Key

_PREFIX, _SUFFIX = "loyalty.", ".v1"

KINDS: dict[str, str] = {
    event_type: event_type.removeprefix(_PREFIX).removesuffix(_SUFFIX) for event_type in EVENT_TYPES
}
"""CloudEvents type → its kind in the read models. A type that isn't here is newer than this code: it is refused."""


class Cause(msgspec.Struct, frozen=True, gc=False):
    """Who told us what led to the decision."""

    source: str


class RuleShare(msgspec.Struct, frozen=True, gc=False):
    """What one rule gave."""

    rule: str
    points: int


class Postings(msgspec.Struct, frozen=True, gc=False):
    """The changes of what a member has (points); a deficit that grows is negative here."""

    available: int = 0
    pending: int = 0
    deficit: int = 0


class Data(msgspec.Struct, gc=False):
    """The data of any point event: what all types carry, and what some do."""

    program: str
    member: str
    sequence: int
    occurred_at: datetime
    decided_at: datetime
    cause: Cause
    balances: Balances
    shard: int = 0  # left out of the bytes where it is 0
    position: int = 0
    chain: str = ""
    key: Key | None = None
    program_version: int = 0
    postings: Postings = Postings()
    reason: str | None = None
    card: str | None = None
    rules: tuple[RuleShare, ...] = ()
    after: str | None = None
    tier: str | None = None
    since: datetime | None = None
    valid_until: datetime | None = None
    qualifying: Decimal | None = None
    to_next: Decimal | None = None
    to_keep: Decimal | None = None


class Event(msgspec.Struct, gc=False):
    """A point event: its type, and the part of its data that a read model keeps."""

    type: str
    data: Data


decode = msgspec.json.Decoder(Event).decode
"""An event's bytes → `Event`. Raises `msgspec.MsgspecError` where they are not one."""
