"""Members: standings begin; enrolment says who they are; a membership ends; a person gives a tier.

Rules 30, 36, 64 and 71.
"""

from __future__ import annotations

from datetime import datetime

from services.earning.decide.core.case import Case, Prepared
from services.earning.decide.core.content import content_hash
from services.earning.decide.core.decision import Outcome
from services.earning.decide.core.draft import Draft, event_key
from services.earning.decide.facts.enrolment import bring_in
from services.earning.decide.points.ladder import ladder_of, present_ladder
from services.earning.decide.points.reversal import forgive
from services.earning.decide.points.tiers import TierGiven, base_of, give_tier
from services.earning.decide.points.timers import expire_lot, record_expired
from services.earning.program.terms import Versions
from services.earning.source_events.facts import Fact
from services.earning.state.keys import MemberState, Said
from services.earning.state.standing import RowsMissingError, Standing
from shared.errors import PermanentError
from shared.facts.members import MemberClosed, MemberEnrolled, MemberUpdated, TierAssigned
from shared.point_events import Balances, FactRecorded
from shared.point_events import MemberClosed as MemberClosedEvent
from shared.point_events import MemberEnrolled as MemberEnrolledEvent
from shared.reasons import Reason

_SEEN_MAX = 64


def new_standing(versions: Versions, fact: Fact, clock: datetime, decided_at: datetime) -> Standing:
    """The standing of a member of whom we hear for the first time."""
    tier, since = base_of(versions, clock), fact.occurred_at
    if isinstance(fact.data, MemberEnrolled):
        since = fact.data.joined_at or since
    program = versions.at(clock) or versions.all[0]
    guest = program.enrolment_required and not isinstance(fact.data, MemberEnrolled)
    return Standing(fact.program, fact.member, clock, decided_at, Balances(), tier=tier, since=since, provisional=guest)


def _kept(case: Case, draft: Draft, new_hash: int, *things: str) -> set[str]:
    """Keep a fact about the member in its book; on which of the things it speaks of it is the newest, and so counts."""
    known, said = case.state(MemberState), Said(case.fact.occurred_at, new_hash)
    newest = {thing for thing in things if thing not in known.said or known.said[thing] < said}
    seen = [*known.seen[-_SEEN_MAX + 1 :], new_hash]
    draft.put(case.key, MemberState(seen, known.said | dict.fromkeys(sorted(newest), said)))
    return newest


def prepare_member(case: Case, data: MemberEnrolled | MemberUpdated) -> Prepared | None:
    """Take in who the member is: of each thing the newest word counts; the day of joining never moves.

    None: it is known already.
    """
    new_hash = content_hash(case.fact)
    if new_hash in case.state(MemberState).seen:
        return None
    enrols = isinstance(data, MemberEnrolled)
    told = {"membership": enrols, "segments": data.segments is not None, "attributes": data.attributes is not None}

    def enrol(draft: Draft) -> Outcome:
        newest = _kept(case, draft, new_hash, *(thing for thing, is_told in told.items() if is_told))
        standing = draft.standing
        if isinstance(data, MemberEnrolled):
            standing.joined_at = standing.joined_at or data.joined_at or case.fact.occurred_at
        if "membership" in newest:
            standing.closed = False
        if "segments" in newest:
            standing.segments = data.segments or ()
        if "attributes" in newest:
            standing.attributes = data.attributes or {}
        draft.record(
            MemberEnrolledEvent(
                key=event_key(case.key),
                joined_at=standing.joined_at or standing.since or case.fact.occurred_at,
                segments=list(standing.segments),
                attributes=standing.attributes,
            )
        )
        if isinstance(data, MemberEnrolled):
            bring_in(draft, case)
        return Outcome.APPLIED

    return enrol


def prepare_close(case: Case, _: MemberClosed) -> Prepared | None:
    """End a membership: what is left expires, what is owed is forgiven. None: it is known already."""
    new_hash = content_hash(case.fact)
    if new_hash in case.state(MemberState).seen:
        return None

    def close(draft: Draft) -> Outcome:
        newest = _kept(case, draft, new_hash, "membership")
        standing = draft.standing
        if not newest or standing.closed:
            draft.record(FactRecorded(key=event_key(case.key), reason=Reason.NOTHING_CHANGED))
            return Outcome.APPLIED
        if not draft.rows.all_lots:
            raise RowsMissingError(everything=True)
        lots = sorted(draft.visible_lots(), key=lambda lot: lot.lot)
        record_expired(draft, [expire_lot(draft, lot.lot) for lot in lots if lot.remaining], "closed")
        for lot in lots:
            if lot.available_at is None and case.versions.numbered(lot.version).qualifies_by_points:
                draft.own_lot(lot.lot).release_at = None
        standing.closed = True
        if standing.balances.deficit:
            forgive(draft, event_key(case.key), 0, standing.balances.deficit, "closed")
        draft.record(MemberClosedEvent(key=event_key(case.key)))
        return Outcome.APPLIED

    return close


def prepare_tier(case: Case, data: TierAssigned) -> Prepared | None:
    """Hold a tier up at least until an instant, or to the end of the next window. None: it is known already.

    Raises:
        PermanentError: `unknown_tier`, where the program in force has none of that name.
    """
    new_hash = content_hash(case.fact)
    if new_hash in case.state(MemberState).seen:
        return None
    ladder = ladder_of(case.program)
    if ladder is None or ladder.rank(data.tier) < 0:
        message = f"the program has no tier {data.tier!r}"
        raise PermanentError(Reason.UNKNOWN_TIER, message, field="data.tier")

    def assign(draft: Draft) -> Outcome:
        newest = _kept(case, draft, new_hash, "tier")
        if draft.standing.closed or not newest:
            reason = Reason.MEMBER_CLOSED if draft.standing.closed else Reason.NOTHING_CHANGED
            draft.record(FactRecorded(key=event_key(case.key), reason=reason))
            return Outcome.APPLIED
        present = present_ladder(draft) or ladder
        draft.record(
            FactRecorded(key=event_key(case.key), program_version=present.program.version, reason=Reason.TIER_ASSIGNED)
        )
        give_tier(draft, present, TierGiven(data.tier, data.until), "assigned", case.key)
        return Outcome.APPLIED

    return assign
