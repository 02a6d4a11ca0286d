"""The working set: what is known of the members that a piece of work decides for, and what its decisions changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from services.earning.decide import Decision
from services.earning.source_events.facts import Fact
from services.earning.state.standing import BusinessKey, KeyRow, Lot, Rows, SpendingOrder, Standing
from shared.shards import shard_of

NONE_ASKED: frozenset[BusinessKey] = frozenset()


class LoadedMember(msgspec.Struct, kw_only=True):
    """What is known here of one member: their standing as of now, and those of their lots that were read or made.

    `stored`: the standing is in its table. `read` lots are in theirs; the others are new. Every lot with points left
    up to `horizon` in spending order is known, and every lot due by `due_until`, after which `next_due` is the first
    due of any that is not known; `whole`: all are known that have anything left.
    """

    program: str
    member: str
    shard: int
    standing: Standing | None = None
    stored: bool = False
    touched: bool = False
    lots: dict[int, Lot] = {}
    read: set[int] = set()
    changed: set[int] = set()
    horizon: SpendingOrder | None = None
    whole: bool = True
    asked: int = 0
    due_until: datetime | None = None
    next_due: datetime | None = None
    all_keys: bool = False

    @property
    def of(self) -> tuple[str, str]:
        """Program and member."""
        return self.program, self.member

    def add_lot(self, lot: Lot) -> None:
        """Get to know a lot of the table, unless it is known already: then what is known here counts."""
        if lot.lot in self.lots:
            return
        self.lots[lot.lot] = lot
        self.read.add(lot.lot)
        if self.due_until is not None and lot.due is not None and lot.due > self.due_until:
            self.due_until = self.next_due = None  # the next due may be this one's: ask anew where it matters


class WorkingSet:
    """The working set of one transaction: read once, changed by decisions, then saved.

    `messages` are facts for other members that its decisions led to, each with the shard of its member.
    """

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self.members: dict[tuple[str, str], LoadedMember] = {}
        self.keys: dict[BusinessKey, KeyRow] = {}
        self.keys_read: set[BusinessKey] = set()
        self.keys_changed: dict[BusinessKey, int] = {}
        self.messages: list[tuple[int, Fact]] = []

    def member(self, program: str, member: str) -> LoadedMember:
        """What is known of a member. Until something is loaded: all there is of one whom nobody has heard of."""
        known = self.members.get((program, member))
        if known is None:
            shard = shard_of(program, member, self._shards)
            known = self.members[program, member] = LoadedMember(program=program, member=member, shard=shard)
        return known

    def rows_for(
        self, member: LoadedMember, keys: Iterable[BusinessKey], asked: frozenset[BusinessKey] = NONE_ASKED
    ) -> Rows:
        """What a decision for a member may see: the rows of `keys` and `asked`, and the member's lots known so far."""
        rows = {}
        for key in (*keys, *asked):
            row = self.keys.get(key)
            if row is not None:
                rows[key] = row
        if member.all_keys:
            rows |= {row.key: row for row in self.rows_of(member)}
        known = member.lots, member.horizon, member.whole, member.due_until, member.next_due
        return Rows(rows, *known, asked, member.all_keys)

    def rows_of(self, member: LoadedMember) -> Iterable[KeyRow]:
        """The rows known here that a member owns."""
        return [row for key, row in self.keys.items() if (key.program, row.member) == member.of]

    def apply(self, member: LoadedMember, decision: Decision) -> None:
        """Take over what a member's decision has changed."""
        if decision.standing is not member.standing:
            member.standing = decision.standing
            member.touched = True
        for key in decision.gone:
            self.keys.pop(key, None)
            self.keys_changed.pop(key, None)
        for key, row in decision.keys.items():
            self.keys[key] = row
            self.keys_changed[key] = member.shard
        for number, lot in decision.lots.items():
            member.lots[number] = lot
            member.changed.add(number)
        for message in decision.messages:
            self.messages.append((shard_of(message.program, message.member, self._shards), message))
