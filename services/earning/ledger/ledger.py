"""The ledger: a decision is given the rows it asks for, and what it changes is kept for those that come after it.

It is the same whoever decides (a batch of facts, the inbox, the sweeper, a replay, a program that is only tried) and
wherever the rows are: in Postgres, or all of them in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Protocol, TypeVar

from services.earning.decide import Decision, decided_at
from services.earning.ledger.dead_letters import internal_error
from services.earning.ledger.guard import catch_faults
from services.earning.ledger.journal import Entry, Journal
from services.earning.ledger.working_set import NONE_ASKED, LoadedMember, WorkingSet
from services.earning.program.terms import Versions
from services.earning.source_events.facts import Fact
from services.earning.state.standing import BusinessKey, Rows, RowsMissingError, Standing
from shared.errors import PermanentError

DecideFact = Callable[[Versions, Standing | None, Rows, Fact, datetime], Decision]
"""`decide` or `decide_message`."""

Work = Callable[[Rows], Decision]
"""A decision to be made: it asks for rows that it can't see."""

T = TypeVar("T")


class RowStore(Protocol):
    """Where the rows of a working set come from."""

    async def supply(self, member: LoadedMember, missing: RowsMissingError) -> bool:
        """Put into the working set what a decision for a member asked for. False: it has that, so asking is a fault.

        Keys that were asked for before are not looked at: the caller knows them.
        """
        ...


class Ledger:
    """The books as far as one piece of work has them in hand: its members and rows, and the events of its decisions.

    Without a journal events have no positions. `decide_s` and `encode_s` are the seconds it took so far to decide, and
    to keep what was decided.
    """

    def __init__(self, working_set: WorkingSet, rows: RowStore, journal: Journal | None = None) -> None:
        self.working_set = working_set
        self.journal = journal
        self._rows = rows
        self.decide_s = 0.0
        self.encode_s = 0.0

    def member(self, program: str, member: str) -> LoadedMember:
        """A member, as far as known: whoever is named before rows are loaded is loaded with them."""
        return self.working_set.member(program, member)

    async def decide(self, member: LoadedMember, keys: Collection[BusinessKey], work: Work) -> Decision:
        """Decide for a member, given the rows of `keys` and whatever rows the work asks for besides.

        Raises:
            RowsMissingError: it asks for what it was given, which is a fault of ours.
            PermanentError: it can't be done.
        """
        return await self._with_rows(member, keys, work, _do)

    async def _with_rows(
        self, member: LoadedMember, keys: Collection[BusinessKey], work: Work, do: Callable[[Work, Rows], T]
    ) -> T:
        asked = NONE_ASKED
        while True:
            began = time.perf_counter()
            try:
                decided = do(work, self.working_set.rows_for(member, keys, asked))
            except RowsMissingError as missing:
                known = asked.issuperset(missing.keys) if missing.keys else False
                if known or not await self._rows.supply(member, missing):
                    raise
                asked = asked.union(missing.keys)
            else:
                self.decide_s += time.perf_counter() - began
                return decided

    def keep(self, member: LoadedMember, decision: Decision) -> list[Entry]:
        """Take over what a decision changes; gives its events as rows of the journal."""
        began = time.perf_counter()
        entries: list[Entry] = []
        if self.journal is not None and decision.events:
            entries = self.journal.append(member.shard, decision.events)
        self.working_set.apply(member, decision)
        self.encode_s += time.perf_counter() - began
        return entries

    async def attempt(
        self, member: LoadedMember, keys: Collection[BusinessKey], work: Work, *, keep: bool = True
    ) -> Decision | PermanentError:
        """Decide for a member and keep it, unless told not to; where that can't be done, gives why, changing nothing.

        A fault of ours is a reason, too.
        """
        try:
            decision = await self._with_rows(member, keys, work, catch_faults)
        except RowsMissingError as missing:
            return internal_error(missing)
        if keep and not isinstance(decision, PermanentError):
            kept = catch_faults(self.keep, member, decision)
            if isinstance(kept, PermanentError):
                return kept
        return decision


def _do(work: Work, rows: Rows) -> Decision:
    return work(rows)


def deciding(decide: DecideFact, versions: Versions, standing: Standing | None, fact: Fact) -> Work:
    """The work of deciding a fact for a member whose standing this is."""
    at = decided_at(standing, fact)
    return lambda rows: decide(versions, standing, rows, fact, at)
