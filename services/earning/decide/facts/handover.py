"""Handing over: what is stored of a member in the words of a claim's message, and back. Rule 30.

The message stays in the log for ever and says nothing of how state is stored; this is where one becomes the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

import msgspec

from services.earning.source_events.contents import Content
from services.earning.source_events.handover import AccountGiven, CardGiven, LotGiven, ReferralFollowed, RowGiven
from services.earning.state.keys import KeyState
from services.earning.state.standing import BusinessKey, KeyRow, Lot, Standing
from shared.point_events import Key

STATES: Mapping[type[Content], type[KeyState]] = {
    content: next(state for state in get_args(KeyState) if state.__struct_config__.tag == content.__struct_config__.tag)
    for content in get_args(Content)
}
"""What is said of a key → what is stored of it: a field has the same name in both."""

_CONTENTS = {state: content for content, state in STATES.items()}


def given_lot(lot: Lot) -> LotGiven:
    """A lot as it is handed over."""
    return LotGiven(
        lot=lot.lot,
        key=_given_key(lot.key),
        points=lot.points,
        remaining=lot.remaining,
        earned_at=lot.earned_at,
        available_at=lot.available_at,
        expires_at=lot.expires_at,
        release_at=lot.release_at,
        when=lot.when,
        qualifies=lot.qualifies,
        version=lot.version,
        expired=lot.expired,
        follows=lot.follows,
        extended=lot.extended,
    )


def taken_lots(program: str, given: Iterable[LotGiven]) -> list[Lot]:
    """Lots of a program as they were before they were handed over."""
    return [
        Lot(
            lot=lot.lot,
            key=_taken_key(program, lot.key),
            points=lot.points,
            remaining=lot.remaining,
            earned_at=lot.earned_at,
            available_at=lot.available_at,
            expires_at=lot.expires_at,
            release_at=lot.release_at,
            when=lot.when,
            qualifies=lot.qualifies,
            version=lot.version,
            expired=lot.expired,
            follows=lot.follows,
            extended=lot.extended,
        )
        for lot in given
    ]


def given_row(row: KeyRow) -> RowGiven:
    """The row of a key as it is handed over."""
    content = msgspec.convert(row.book, _CONTENTS[type(row.book)], from_attributes=True)
    return RowGiven(_given_key(row.key), content, tuple(row.lots))


def taken_rows(program: str, member: str, given: Iterable[RowGiven]) -> list[KeyRow]:
    """The rows of a member's keys as they were before they were handed over."""
    return [
        KeyRow(
            _taken_key(program, row.key),
            member,
            msgspec.convert(row.content, STATES[type(row.content)], from_attributes=True),
            [*row.lots],
        )
        for row in given
    ]


def given_account(standing: Standing) -> AccountGiven:
    """What of a standing goes with lots and rows."""
    return AccountGiven(
        member=standing.member,
        owed=standing.balances.deficit,
        forgiven=standing.forgiven_place,
        forgiven_elsewhere=tuple(standing.forgiven_elsewhere),
        made_up=tuple(standing.made_up),
        provisional=standing.provisional,
        since=standing.since,
        joined_at=standing.joined_at,
        segments=standing.segments,
        attributes=standing.attributes,
        orders_open=standing.orders_open,
        lifetime=standing.lifetime,
        bonuses=standing.bonuses,
        referred=tuple(ReferralFollowed(*one) for one in standing.referred),
        caps=standing.caps,
        inactive_at=standing.inactive_at,
        qualifying=standing.qualifying,
        cards={
            name: CardGiven(held.stamps, held.cards, held.best, held.last, held.every)
            for name, held in standing.cards.items()
        },
        tier=standing.tier,
        tier_until=standing.tier_until,
    )


def _given_key(key: BusinessKey) -> Key:
    return Key(key.source, key.kind, key.id)


def _taken_key(program: str, key: Key) -> BusinessKey:
    return BusinessKey(program, key.source, key.kind, key.id)
