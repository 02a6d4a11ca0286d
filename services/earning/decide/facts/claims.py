"""Claims: a member hands over all they have to another who is the same person, and is their alias for ever. Rule 30.

A claim asks, the other hands over in parts small enough for one event each, and the claimer takes them in. Who is just
claiming others hands nothing over, so that no ring can close; of two who claim each other the one first by name stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import msgspec
from msgspec.structs import replace

from services.earning.decide.core.case import Case, Prepared
from services.earning.decide.core.content import command_hash
from services.earning.decide.core.decision import Outcome
from services.earning.decide.core.draft import Draft, event_key, in_parts, postings_of
from services.earning.decide.facts.handover import given_account, given_lot, given_row
from services.earning.decide.points.ladder import present_ladder
from services.earning.decide.points.tiers import move_to
from services.earning.source_events.facts import Fact
from services.earning.source_events.handover import ClaimGiven, LotGiven, RowGiven
from services.earning.source_events.messages import ClaimAsked, ClaimRefused
from services.earning.state.keys import CommandState
from services.earning.state.standing import Lot, RowsMissingError
from shared.facts.members import MemberClaimed, MemberClosed, MemberEnrolled, MemberUpdated
from shared.point_events import FactRecorded, Key, PointsTransferred
from shared.reasons import Reason

ASKED, REFUSED, GIVEN = "tallystick.claim.asked.v1", "tallystick.claim.refused.v1", "tallystick.claim.given.v2"

PART_BYTES_MAX = 120 * 1024
"""How much of rows and lots a message may carry: an event holds at most twice that, and the standing."""

_REFUSED = CommandState()
"""What is left of a claim that was refused: it may be made again."""

_encode = msgspec.json.encode

_Part = tuple[tuple[LotGiven, ...], tuple[RowGiven, ...]]


def prepare_claim(case: Case, data: MemberClaimed) -> Prepared | None:
    """Ask the id that is claimed to hand over. None: it was asked before, and did not refuse."""
    if case.row is not None and case.row.book != _REFUSED:
        return None

    def ask(draft: Draft) -> Outcome:
        standing = draft.standing
        if standing.closed:
            draft.put(case.key, _REFUSED)
            draft.record(FactRecorded(key=event_key(case.key), reason=Reason.MEMBER_CLOSED))
            return Outcome.APPLIED
        draft.put(case.key, CommandState(command_hash(case.fact)))
        if data.guest == standing.member or data.guest in standing.claiming:
            draft.record(FactRecorded(key=event_key(case.key), reason=Reason.NOTHING_CHANGED))
            return Outcome.APPLIED
        standing.claiming = (*standing.claiming, data.guest)
        draft.record(FactRecorded(key=event_key(case.key), reason=Reason.CLAIM_ASKED))
        draft.send(data.guest, case.key, ASKED, 1, ClaimAsked(by=standing.member))
        return Outcome.APPLIED

    return ask


def prepare_refusal(case: Case, data: ClaimRefused) -> Prepared:
    """The other does not hand over."""

    def note(draft: Draft) -> Outcome:
        standing = draft.standing
        standing.claiming = tuple(one for one in standing.claiming if one != data.guest)
        claim = case.key._replace(kind="claim")
        if draft.row(claim) is not None:
            draft.put(claim, _REFUSED)
        draft.record(FactRecorded(key=event_key(case.key), reason=Reason.CLAIM_REFUSED))
        return Outcome.APPLIED

    return note


def prepare_handing(case: Case, data: ClaimAsked) -> Prepared:
    """Hand all over to the one who claims, or refuse: who has handed over once has nothing more to give."""

    def hand(draft: Draft) -> Outcome:
        standing = draft.standing
        both = data.by in standing.claiming and standing.member > data.by
        if standing.claimed_by or (standing.claiming and not both):
            draft.record(FactRecorded(key=event_key(case.key), reason=Reason.CLAIM_REFUSED))
            draft.send(data.by, case.key, REFUSED, 1, ClaimRefused(guest=standing.member))
        else:
            _hand_over(draft, case, data.by)
        return Outcome.APPLIED

    return hand


def _hand_over(draft: Draft, case: Case, by: str) -> None:
    """Everything goes: lots with what is left of them, rows, sums.

    Raises:
        RowsMissingError: some of it is not there.
    """
    if not draft.rows.all_keys:
        raise RowsMissingError(every_row=True)
    account, lots_made = given_account(draft.standing), draft.standing.lots
    rows = sorted(draft.rows.keys.values(), key=lambda row: row.key)
    lots = sorted((replace(lot) for lot in draft.visible_lots()), key=lambda lot: lot.lot)
    _record_out(draft, case, by, lots)
    draft.gone = frozenset(row.key for row in rows)
    parts = [*_parts(map(given_lot, lots), map(given_row, rows))] or [((), ())]
    for number, (some_lots, some_rows) in enumerate(parts, 1):
        given = ClaimGiven(
            guest=account.member,
            part=number,
            parts=len(parts),
            lots_made=lots_made,
            lots=some_lots,
            rows=some_rows,
            account=account if number == 1 else None,
        )
        draft.send(by, case.key, GIVEN, number, given)
    _leave(draft, case, by)


def _record_out(draft: Draft, case: Case, by: str, lots: list[Lot]) -> None:
    """What is taken out of the lots, and what was owed, as events."""
    key = event_key(case.key)
    changes = []
    for lot in lots:
        if lot.remaining:
            changes.append(draft.change_lot(lot.lot, -lot.remaining))
        own = draft.own_lot(lot.lot)
        own.qualifies, own.expired, own.release_at = 0, 0, None
    for some in in_parts(changes):
        pending = sum(change.change for change in some if change.pending)
        points = sum(change.change for change in some)
        postings = postings_of(available=points - pending, pending=pending, transferred_out=-points)
        draft.record(PointsTransferred(key=key, postings=postings, points=points, other=by, lots=some))
    owed = draft.standing.balances.deficit
    if owed:
        postings = {"deficit": owed, "transferred_out": -owed}
        draft.record(PointsTransferred(key=key, postings=postings, points=owed, other=by))
    if not changes and not owed:
        draft.record(FactRecorded(key=key, reason=Reason.MEMBER_CLAIMED))


def _leave(draft: Draft, case: Case, by: str) -> None:
    """Nothing is left that time could change; the tier goes with the rest, and an event says so."""
    standing, ladder = draft.standing, present_ladder(draft)
    standing.claimed_by, standing.claiming, standing.referred = by, (), ()
    standing.qualifying, standing.cards, standing.caps = {}, {}, {}
    standing.orders_open, standing.lifetime, standing.bonuses = 0, 0, ()
    standing.assigned_tier, standing.assigned_until, standing.assigned_by = "", None, ""
    if ladder is not None:
        move_to(draft, ladder, ladder.tiers.base, "claimed", case.key)
    standing.tier_until = None
    standing.lots_due = standing.inactive_at = standing.tier_check = None


def _parts(lots: Iterable[LotGiven], rows: Iterable[RowGiven]) -> Iterator[_Part]:
    """Lots, then rows, in portions of a limited size: mostly one, so that the claimer has it all at once."""
    some: list[LotGiven | RowGiven] = []
    size = 0
    for thing in chain[LotGiven | RowGiven](lots, rows):
        weight = len(_encode(thing))
        if some and size + weight > PART_BYTES_MAX:
            yield _sorted_out(some)
            some, size = [], 0
        some.append(thing)
        size += weight
    if some:
        yield _sorted_out(some)


def _sorted_out(some: list[LotGiven | RowGiven]) -> _Part:
    lots = tuple(one for one in some if isinstance(one, LotGiven))
    return lots, tuple(one for one in some if isinstance(one, RowGiven))


def forward(draft: Draft, fact: Fact, key: Key) -> None:
    """A fact of an alias is its owner's; what it says of the alias as a member is only noted."""
    standing = draft.standing
    draft.record(FactRecorded(key=key, reason=Reason.MEMBER_CLAIMED))
    if not isinstance(fact.data, MemberEnrolled | MemberUpdated | MemberClosed):
        draft.messages.append(
            msgspec.structs.replace(fact, member=standing.claimed_by, topic="", partition=-1, offset=-1)
        )
