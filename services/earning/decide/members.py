"""Members: standings begin, and enrolment says who they are."""

from __future__ import annotations

from datetime import datetime

from services.earning.books import MemberBook
from services.earning.decide.content import content_hash
from services.earning.decide.draft import Draft
from services.earning.decide.tiers import base_of
from services.earning.program.terms import Versions
from services.earning.source_events.facts import Fact, MemberEnrolled
from services.earning.standing import BusinessKey, KeyRow, Standing
from shared.point_events import Balances, Key
from shared.point_events import MemberEnrolled as MemberEnrolledEvent

_SEEN_MAX = 64


def new_standing(versions: Versions, fact: Fact, clock: datetime, decided_at: datetime) -> Standing:
    """The standing of a member of whom we hear for the first time."""
    return Standing(fact.program, fact.member, clock, decided_at, Balances(), tier=base_of(versions, clock))


def enrolment_known(row: KeyRow | None, fact: Fact) -> bool:
    """Whether this enrolment fact, by content and time, is known."""
    return row is not None and isinstance(row.book, MemberBook) and content_hash(fact) in row.book.seen


def enrol(draft: Draft, key: BusinessKey, row: KeyRow | None, fact: Fact, data: MemberEnrolled) -> None:
    """Take in who the member is: the newest fact counts; the day of joining never moves."""
    known = row.book if row is not None and isinstance(row.book, MemberBook) else MemberBook()
    new_hash = content_hash(fact)
    newest = known.time is None or (fact.occurred_at, new_hash) > (known.time, known.content_hash)
    book = MemberBook(
        [*known.seen[-_SEEN_MAX + 1 :], new_hash],
        fact.occurred_at if newest else known.time,
        new_hash if newest else known.content_hash,
    )
    draft.keys[key] = KeyRow(key, fact.member, book, row.lots if row is not None else [])
    standing = draft.standing
    if standing.joined_at is None:
        standing.joined_at = data.joined_at or fact.occurred_at
    if newest:
        standing.segments = data.segments
        standing.attributes = data.attributes
    draft.say(
        MemberEnrolledEvent,
        key=Key(key.source, key.kind, key.id),
        joined_at=standing.joined_at,
        segments=list(standing.segments),
        attributes=standing.attributes,
    )
