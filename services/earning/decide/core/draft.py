"""Drafts: a decision in the making. It copies what it changes, counts events, and keeps the books balanced.

Rules 31 and 72.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from services.earning.decide.core.decision import Decision, Outcome
from services.earning.program.terms import Versions
from services.earning.source_events.facts import Fact
from services.earning.source_events.messages import MessageData
from services.earning.state.keys import KeyState
from services.earning.state.standing import BusinessKey, KeyRow, Lot, Rows, RowsMissingError, Standing
from shared.point_events import SOURCE, Balances, Cause, EventData, Key, LotChange

DUE = Cause("tallystick.due", SOURCE, "")
"""The cause of what happens because its time has come."""

LOTS_MAX = 1_000
"""The most lots that one event names (each is at most 200 bytes)."""

_GROW_WITH_PLUS = frozenset({"available", "pending", "transferred_out", "reversed", "redeemed", "expired", "reverted"})
"""What is held, and where it went; what is owed and where it came from grow with minus, so that postings balance."""


S = TypeVar("S", bound=KeyState)


class Progress(msgspec.Struct, frozen=True):
    """What an event says of its member's tier: by how much it moved what qualifies, and how far they are after it.

    Decimal text, as in the event; empty where there is nothing to say.
    """

    qualifies: str
    qualifying: str
    to_next: str
    to_keep: str


class Draft:
    """One decision: a standing and rows that may be changed, and the events so far.

    `occurred_at`, `decided_at` and `cause` are those of the events that come next: first of what was due, then of the
    fact.
    """

    __slots__ = (
        "cause",
        "decided_at",
        "events",
        "fact",
        "gone",
        "keys",
        "lots",
        "messages",
        "occurred_at",
        "rows",
        "standing",
        "versions",
    )

    def __init__(self, versions: Versions, standing: Standing, rows: Rows) -> None:
        self.versions = versions
        self.standing: Standing = replace(standing)
        self.standing.decision += 1
        self.rows = rows
        self.keys: dict[BusinessKey, KeyRow] = {}
        self.lots: dict[int, Lot] = {}
        self.events: list[EventData] = []
        self.messages: list[Fact] = []
        self.gone: frozenset[BusinessKey] = frozenset()
        self.occurred_at = standing.clock
        self.decided_at = standing.decided_at
        self.cause = DUE
        self.fact: object = None

    def at(self, occurred_at: datetime, decided_at: datetime, cause: Cause, fact: object = None) -> None:
        """From here on events are caused by this, and booked then. The first of them carries the canonical fact."""
        self.fact = fact
        self.occurred_at = occurred_at
        self.decided_at = decided_at
        self.cause = cause
        self.standing.decided_at = decided_at

    def record(self, event: EventData, progress: Progress | None = None) -> None:
        """Add an event, made of what its kind says; the common part is set here. Its postings change the balances."""
        standing = self.standing
        standing.sequence += 1
        if event.postings:
            standing.balances = posted(standing.balances, event.postings)
        event.program = standing.program
        event.member = standing.member
        event.sequence = standing.sequence
        event.decision = standing.decision
        event.index = len(self.events)
        event.occurred_at = self.occurred_at
        event.decided_at = self.decided_at
        event.cause = self.cause
        event.balances = standing.balances
        event.fact, self.fact = self.fact, None
        if progress is not None:
            event.qualifies = progress.qualifies
            event.qualifying = progress.qualifying
            event.to_next = progress.to_next
            event.to_keep = progress.to_keep
        self.events.append(event)

    def send(self, member: str, key: BusinessKey, kind: str, version: int, data: MessageData) -> None:
        """Tell another member's side of a key what this decision means for it."""
        standing = self.standing
        self.messages.append(
            Fact(
                type=kind,
                id=f"{standing.member}/{key.id}/{version}",
                source=key.source,
                program=standing.program,
                member=member,
                occurred_at=self.occurred_at,
                received_at=self.decided_at,
                data=data,
            )
        )

    def lot(self, number: int) -> Lot:
        """A lot as it is now."""
        return self.lots.get(number) or self.rows.lots[number]

    def visible_lots(self) -> list[Lot]:
        """Every lot that was loaded or made, as it is now."""
        return [self.lots.get(number, lot) for number, lot in self.rows.lots.items()] + [
            lot for number, lot in self.lots.items() if number not in self.rows.lots
        ]

    def own_lot(self, number: int) -> Lot:
        """A lot that may be changed."""
        lot = self.lots.get(number)
        if lot is None:
            lot = self.lots[number] = replace(self.rows.lots[number])
        return lot

    def change_lot(self, number: int, change: int) -> LotChange:
        """Change what remains of a lot, and say so."""
        lot = self.own_lot(number)
        lot.remaining += change
        return lot_change(lot, change)

    def row(self, key: BusinessKey) -> KeyRow | None:
        """A row that `needs` didn't name; None: there is none.

        Raises:
            RowsMissingError: it was not looked for yet.
        """
        if key in self.keys:
            return self.keys[key]
        if key in self.rows.keys:
            return self.rows.keys[key]
        if key not in self.rows.asked:
            raise RowsMissingError(keys=(key,))
        return None

    def state(self, key: BusinessKey, kind: type[S]) -> S:
        """The state of a key that `needs` didn't name; an empty one where nothing is known of it.

        Raises:
            RowsMissingError: it was not looked for yet.
        """
        return state_of(self.row(key), kind)

    def put(self, key: BusinessKey, state: KeyState) -> KeyRow:
        """The member's own row of a key, with its state from now on and the lots it had; it may be changed."""
        known = self.keys.get(key) or self.rows.keys.get(key)
        row = KeyRow(key, self.standing.member, state, known.lots if known is not None else [])
        self.keys[key] = row
        return row

    @property
    def is_late(self) -> bool:
        """Whether the present fact is older than the standing's clock."""
        return self.occurred_at < self.standing.clock

    def decision(self, outcome: Outcome) -> Decision:
        """The finished decision."""
        return Decision(self.standing, self.keys, self.lots, self.events, outcome, self.messages, self.gone)


def state_of(row: KeyRow | None, kind: type[S]) -> S:
    """The state that a row keeps; an empty one where there is no row."""
    return row.book if row is not None and isinstance(row.book, kind) else kind()


def postings_of(**changes: int) -> dict[str, int]:
    """Postings: the change of each account that has one."""
    return {account: change for account, change in changes.items() if change}


def in_parts(lots: list[LotChange]) -> list[list[LotChange]]:
    """Lots for one event after the other, so that none grows above 256 KiB."""
    return [lots[at : at + LOTS_MAX] for at in range(0, len(lots), LOTS_MAX)]


def event_key(key: BusinessKey) -> Key:
    """A business key as events name it."""
    return Key(key.source, key.kind, key.id)


def lot_change(lot: Lot, change: int) -> LotChange:
    """A lot as its events tell it."""
    return LotChange(
        lot.lot, change, lot.remaining, lot.earned_at, lot.available_at, lot.expires_at, lot.available_at is None
    )


def posted(balances: Balances, postings: dict[str, int]) -> Balances:
    """Balances after postings, by the sign each account grows with."""
    after = replace(balances)
    for account, change in postings.items():
        setattr(after, account, getattr(after, account) + (change if account in _GROW_WITH_PLUS else -change))
    return after
