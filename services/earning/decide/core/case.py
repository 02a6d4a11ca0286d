"""Cases: a fact with what is known of its business key, before its member's standing comes into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from services.earning.decide.core.decision import Outcome
from services.earning.decide.core.draft import Draft
from services.earning.program.terms import Program, Versions
from services.earning.source_events.facts import Fact
from services.earning.state.keys import KeyState
from services.earning.state.standing import BusinessKey, KeyRow, Rows

Prepared = Callable[[Draft], Outcome]
"""What a fact does to a draft that has advanced to it."""

S = TypeVar("S", bound=KeyState)


class Case(msgspec.Struct, frozen=True):
    """A fact, its key, and the key's row, where there is one."""

    versions: Versions
    rows: Rows
    fact: Fact
    key: BusinessKey
    row: KeyRow | None

    @property
    def program(self) -> Program:
        """The version in force when the fact happened; the first, where it was before."""
        return self.versions.at(self.fact.occurred_at) or self.versions.all[0]

    def state(self, kind: type[S]) -> S:
        """The state of the fact's key; an empty one where nothing is known of it."""
        row = self.row
        return row.book if row is not None and isinstance(row.book, kind) else kind()
