"""Merges: what an id had that was claimed becomes the claimer's, part by part, in any order of arrival. Rule 30."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from services.earning.decide.core.case import Case, Prepared
from services.earning.decide.core.decision import Outcome
from services.earning.decide.core.draft import Draft, event_key, in_parts, lot_change, postings_of
from services.earning.decide.facts.enrolment import release_waiting
from services.earning.decide.facts.handover import taken_lots, taken_rows
from services.earning.decide.facts.imports import batch_of, both
from services.earning.decide.facts.stamps import collect
from services.earning.decide.points.ladder import Ladder, present_ladder
from services.earning.decide.points.lots import note_due
from services.earning.decide.points.reversal import forgive, take_back
from services.earning.decide.points.settlement import Settlement
from services.earning.decide.points.tiers import Qualified, TierGiven, give_tier, qualify, rise_or_fall, together
from services.earning.decide.points.timers import expire, expire_lot, record_expired, release_lot
from services.earning.decide.value.caps import use
from services.earning.source_events.handover import AccountGiven, ClaimGiven
from services.earning.source_events.handover_v1 import ClaimGivenV1, upgraded
from services.earning.state.keys import (
    AliasState,
    BatchState,
    BonusState,
    CapState,
    CardState,
    ClaimState,
    KeyState,
    LimitState,
    RedemptionState,
)
from services.earning.state.standing import BusinessKey, CardHeld, KeyRow, Lot, Referral, RowsMissingError, Standing
from shared.point_events import FactRecorded, LotChange, PointsTransferred
from shared.reasons import Reason

_OF_MEMBERS = frozenset({"limit", "reviewed_product", "entry_bonus"})
"""Kinds of rows of which each member has one of their own for the same thing, named by their id: two become one."""


def prepare_taking_v1(case: Case, data: ClaimGivenV1) -> Prepared | None:
    """Take in a part that an older version handed over. None: it was taken before."""
    return prepare_taking(case, upgraded(data))


def prepare_taking(case: Case, data: ClaimGiven) -> Prepared | None:
    """Take a part in. None: it was taken before."""
    known = case.state(AliasState)
    if data.part in known.parts:
        return None

    def take(draft: Draft) -> Outcome:
        standing = draft.standing
        book = known
        if case.row is None:
            cards = {name: (held.cards, held.last) for name, held in standing.cards.items()}
            book = AliasState(standing.lots, (), _moved_on(standing, data.account), cards)
            standing.lots += data.lots_made
        book = replace(book, parts=(*book.parts, data.part))
        draft.put(case.key, book)
        said = len(draft.events)
        enrolled = data.account is not None and standing.provisional and not data.account.provisional
        moved = release_waiting(draft) if enrolled else []
        moved += _take_lots(draft, case, data, book)
        _take_rows(draft, data, book)
        if data.account is not None:
            moved += _take_sums(draft, case, data.account)
        _end(draft, case)
        if len(book.parts) == data.parts:
            standing.claiming = tuple(one for one in standing.claiming if one != data.guest)
        if len(draft.events) == said:
            draft.record(FactRecorded(key=event_key(case.key), reason=Reason.MEMBER_CLAIMED))
        present = present_ladder(draft)
        if present is not None and not _take_tier(draft, present, case, data.account):
            rise_or_fall(draft, present, together(moved), case.key)
        return Outcome.APPLIED

    return take


def _take_lots(draft: Draft, case: Case, data: ClaimGiven, alias: AliasState) -> list[Qualified]:
    """The other's lots, with their dates; what the claimer owes is paid first, what need not wait is released."""
    standing = draft.standing
    changes: list[LotChange] = []
    waiting: list[Lot] = []
    paid = 0
    for theirs in taken_lots(standing.program, data.lots):
        number, key = theirs.lot + alias.offset, _renamed(theirs.key, data.guest, standing.member, alias)
        lot = replace(theirs, lot=number, key=key)
        draft.lots[lot.lot] = lot
        if lot.available_at is not None:
            part = min(lot.remaining, standing.balances.deficit - paid)
            lot.remaining -= part
            paid += part
        elif lot.release_at is not None and lot.release_at <= standing.clock and not standing.provisional:
            waiting.append(lot)
        note_due(standing, lot)
        if theirs.remaining:
            changes.append(lot_change(lot, lot.remaining))
    for number, some in enumerate(in_parts(changes)):
        _record_in(draft, case, data, some, paid if not number else 0)
    return [release_lot(draft, lot.lot, max(lot.release_at or draft.occurred_at, draft.occurred_at)) for lot in waiting]


def _end(draft: Draft, case: Case) -> None:
    """What came too late, for its own time or because the claimer's membership has ended, ends at once."""
    standing = draft.standing
    expire(draft, standing.clock)
    if not standing.closed:
        return
    lots = sorted(draft.lots.values(), key=lambda lot: lot.lot)
    record_expired(draft, [expire_lot(draft, lot.lot) for lot in lots if lot.remaining], "closed")
    for lot in lots:
        if lot.available_at is None and case.versions.numbered(lot.version).qualifies_by_points:
            lot.release_at = None
    if standing.balances.deficit:
        forgive(draft, event_key(case.key), 0, standing.balances.deficit, "closed")


def _record_in(draft: Draft, case: Case, data: ClaimGiven, some: list[LotChange], paid: int) -> None:
    pending = sum(change.change for change in some if change.pending)
    points = sum(change.change for change in some) + paid
    key = event_key(case.key)
    postings = postings_of(available=points - pending - paid, pending=pending, deficit=paid, transferred_in=-points)
    draft.record(PointsTransferred(key=key, postings=postings, points=points, other=data.guest, lots=some))


def _take_rows(draft: Draft, data: ClaimGiven, alias: AliasState) -> None:
    """The other's rows, the claimer's from now on; counts of windows add up.

    Raises:
        RowsMissingError: a row was not looked for yet.
    """
    program, me = draft.standing.program, draft.standing.member
    rows = taken_rows(program, data.guest, data.rows)
    pairs = [(row, _renamed(row.key, data.guest, me, alias)) for row in rows]
    keys = {key for row, own in pairs for key in (row.key, own)}
    missing = tuple(sorted(key for key in keys if key not in draft.rows.keys and key not in draft.rows.asked))
    if missing:
        raise RowsMissingError(keys=missing)
    for row, own in pairs:
        mine = draft.row(own) if own != row.key else None
        lots = [number + alias.offset for number in row.lots]
        book = _mapped(row, data.guest, alias)
        draft.keys[row.key] = KeyRow(row.key, me, book, lots)
        if isinstance(row.book, CapState):
            use(draft, (row.key.id.removeprefix(f"{data.guest}/"),), row.book.points)
        if own != row.key:
            lots = [*(mine.lots if mine is not None else []), *lots]
            draft.keys[own] = KeyRow(own, me, _added(book, mine.book if mine is not None else None), lots)


def _renamed(key: BusinessKey, guest: str, me: str, alias: AliasState) -> BusinessKey:
    """The claimer's own row of the same thing; another kind of row keeps its name."""
    if key.kind in _OF_MEMBERS:
        return key._replace(id=me + key.id.removeprefix(guest))
    if key.kind == "stamp_card":
        card, number = _card_of(key, guest)
        return key._replace(id=f"{me}/{card}/{alias.cards.get(card, (0, 0))[0] + number}")
    return batch_of(key, me) if key.kind == "import_batch" else key


def _card_of(key: BusinessKey, member: str) -> tuple[str, int]:
    """The card that a row is of, and the number of its first completion."""
    card, _, number = key.id.removeprefix(f"{member}/").rpartition("/")
    return card, int(number)


def _added(theirs: KeyState, mine: KeyState | None) -> KeyState:
    if isinstance(theirs, BonusState):
        return BonusState(theirs.points + (mine.points if isinstance(mine, BonusState) else 0))
    if isinstance(theirs, BatchState):
        return both(theirs, mine if isinstance(mine, BatchState) else BatchState(reverts=theirs.reverts))
    if isinstance(theirs, LimitState):
        return LimitState(theirs.used + (mine.used if isinstance(mine, LimitState) else 0))
    if isinstance(theirs, ClaimState):
        return ClaimState((*(mine.holders if isinstance(mine, ClaimState) else ()), *theirs.holders))
    return theirs


def _mapped(row: KeyRow, guest: str, alias: AliasState) -> KeyState:
    """A book that names lots, a place among forgiven points, or another card, names them as the claimer does."""
    book = row.book
    if isinstance(book, CardState):
        paid, last = alias.cards.get(_card_of(row.key, guest)[0], (0, 0))
        return replace(book, before=paid + book.before if book.before else last)
    if not isinstance(book, RedemptionState):
        return book
    takes = [replace(take, lot=take.lot + alias.offset) for take in book.takes]
    return replace(book, takes=takes, forgiven=book.forgiven + alias.forgiven)


def _moved_on(standing: Standing, theirs: AccountGiven | None) -> int:
    """Let what the other was forgiven have places of its own behind the claimer's; how much further they are.

    One place in between is nobody's, so that no redemption of the claimer's begins where the other's do.
    """
    here, length = standing.forgiven_place, theirs.forgiven if theirs is not None else 0
    if theirs is None or not length:
        return here
    begins = here + 1
    elsewhere = [(0, length), *theirs.forgiven_elsewhere]
    standing.forgiven_elsewhere = [*standing.forgiven_elsewhere, *_further(elsewhere, begins)]
    standing.made_up = [*standing.made_up, (here, begins), *_further(theirs.made_up, begins)]
    standing.forgiven_moved += begins + length - here
    return begins


def _further(spans: Iterable[tuple[int, int]], by: int) -> list[tuple[int, int]]:
    return [(begins + by, ends + by) for begins, ends in spans]


def _take_sums(draft: Draft, case: Case, theirs: AccountGiven) -> list[Qualified]:
    """What was owed is paid or owed from now on; sums, stamps and counts add up; who joined first joined then."""
    standing = draft.standing
    owed = theirs.owed
    if owed:
        taken = take_back(draft, None, owed)
        key, postings = event_key(case.key), {**taken.postings, "transferred_in": owed}
        event = PointsTransferred(key=key, postings=postings, points=-owed, other=theirs.member, lots=taken.lots)
        draft.record(event)
    standing.since = min(filter(None, (standing.since, theirs.since)), default=None)
    standing.joined_at = min(filter(None, (standing.joined_at, theirs.joined_at)), default=None)
    standing.segments = tuple(dict.fromkeys((*standing.segments, *theirs.segments)))
    standing.attributes = theirs.attributes | standing.attributes
    standing.orders_open += theirs.orders_open
    standing.lifetime += theirs.lifetime
    standing.bonuses = tuple(dict.fromkeys((*standing.bonuses, *theirs.bonuses)))
    referred = (Referral(one.source, one.order_id, one.referral_id) for one in theirs.referred)
    standing.referred = (*standing.referred, *referred)
    for window, points in theirs.caps.items():
        use(draft, (window,), points)
    standing.inactive_at = max(filter(None, (standing.inactive_at, theirs.inactive_at)), default=None)
    return [qualify(standing, present_ladder(draft), theirs.qualifying), *_take_cards(draft, case, theirs)]


def _take_cards(draft: Draft, case: Case, theirs: AccountGiven) -> list[Qualified]:
    """Stamps add up: together they may complete a card that neither had."""
    standing = draft.standing
    program = case.versions.at(standing.clock)
    settlement = Settlement(draft, "stamps_lost")
    for name, held in theirs.cards.items():
        mine = standing.cards.get(name, CardHeld())
        stamps = mine.stamps + held.stamps if standing.closed else mine.stamps
        last = mine.cards + held.last if held.last else mine.last
        every = mine.every or held.every
        joint = CardHeld(stamps, mine.cards + held.cards, mine.best + held.best, last, every)
        standing.cards = {**standing.cards, name: joint}
    if standing.closed:
        return []
    row = KeyRow(case.key, standing.member, AliasState())
    collect(settlement, row, program, {}, {name: held.stamps for name, held in theirs.cards.items()})
    return settlement.moved


def _take_tier(draft: Draft, ladder: Ladder, case: Case, theirs: AccountGiven | None) -> bool:
    """Hold the other's tier, as long as they would have held it. False: one's own, or that of the sums, is as good."""
    standing = draft.standing
    own = ladder.higher(standing.tier or ladder.tiers.base, ladder.qualified(standing))
    if theirs is None or ladder.rank(theirs.tier) <= ladder.rank(own):
        return False
    give_tier(draft, ladder, TierGiven(theirs.tier, theirs.tier_until), "claimed", case.key)
    return True
