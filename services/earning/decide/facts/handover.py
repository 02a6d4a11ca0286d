"""Handing over: what is stored of a member in the words of a claim's message, and back. Rule 30.

The message stays in the log for ever and says nothing of how state is stored; this is where one becomes the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import asdict

from services.earning.source_events.contents import CONTENTS
from services.earning.source_events.handover import AccountGiven, LotGiven, RowGiven
from services.earning.state.keys import KeyState
from services.earning.state.standing import BusinessKey, KeyRow, Lot, Standing
from shared.point_events import Key

_STATES: Mapping[type[msgspec.Struct], type[KeyState]] = {content: state for state, content in CONTENTS.items()}
"""What is said of a key → what is stored of it."""


def given_lot(lot: Lot) -> LotGiven:
    """A lot as it is handed over."""
    return LotGiven(**(asdict(lot) | {"key": _given_key(lot.key)}))


def taken_lots(program: str, given: Iterable[LotGiven]) -> list[Lot]:
    """Lots of a program as they were before they were handed over."""
    return [Lot(**(asdict(lot) | {"key": _taken_key(program, lot.key)})) for lot in given]


def given_row(row: KeyRow) -> RowGiven:
    """The row of a key as it is handed over."""
    content = msgspec.convert(row.book, CONTENTS[type(row.book)], from_attributes=True)
    return RowGiven(_given_key(row.key), content, tuple(row.lots))


def taken_rows(program: str, member: str, given: Iterable[RowGiven]) -> list[KeyRow]:
    """The rows of a member's keys as they were before they were handed over."""
    return [
        KeyRow(
            _taken_key(program, row.key),
            member,
            msgspec.convert(row.content, _STATES[type(row.content)], from_attributes=True),
            [*row.lots],
        )
        for row in given
    ]


def given_account(standing: Standing) -> AccountGiven:
    """What of a standing goes with lots and rows."""
    said = asdict(standing) | {
        "owed": standing.balances.deficit,
        "forgiven": standing.forgiven_place,
        "referred": [one._asdict() for one in standing.referred],
    }
    return msgspec.convert(said, AccountGiven, from_attributes=True)


def _given_key(key: BusinessKey) -> Key:
    return Key(key.source, key.kind, key.id)


def _taken_key(program: str, key: Key) -> BusinessKey:
    return BusinessKey(program, key.source, key.kind, key.id)
