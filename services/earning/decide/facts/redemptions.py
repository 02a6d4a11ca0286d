"""Redemptions: points are spent once for an id, and come back when it is cancelled. Rules 14, 18 to 20 and 55 to 57."""

from __future__ import annotations

from datetime import timedelta

from services.earning.decide.core.case import Case, Prepared
from services.earning.decide.core.content import command_hash
from services.earning.decide.core.decision import Outcome
from services.earning.decide.core.draft import Draft, event_key, in_parts, lot_change, postings_of
from services.earning.decide.core.local_days import end_of_day, local_date
from services.earning.decide.points.lifetimes import ends_at, mark_active
from services.earning.decide.points.lots import note_due, spendable
from services.earning.decide.points.tiers import tier_at
from services.earning.program.terms import Program, Reward
from services.earning.state.keys import RedemptionState, Take
from services.earning.state.standing import KeyRow, Lot
from shared.errors import PermanentError
from shared.facts.redemptions import RedemptionCancelled, RedemptionRequested
from shared.point_events import FactRecorded, LotChange, PointsRedeemed, PointsRestored, RedemptionRejected
from shared.reasons import Reason

RESTORED_DAYS_MIN = 30
"""The least time to spend points that came back, once for each part of a lot."""

_MOMENT = timedelta(microseconds=1)


def _conflict(case: Case) -> PermanentError:
    return PermanentError(Reason.CONFLICT, f"{case.key.kind} {case.key.id!r} is known with another content")


def prepare_redemption(case: Case, data: RedemptionRequested) -> Prepared | None:
    """Decide a request, once for its id. None: it is known already.

    Raises:
        PermanentError: `conflict`, where the id is known with another content.
    """
    book, asked = case.state(RedemptionState), command_hash(case.fact)
    if book.content_hash == asked:
        return None
    if book.content_hash:
        raise _conflict(case)

    def redeem(draft: Draft) -> Outcome:
        reward = _reward(case.program, data.reward)
        points = reward.points if reward is not None else data.points or 0
        refused = _refused(case, draft, book, data, reward, points)
        kept = RedemptionState(asked, cancels=book.cancels)
        row = draft.put(case.key, kept)
        key, version = event_key(case.key), case.program.version
        redemption, reward_id, order = data.redemption_id, data.reward or "", data.order_id or ""
        if refused is not None:
            draft.record(
                RedemptionRejected(
                    key=key,
                    program_version=version,
                    redemption=redemption,
                    reason=refused,
                    points=max(0, points),
                    reward=reward_id,
                    order=order,
                )
            )
            return Outcome.REJECTED
        lots = _take(draft, row, kept, points)
        mark_active(draft.standing, case.program, case.fact.occurred_at)
        for some in in_parts(lots):
            part = -sum(change.change for change in some)
            draft.record(
                PointsRedeemed(
                    key=key,
                    program_version=version,
                    postings={"available": -part, "redeemed": part},
                    redemption=redemption,
                    points=part,
                    lots=some,
                    reward=reward_id,
                    order=order,
                )
            )
        return Outcome.APPLIED

    return redeem


def _reward(program: Program, name: str | None) -> Reward | None:
    return next((reward for reward in program.rewards if reward.id == name), None)


def _refused(
    case: Case, draft: Draft, book: RedemptionState, data: RedemptionRequested, reward: Reward | None, points: int
) -> Reason | None:
    """Why a redemption is refused; None: it is not."""
    standing = draft.standing
    if book.cancels:
        return Reason.CANCELLED
    if standing.closed:
        return Reason.MEMBER_CLOSED
    if data.reward is not None and reward is None:
        return Reason.UNKNOWN_REWARD
    if points <= 0:
        return Reason.INVALID_POINTS
    happened = case.fact.occurred_at
    if reward is not None and reward.tiers:
        tier = tier_at(standing, case.versions, happened)
        if tier not in reward.tiers:
            return Reason.TIER_REQUIRED
    return Reason.INSUFFICIENT_POINTS if standing.balances.available < points else None


def _take(draft: Draft, row: KeyRow, book: RedemptionState, points: int) -> list[LotChange]:
    """Take points out of lots in the order of consumption, and remember of which, with their dates."""
    standing = draft.standing
    changes = []
    rest = points
    for lot in spendable(draft, points):
        part = min(rest, lot.remaining)
        if not part:
            break
        rest -= part
        book.takes.append(Take(lot.lot, part, ends_at(standing, lot), lot.follows, lot.extended))
        changes.append(draft.change_lot(lot.lot, -part))
    row.lots = [take.lot for take in book.takes]
    book.points, book.taken_at, book.forgiven = points, standing.clock, standing.forgiven_place
    return changes


def prepare_return(case: Case, data: RedemptionCancelled) -> Prepared | None:
    """Give points of a redemption back, once for a cancel's id. None: it is known already.

    Raises:
        PermanentError: `conflict`, where the cancel's id is known with another content.
    """
    book, asked, cancel = case.state(RedemptionState), command_hash(case.fact), data.cancel_id or ""
    if book.cancels.get(cancel) == asked:
        return None
    if cancel in book.cancels:
        raise _conflict(case)

    def give_back(draft: Draft) -> Outcome:
        kept = RedemptionState(
            book.content_hash, book.points, book.taken_at, book.forgiven, book.takes, {**book.cancels, cancel: asked}
        )
        draft.put(case.key, kept)
        left = sum(take.points for take in kept.takes)
        points = left if data.points is None else min(left, data.points)
        closed = draft.standing.closed
        if closed or not points:
            reason = Reason.NOTHING_CHANGED if kept.content_hash else Reason.WAITS_FOR_REQUEST
            reason = Reason.MEMBER_CLOSED if closed and points else reason
            draft.record(FactRecorded(key=event_key(case.key), reason=reason))
            return Outcome.APPLIED
        _Return(draft, case, kept, points).record(data.redemption_id, cancel)
        return Outcome.APPLIED

    return give_back


class _Return:
    """Points that come back from a redemption: the parts taken last come first.

    They make up for what was forgiven since, then pay what is owed; the rest become parts of the lots they came from.
    """

    def __init__(self, draft: Draft, case: Case, book: RedemptionState, points: int) -> None:
        self._draft = draft
        self._key = event_key(case.key)
        self._book = book
        program = case.versions.at(draft.standing.clock) or case.versions.all[0]
        self._program = program
        self._points = points
        self._made_up = _make_up(draft, book, points)
        self._paid = min(points - self._made_up, draft.standing.balances.deficit)
        self._lots: list[LotChange] = []

    def record(self, redemption: str, cancel: str) -> None:
        """Give the points back, and say so."""
        aside = self._made_up + self._paid
        takes = [*self._book.takes]
        rest = self._points
        while rest:
            take = takes[-1]
            part = min(rest, take.points)
            rest -= part
            if part == take.points:
                takes.pop()
            else:
                takes[-1] = Take(take.lot, take.points - part, take.expires_at, take.follows, take.extended)
            kept = max(0, part - aside)
            aside -= part - kept
            if kept:
                self._lots.append(self._part(take, kept))
        self._book.takes = takes
        restored = self._points - self._made_up
        self._draft.record(
            PointsRestored(
                key=self._key,
                program_version=self._program.version,
                postings=postings_of(available=restored - self._paid, deficit=self._paid, restored=-restored),
                redemption=redemption,
                cancel=cancel,
                points=restored,
                lots=self._lots,
                made_up_for_forgiven=self._made_up,
            )
        )

    def _part(self, take: Take, points: int) -> LotChange:
        """A part of a lot that came back: a further lot of the same award, with its own date.

        Raises:
            RowsMissingError: the award's row was not looked for yet.
        """
        draft, standing = self._draft, self._draft.standing
        source = draft.lot(take.lot)
        award = draft.row(source.key)
        standing.lots += 1
        part = Lot(
            standing.lots,
            source.key,
            points,
            points,
            source.earned_at,
            source.available_at,
            version=source.version,
            follows=take.follows,
            extended=take.extended,
        )
        self._date(part, take)
        draft.lots[part.lot] = part
        if award is not None:
            draft.keys[source.key] = KeyRow(award.key, award.member, award.book, [*award.lots, part.lot])
        note_due(standing, part)
        return lot_change(part, points)

    def _date(self, part: Lot, take: Take) -> None:
        """The later of its date and now plus the time that was left, or 30 days if this part never used them."""
        if take.expires_at is None or self._book.taken_at is None:
            return
        zone = self._program.zone
        last = local_date(zone, take.expires_at - _MOMENT)
        left = max(0, (last - local_date(zone, self._book.taken_at)).days)
        days = left if take.extended else max(left, RESTORED_DAYS_MIN)
        again = local_date(zone, self._draft.standing.clock) + timedelta(days=days)
        part.extended = take.extended or left < RESTORED_DAYS_MIN
        part.expires_at = end_of_day(zone, again) if again > last else take.expires_at


def _make_up(draft: Draft, book: RedemptionState, points: int) -> int:
    """How many of the points make up for what was forgiven since the redemption, each forgiven point once.

    Forgiven points are places on the member's forgiven counter; the standing remembers those that are made up for.
    What was forgiven elsewhere, before accounts were merged, counts for the redemptions that came with it.
    """
    standing = draft.standing
    others = [span for span in standing.forgiven_elsewhere if span[0] > book.forgiven]
    last = standing.forgiven_place
    made_up, at = 0, book.forgiven
    for begins, ends in [*sorted([*standing.made_up, *others]), (last, last)]:
        free = min(max(0, begins - at), points - made_up)
        if free:
            standing.made_up = _joined([*standing.made_up, (at, at + free)])
            made_up += free
        at = max(at, ends)
    return made_up


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, those that touch made one."""
    joined: list[tuple[int, int]] = []
    for begins, ends in sorted(spans):
        if joined and joined[-1][1] >= begins:
            joined[-1] = (joined[-1][0], max(joined[-1][1], ends))
        else:
            joined.append((begins, ends))
    return joined
