"""Stored rows: the tables of a ledger in dictionaries, which give a decision as little as it can do with.

Everything saved goes through bytes and back, and what is given to a decision must come out of it unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import msgspec

from services.earning.decide import Decision
from services.earning.ledger.ledger import Ledger
from services.earning.ledger.memory import at_once
from services.earning.ledger.working_set import LoadedMember, WorkingSet
from services.earning.state.standing import BusinessKey, KeyRow, Lot, Rows, RowsMissingError, SpendingOrder, Standing

T = TypeVar("T")


@dataclass
class StoredRows:
    """All members of one program: their standings, lots by number, and the rows of business keys."""

    program: str
    standings: dict[str, Standing] = field(default_factory=dict)
    keys: dict[BusinessKey, KeyRow] = field(default_factory=dict)
    lots: dict[str, dict[int, Lot]] = field(default_factory=dict)

    def decide(self, name: str, keys: Collection[BusinessKey], work: Callable[[Rows], Decision]) -> Decision:
        """A member's decision, in a transaction of its own; nothing is saved."""
        rows = _Transaction(self)
        member = rows.load(name, keys)
        ledger = Ledger(rows.working_set, rows)
        decision = at_once(ledger.decide(member, keys, lambda given: _unchanged(given, work)))
        ledger.keep(member, decision)
        changed = rows.working_set.keys_changed.keys()
        # Saving tells new rows from changed ones by what was read.
        assert changed & self.keys.keys() <= rows.working_set.keys_read, "a row is changed that was not read"
        assert all(self.keys[key].member == name for key in decision.gone)
        return decision

    def save(self, decision: Decision) -> None:
        """Save what a decision has changed."""
        name = decision.standing.member
        self.standings[name] = _through_bytes(decision.standing, Standing)
        self.keys |= {key: _through_bytes(row, KeyRow) for key, row in decision.keys.items()}
        lots = {number: _through_bytes(lot, Lot) for number, lot in decision.lots.items()}
        self.lots.setdefault(name, {}).update(lots)


class _Transaction:
    """The store of a transaction's rows: what is spent first comes first, and no more of it than was asked for."""

    def __init__(self, stored: StoredRows) -> None:
        self._stored = stored
        self.working_set = WorkingSet(shards=1)

    def load(self, name: str, keys: Iterable[BusinessKey]) -> LoadedMember:
        """Give a member's standing, and rows with the lots they name."""
        member = self.working_set.member(self._stored.program, name)
        member.standing = self._stored.standings.get(name)
        member.whole = False
        self._give(member, keys)
        return member

    async def supply(self, member: LoadedMember, missing: RowsMissingError) -> bool:
        """Give what was asked for; a question that brings nothing new is a fault."""
        before = _so_far(member)
        if missing.every_row:
            self._give(member, [key for key, row in self._stored.keys.items() if row.member == member.member])
            member.lots, member.whole, member.all_keys = dict(self._own(member)), True, True
        elif missing.keys:
            self._give(member, missing.keys)
            return True
        elif not member.whole:
            if missing.everything or (missing.points and not self._spend(member, missing.points)):
                self._add(member, lambda lot: bool(lot.remaining or lot.qualifies or lot.available_at is None))
                member.whole = True
            if missing.due_until is not None:
                self._look_until(member, missing.due_until)
        return _so_far(member) != before

    def _own(self, member: LoadedMember) -> dict[int, Lot]:
        return self._stored.lots.get(member.member, {})

    def _add(self, member: LoadedMember, wanted: Callable[[Lot], bool]) -> None:
        member.lots = member.lots | {number: lot for number, lot in self._own(member).items() if wanted(lot)}

    def _give(self, member: LoadedMember, keys: Iterable[BusinessKey]) -> None:
        rows = {key: self._stored.keys[key] for key in keys if key in self._stored.keys}
        self.working_set.keys |= rows
        self.working_set.keys_read |= rows.keys()
        made = {number for row in rows.values() if row.member == member.member for number in row.lots}
        self._add(member, lambda lot: lot.lot in made)

    def _spend(self, member: LoadedMember, points: int) -> bool:
        """Give the lots that are spent next, worth so many points; False: there are not so many."""
        spendable = sorted((lot for lot in self._own(member).values() if lot.available_at and lot.remaining), key=_turn)
        orders = [spending_order(lot) for lot in spendable]
        at = orders.index(member.horizon) + 1 if member.horizon else 0
        while points > 0 and at < len(spendable):
            points -= spendable[at].remaining
            at += 1
        taken = {lot.lot for lot in spendable[:at]}
        self._add(member, lambda lot: lot.lot in taken)
        member.horizon = orders[at - 1] if at else None
        return points <= 0

    def _look_until(self, member: LoadedMember, until: datetime) -> None:
        """Give the lots that are due by then, and say when the next one is."""
        member.due_until = max(filter(None, (member.due_until, until)))
        self._add(member, lambda lot: lot.due is not None and lot.due <= until)
        dues = (lot.due for lot in self._own(member).values())
        member.next_due = min((due for due in dues if due is not None and due > member.due_until), default=None)


def spending_order(lot: Lot) -> SpendingOrder:
    """A lot's place in the order of consumption."""
    return SpendingOrder(lot.expires_at is None, lot.expires_at, lot.earned_at, lot.lot)


def _turn(lot: Lot) -> tuple[bool, float, datetime, int]:
    """The same, with the never-expiring ones comparable."""
    return (lot.expires_at is None, lot.expires_at.timestamp() if lot.expires_at else 0.0, lot.earned_at, lot.lot)


def _so_far(member: LoadedMember) -> tuple[object, ...]:
    return member.horizon, member.whole, member.all_keys, member.due_until


def _unchanged(rows: Rows, work: Callable[[Rows], Decision]) -> Decision:
    before = msgspec.msgpack.encode((list(rows.keys.values()), list(rows.lots.values())))
    decision = work(rows)
    after = msgspec.msgpack.encode((list(rows.keys.values()), list(rows.lots.values())))
    assert after == before, "an input was changed"
    return decision


def _through_bytes(value: T, kind: type[T]) -> T:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=kind)
