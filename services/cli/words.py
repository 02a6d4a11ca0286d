"""Point events in words: one sentence each, for people who read a history."""

from __future__ import annotations

from collections.abc import Iterable

from shared import point_events
from shared.point_events import EventData, RuleShare
from shared.reasons import MEANINGS, Reason


def sentence(event: EventData) -> str:
    """What an event says: `earned 49 points: base 19.99 × 1 × 2.5 = 49.975 → 49`."""
    match event:
        case point_events.PointsEarned():
            return f"earned {points(event.points)}{_because(event.rules)}"
        case point_events.PointsReversed():
            return f"took back {points(event.points)} ({_reversal(event)})"
        case point_events.TierChanged():
            until = f", until {event.valid_until:%Y-%m-%d %H:%M}Z" if event.valid_until else ""
            return f"tier {event.before or 'none'} → {event.after or 'none'} ({_plain(event.reason)}){until}"
        case point_events.MemberEnrolled():
            segments = f", segments {', '.join(event.segments)}" if event.segments else ""
            return f"joined on {event.joined_at:%Y-%m-%d}{segments}"
        case point_events.FactRecorded():
            return _recorded(event.reason)
        case _:
            return _plain(event.TYPE.removeprefix("loyalty.").removesuffix(".v1"))


def points(number: int) -> str:
    """`1 point`, `49 points`."""
    return f"{number:,} point" if number == 1 else f"{number:,} points"


def _because(rules: Iterable[RuleShare]) -> str:
    shares = "; ".join(_share(rule) for rule in rules)
    return f": {shares}" if shares else ""


def _share(rule: RuleShare) -> str:
    if not rule.basis:
        return f"{rule.rule} {rule.points}"
    factors = [rule.basis, rule.rate] + ([rule.multiplier] if rule.multiplier not in {"", "1"} else [])
    return f"{rule.rule} {' × '.join(factors)} = {rule.raw} → {rule.points}"


def _reversal(event: point_events.PointsReversed) -> str:
    parts = [_plain(event.reason)]
    if event.from_expired:
        parts.append(f"{event.from_expired:,} of them had expired")
    if event.to_deficit:
        parts.append(f"{event.to_deficit:,} were spent and are owed")
    return ", ".join(parts)


def _recorded(reason: str) -> str:
    """A reason code in words; one that a newer version wrote, as it is."""
    meaning = MEANINGS[Reason(reason)][0] if reason in set(Reason) else ""
    return f"no points: {_plain(reason)}" + (f" ({meaning.rstrip('.')})" if meaning else "")


def _plain(code: str) -> str:
    return code.replace("_", " ").replace(".", " ")
