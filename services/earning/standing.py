"""The values a decision sees and leaves: standing, lots, and the row of a business key. All are derived from the log."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec

from services.earning.books import Book
from shared.point_events import Balances


class BusinessKey(NamedTuple):
    """What has one effect: an order, a member's enrolment, … of one source (shop) in one program."""

    program: str
    source: str
    kind: str
    id: str


class TierHeld(msgspec.Struct, array_like=True):
    """A tier held from an instant on, until the next entry of the history."""

    since: datetime
    tier: str


class Standing(msgspec.Struct, omit_defaults=True):
    """All that a decision may know of a member besides rows: small (≤ 4 KB) however long their history.

    `clock` is the member's stream time: everything due before it is done. `sequence`, `decision` and `lots` count the
    member's events, decisions and lots, all dense from 1. `qualifying` has a sum per tier window that still counts
    (window's first local date → micro-units: points × 1 or money in micros, by the tier measure).
    """

    program: str
    member: str
    clock: datetime
    decided_at: datetime
    balances: Balances
    sequence: int = 0
    decision: int = 0
    lots: int = 0
    orders_open: int = 0
    tier: str = ""
    tier_until: datetime | None = None
    tier_history: list[TierHeld] = []
    qualifying: dict[str, int] = {}
    joined_at: datetime | None = None
    segments: tuple[str, ...] = ()
    attributes: dict[str, str] = {}
    next_due: datetime | None = None


class Lot(msgspec.Struct):
    """Points of one award: `remaining` of `points` are left. No `available_at`: still pending. No `expires_at`: never.

    `lot` is its number, dense per member; numbers are in order of event position.
    """

    lot: int
    key: BusinessKey
    points: int
    remaining: int
    earned_at: datetime
    available_at: datetime | None
    expires_at: datetime | None = None


class SpendingOrder(NamedTuple):
    """The place of a lot in the order of consumption: soonest expiry, never-expiring last, then age, then number."""

    never_expires: bool
    expires_at: datetime | None
    earned_at: datetime
    lot: int


class KeyRow(msgspec.Struct):
    """The row of a business key: its owner, the book of what it is worth (its class by `key.kind`), the lots it made."""

    key: BusinessKey
    member: str
    book: Book
    lots: list[int] = []


class Rows(msgspec.Struct):
    """The rows loaded for one member: those that `needs` named, and spendable lots up to `horizon`.

    Every spendable lot up to `horizon` in the order of consumption is in `lots`; `all_lots` says that there are no
    others at all. A decision that must know more raises `RowsMissingError`, is given it, and decides again.
    """

    keys: dict[BusinessKey, KeyRow]
    lots: dict[int, Lot]
    horizon: SpendingOrder | None = None
    all_lots: bool = False


class RowsMissingError(Exception):
    """A decision needs spendable lots worth `points` more than it can see: load them and decide again."""

    def __init__(self, points: int) -> None:
        super().__init__(points)
        self.points = points
