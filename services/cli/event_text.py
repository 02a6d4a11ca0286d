"""Point events in words: one sentence each, for people who read a history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import singledispatch

from shared import point_events
from shared.point_events import EventData, LotChange, RuleShare
from shared.reasons import MEANINGS, Reason


def sentence(event: EventData, *, rules: bool = True) -> str:
    """What an event says: `earned 49 points: base 19.99 × 1 × 2.5 = 49.975 → 49`; on request without its rules."""
    if isinstance(event, point_events.PointsEarned) and not rules:
        return f"earned {points(event.points)}"
    return _say(event)


@singledispatch
def _say(event: EventData) -> str:
    """A kind that no function below says is named by its type."""
    return _plain(event.TYPE.removeprefix("loyalty.").removesuffix(".v1"))


def points(number: int) -> str:
    """`1 point`, `49 points`."""
    return f"{number:,} point" if number == 1 else f"{number:,} points"


def _because(rules: Iterable[RuleShare]) -> str:
    shares = "; ".join(_share(rule) for rule in rules)
    return f": {shares}" if shares else ""


def _share(rule: RuleShare) -> str:
    if not rule.raw:
        return f"{rule.rule} {rule.points}"
    if not rule.basis:
        return f"{rule.rule} {rule.rate} × {rule.multiplier} = {rule.raw} → {rule.points}"
    factors = [rule.basis, rule.rate] + ([rule.multiplier] if rule.multiplier not in {"", "1"} else [])
    return f"{rule.rule} {' × '.join(factors)} = {rule.raw} → {rule.points}"


@_say.register
def _earned(event: point_events.PointsEarned) -> str:
    return f"earned {points(event.points)}{_because(event.rules)}"


@_say.register
def _reversed(event: point_events.PointsReversed) -> str:
    lost = _had_expired(event.from_expired) + _owed(event.to_deficit)
    return f"took back {points(event.points)} ({_plain(event.reason)}{lost})"


@_say.register
def _forgiven(event: point_events.DeficitForgiven) -> str:
    return f"{points(event.points)} owed are forgiven ({_plain(event.reason)})"


@_say.register
def _released(event: point_events.PointsReleased) -> str:
    return f"{points(event.points)} became available" if event.points else "an order without points counts for tiers"


@_say.register
def _expired(event: point_events.PointsExpired) -> str:
    why = " (the membership was closed)" if event.reason == "closed" else ""
    return f"{points(event.points)} expired{why}"


@_say.register
def _redeemed(event: point_events.PointsRedeemed) -> str:
    return f"redeemed {points(event.points)} ({_redemption(event)}){_out_of(event.lots)}"


@_say.register
def _rejected(event: point_events.RedemptionRejected) -> str:
    asked = f" of {points(event.points)}" if event.points else ""
    return f"refused a redemption{asked} ({_redemption(event)}): {_meaning(event.reason)}"


@_say.register
def _restored(event: point_events.PointsRestored) -> str:
    cancel = f", cancel {event.cancel}" if event.cancel else ""
    kept = event.made_up_for_forgiven
    told = f"; {points(kept)} more make up for what was forgiven" if kept else ""
    return f"gave back {points(event.points)} of redemption {event.redemption}{cancel}{told}"


def _redemption(event: point_events.PointsRedeemed | point_events.RedemptionRejected) -> str:
    reward = f", reward {event.reward}" if event.reward else ""
    order = f", for order {event.order}" if event.order else ""
    return f"redemption {event.redemption}{reward}{order}"


def _out_of(lots: Sequence[LotChange]) -> str:
    """Which lots gave how much: `: 30 from lot 1, 20 from lot 2`."""
    return ": " + ", ".join(f"{-lot.change:,} from lot {lot.lot}" for lot in lots) if lots else ""


@_say.register
def _adjusted(event: point_events.PointsAdjusted) -> str:
    did = "gave" if event.points > 0 else "took"
    return f"{event.actor} {did} {points(abs(event.points))}: {event.reason}{_owed(event.to_deficit)}"


@_say.register
def _reinstated(event: point_events.PointsReinstated) -> str:
    award = f"{event.award.kind} {event.award.id}"
    return f"gave back {points(event.points)} of {award} that had expired: {event.reason}"


@_say.register
def _imported(event: point_events.BalanceImported) -> str:
    lifetime = f", {points(event.lifetime_points)} of a lifetime" if event.lifetime_points else ""
    tier = f", tier {event.tier}" if event.tier else ""
    return f"imported {points(event.points)} (batch {event.batch}, row {event.row}){lifetime}{tier}"


@_say.register
def _reverted(event: point_events.ImportReverted) -> str:
    told = f"took {points(event.points)} of an import out again (batch {event.batch}, row {event.row})"
    return f"{told}{_had_expired(event.from_expired)}{_owed(event.to_deficit)}"


def _had_expired(number: int) -> str:
    return f", {number:,} of them had expired" if number else ""


def _owed(deficit: int) -> str:
    return f", {deficit:,} were spent and are owed" if deficit else ""


@_say.register
def _closed(_: point_events.MemberClosed) -> str:
    return "the membership was closed"


@_say.register
def _tier_changed(event: point_events.TierChanged) -> str:
    return (
        f"tier {event.before or 'none'} → {event.after or 'none'} ({_plain(event.reason)}){_until(event.valid_until)}"
    )


@_say.register
def _tier_retained(event: point_events.TierRetained) -> str:
    return f"keeps tier {event.tier}{_until(event.valid_until)}"


def _until(instant: datetime | None) -> str:
    return f", until {instant:%Y-%m-%d %H:%M}Z" if instant else ""


@_say.register
def _transferred(event: point_events.PointsTransferred) -> str:
    whence = f"came with {event.other}" if event.postings.get("transferred_in") else f"went to {event.other}"
    owed = ", owed" if event.postings.get("deficit") and not event.lots else ""
    return f"{points(abs(event.points))} {whence}, who is the same member{owed}"


@_say.register
def _stamped(event: point_events.StampCollected) -> str:
    did = "collected" if event.stamps > 0 else "lost"
    number = abs(event.stamps)
    stamps = f"{number:,} stamp" if number == 1 else f"{number:,} stamps"
    return f"{did} {stamps} of card {event.card}: {event.total:,} now, {event.missing:,} to go"


@_say.register
def _completed(event: point_events.StampCardCompleted) -> str:
    reward = f": {event.reward}" if event.reward else ""
    times = f", {event.cards} at once" if event.cards > 1 else ""
    return f"completed card {event.card} for time {event.number}{times}{reward}"


@_say.register
def _referred(event: point_events.ReferralRewarded) -> str:
    whom = f"brought {event.other}" if event.role == "referrer" else f"was brought by {event.other}"
    return f"referral {event.referral} counts: {whom}, order {event.order}"


@_say.register
def _blocked(event: point_events.ReferralBlocked) -> str:
    return f"referral {event.referral} ({_side(event.role, event.other)}) is blocked: {_meaning(event.reason)}"


@_say.register
def _unreferred(event: point_events.ReferralReversed) -> str:
    return f"referral {event.referral} ({_side(event.role, event.other)}) counts no more ({_plain(event.reason)})"


def _side(role: str, other: str) -> str:
    return f"of {other}" if role == "referrer" else f"by {other}"


@_say.register
def _enrolled(event: point_events.MemberEnrolled) -> str:
    segments = f", segments {', '.join(event.segments)}" if event.segments else ""
    return f"joined on {event.joined_at:%Y-%m-%d}{segments}"


@_say.register
def _recorded(event: point_events.FactRecorded) -> str:
    return f"no points: {_meaning(event.reason)}"


def _meaning(reason: str) -> str:
    """A reason code in words; one that a newer version wrote, as it is."""
    meaning = MEANINGS[Reason(reason)][0] if reason in set(Reason) else ""
    return _plain(reason) + (f" ({meaning.rstrip('.')})" if meaning else "")


def _plain(code: str) -> str:
    return code.replace("_", " ").replace(".", " ")
