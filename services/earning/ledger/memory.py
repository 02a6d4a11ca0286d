"""Rows in memory: a ledger that has everything in hand, for whoever decides without tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from services.earning.decide import Decision
from services.earning.ledger.working_set import LoadedMember, WorkingSet
from services.earning.state.standing import BusinessKey, KeyRow, RowsMissingError, Standing

T = TypeVar("T")


class MemoryRows(WorkingSet):
    """All rows of some shards, and the store they come from at once: all lots are always given, and keys by name.

    Whose rows are whose is found without looking at every one. Messages are not kept: the log, or the decision, has
    them.
    """

    def __init__(self, shards: int) -> None:
        super().__init__(shards)
        self._owned: defaultdict[tuple[str, str], dict[BusinessKey, None]] = defaultdict(dict)

    @property
    def standings(self) -> dict[tuple[str, str], Standing]:
        """Program and member → standing, of every member who has one."""
        return {of: member.standing for of, member in self.members.items() if member.standing is not None}

    async def supply(self, member: LoadedMember, missing: RowsMissingError) -> bool:
        """Let a decision see the keys it asked for, or every row of its member; there is nothing to read."""
        if missing.every_row:
            member.all_keys = True
        return missing.every_row or bool(missing.keys)

    def rows_of(self, member: LoadedMember) -> Iterable[KeyRow]:
        """The rows that a member owns."""
        return [self.keys[key] for key in self._owned[member.of]]

    def apply(self, member: LoadedMember, decision: Decision) -> None:
        """Take over what a member's decision has changed."""
        super().apply(member, decision)
        self.messages.clear()
        owned = self._owned[member.of]
        for key in decision.gone:
            owned.pop(key, None)
        owned |= dict.fromkeys(decision.keys)


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """What work gives that waits for nobody, as that of a ledger in memory does; no event loop is needed.

    Raises:
        RuntimeError: it waits for somebody after all.
    """
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        work.close()
    raise RuntimeError("a ledger in memory has waited for somebody")
