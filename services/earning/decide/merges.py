"""Merges: what an id had that was claimed becomes the claimer's, part by part, in any order of arrival."""

from __future__ import annotations

from msgspec.structs import replace

from services.earning.books import AliasBook, Book, CapBook, ClaimBook, LimitBook, RedemptionBook
from services.earning.decide.case import Case, Prepared
from services.earning.decide.decision import Outcome
from services.earning.decide.draft import Draft, in_parts, public, told
from services.earning.decide.dues import release_lot
from services.earning.decide.grants import Granting
from services.earning.decide.ladder import ladder_of
from services.earning.decide.lots import note_due
from services.earning.decide.reversal import take_back
from services.earning.decide.stamps import collect
from services.earning.decide.tiers import Qualified, TierGiven, give_tier, move_tier, qualify, together
from services.earning.source_events.messages import ClaimGiven
from services.earning.standing import BusinessKey, CardHeld, KeyRow, Lot, RowsMissingError, Standing
from shared.point_events import FactRecorded, LotChange, PointsTransferred
from shared.reasons import Reason

_COUNTED = frozenset({"cap", "limit"})
"""Kinds of rows that count something of a member in a window: two members' counts add up."""


def prepare_taking(case: Case, data: ClaimGiven) -> Prepared | None:
    """Take a part in. None: it was taken before."""
    known = case.row.book if case.row is not None and isinstance(case.row.book, AliasBook) else None
    if known is not None and data.part in known.parts:
        return None

    def take(draft: Draft) -> Outcome:
        standing = draft.standing
        book = known
        if book is None:
            book = AliasBook(standing.lots)
            standing.lots += data.lots_made
        book = AliasBook(book.offset, (*book.parts, data.part))
        draft.keys[case.key] = KeyRow(case.key, standing.member, book)
        said = len(draft.events)
        moved = _take_lots(draft, case, data, book.offset)
        _take_rows(draft, data, book.offset)
        if data.standing is not None:
            moved += _take_sums(draft, case, data.standing)
        if len(book.parts) == data.parts:
            standing.claiming = tuple(one for one in standing.claiming if one != data.guest)
        if len(draft.events) == said:
            draft.say(FactRecorded, key=public(case.key), reason=Reason.MEMBER_CLAIMED)
        present = ladder_of(case.versions.at(standing.clock))
        qualified = together(moved)
        if present is not None and qualified.changes:
            move_tier(draft, present, qualified, public(case.key))
        if present is not None and data.standing is not None:
            _take_tier(draft, case, data.standing)
        return Outcome.APPLIED

    return take


def _take_lots(draft: Draft, case: Case, data: ClaimGiven, offset: int) -> list[Qualified]:
    """The other's lots, with their dates; what the claimer owes is paid first, what need not wait is released."""
    standing = draft.standing
    changes: list[LotChange] = []
    waiting: list[Lot] = []
    paid = 0
    for theirs in data.lots:
        lot = replace(theirs, lot=theirs.lot + offset)
        draft.lots[lot.lot] = lot
        if lot.available_at is not None:
            part = min(lot.remaining, standing.balances.deficit - paid)
            lot.remaining -= part
            paid += part
        elif lot.release_at is not None and lot.release_at <= standing.clock and not standing.provisional:
            waiting.append(lot)
        note_due(standing, lot)
        if theirs.remaining:
            changes.append(told(lot, lot.remaining))
    for number, some in enumerate(in_parts(changes)):
        _say_in(draft, case, data, some, paid if not number else 0)
    return [
        release_lot(draft, case.versions, lot.lot, max(lot.release_at or standing.clock, standing.clock))
        for lot in waiting
    ]


def _say_in(draft: Draft, case: Case, data: ClaimGiven, some: list[LotChange], paid: int) -> None:
    pending = sum(change.change for change in some if change.pending)
    points = sum(change.change for change in some) + paid
    moved = {"available": points - pending - paid, "pending": pending, "deficit": paid, "transferred_in": -points}
    postings = {account: change for account, change in moved.items() if change}
    draft.say(PointsTransferred, key=public(case.key), postings=postings, points=points, other=data.guest, lots=some)


def _take_rows(draft: Draft, data: ClaimGiven, offset: int) -> None:
    """The other's rows, the claimer's from now on; counts of windows add up.

    Raises:
        RowsMissingError: a row was not looked for yet.
    """
    me = draft.standing.member
    pairs = [(row, _renamed(row.key, data.guest, me)) for row in data.rows]
    keys = {key for row, own in pairs for key in (row.key, own)}
    missing = tuple(sorted(key for key in keys if key not in draft.rows.keys and key not in draft.rows.asked))
    if missing:
        raise RowsMissingError(keys=missing)
    for row, own in pairs:
        mine = draft.row(own) if own != row.key else None
        draft.keys[row.key] = KeyRow(row.key, me, _mapped(row.book, offset), [number + offset for number in row.lots])
        if own != row.key:
            draft.keys[own] = KeyRow(own, me, _added(row.book, mine.book if mine is not None else None))


def _renamed(key: BusinessKey, guest: str, me: str) -> BusinessKey:
    """The claimer's own row of the same window or product; another kind of row keeps its name."""
    if key.kind in _COUNTED or key.kind == "reviewed_product":
        return key._replace(id=me + key.id.removeprefix(guest))
    return key


def _added(theirs: Book, mine: Book | None) -> Book:
    if isinstance(theirs, CapBook):
        return CapBook(theirs.points + (mine.points if isinstance(mine, CapBook) else 0))
    if isinstance(theirs, LimitBook):
        return LimitBook(theirs.used + (mine.used if isinstance(mine, LimitBook) else 0))
    return mine if isinstance(mine, ClaimBook) and mine.holder else theirs


def _mapped(book: Book, offset: int) -> Book:
    """A book that names lots names them by the claimer's numbers."""
    if not isinstance(book, RedemptionBook):
        return book
    takes = [replace(take, lot=take.lot + offset) for take in book.takes]
    return replace(book, takes=takes)


def _take_sums(draft: Draft, case: Case, theirs: Standing) -> list[Qualified]:
    """What was owed is paid or owed from now on; sums, stamps and counts add up; who joined first joined then."""
    standing = draft.standing
    owed = theirs.balances.deficit
    if owed:
        taken = take_back(draft, None, owed)
        postings = {**taken.postings, "transferred_in": owed}
        draft.say(
            PointsTransferred,
            key=public(case.key),
            postings=postings,
            points=-owed,
            other=theirs.member,
            lots=taken.lots,
        )
    standing.since = min(filter(None, (standing.since, theirs.since)), default=None)
    standing.joined_at = min(filter(None, (standing.joined_at, theirs.joined_at)), default=None)
    standing.segments = tuple(dict.fromkeys((*standing.segments, *theirs.segments)))
    standing.attributes = theirs.attributes | standing.attributes
    standing.orders_open += theirs.orders_open
    standing.lifetime += theirs.lifetime
    standing.bonuses = tuple(dict.fromkeys((*standing.bonuses, *theirs.bonuses)))
    standing.referred = (*standing.referred, *theirs.referred)
    standing.caps = _summed(standing.caps, theirs.caps)
    standing.inactive_at = max(filter(None, (standing.inactive_at, theirs.inactive_at)), default=None)
    present = ladder_of(case.versions.at(standing.clock))
    return [qualify(standing, present, theirs.qualifying), *_take_cards(draft, case, theirs)]


def _take_cards(draft: Draft, case: Case, theirs: Standing) -> list[Qualified]:
    """Stamps add up: together they may complete a card that neither had."""
    standing = draft.standing
    program = case.versions.at(standing.clock)
    granting = Granting(draft, case.versions, "stamps_lost")
    for name, held in theirs.cards.items():
        mine = standing.cards.get(name, CardHeld())
        both = CardHeld(
            mine.stamps, mine.cards + held.cards, mine.best + held.best, mine.last, mine.every or held.every
        )
        standing.cards = {**standing.cards, name: both}
    row = KeyRow(case.key, standing.member, AliasBook())
    collect(granting, row, program, {}, {name: held.stamps for name, held in theirs.cards.items()})
    return granting.moved


def _take_tier(draft: Draft, case: Case, theirs: Standing) -> None:
    """The better of both tiers is held, as long as its holder would have held it."""
    ladder = ladder_of(case.versions.at(draft.standing.clock))
    if ladder is not None and ladder.rank(theirs.tier) > ladder.rank(draft.standing.tier):
        give_tier(draft, ladder, TierGiven(theirs.tier, theirs.tier_until), "claimed", public(case.key))


def _summed(mine: dict[str, int], theirs: dict[str, int]) -> dict[str, int]:
    return {name: mine.get(name, 0) + theirs.get(name, 0) for name in {**mine, **theirs}}
