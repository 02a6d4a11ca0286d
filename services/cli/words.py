"""Point events in words: one sentence each, for people who read a history."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from shared import point_events
from shared.point_events import EventData, RuleShare
from shared.reasons import MEANINGS, Reason


def sentence(event: EventData) -> str:
    """What an event says: `earned 49 points: base 19.99 × 1 × 2.5 = 49.975 → 49`."""
    say = _SENTENCES.get(type(event))
    return say(event) if say else _plain(event.TYPE.removeprefix("loyalty.").removesuffix(".v1"))


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


def _earned(event: point_events.PointsEarned) -> str:
    return f"earned {points(event.points)}{_because(event.rules)}"


def _reversed(event: point_events.PointsReversed) -> str:
    parts = [_plain(event.reason)]
    if event.from_expired:
        parts.append(f"{event.from_expired:,} of them had expired")
    if event.to_deficit:
        parts.append(f"{event.to_deficit:,} were spent and are owed")
    return f"took back {points(event.points)} ({', '.join(parts)})"


def _forgiven(event: point_events.DeficitForgiven) -> str:
    return f"{points(event.points)} owed are forgiven ({_plain(event.reason)})"


def _tier_changed(event: point_events.TierChanged) -> str:
    return (
        f"tier {event.before or 'none'} → {event.after or 'none'} ({_plain(event.reason)}){_until(event.valid_until)}"
    )


def _tier_retained(event: point_events.TierRetained) -> str:
    return f"keeps tier {event.tier}{_until(event.valid_until)}"


def _until(instant: datetime | None) -> str:
    return f", until {instant:%Y-%m-%d %H:%M}Z" if instant else ""


def _enrolled(event: point_events.MemberEnrolled) -> str:
    segments = f", segments {', '.join(event.segments)}" if event.segments else ""
    return f"joined on {event.joined_at:%Y-%m-%d}{segments}"


def _recorded(event: point_events.FactRecorded) -> str:
    """A reason code in words; one that a newer version wrote, as it is."""
    reason = event.reason
    meaning = MEANINGS[Reason(reason)][0] if reason in set(Reason) else ""
    return f"no points: {_plain(reason)}" + (f" ({meaning.rstrip('.')})" if meaning else "")


def _plain(code: str) -> str:
    return code.replace("_", " ").replace(".", " ")


_SENTENCES: dict[type[EventData], Callable[[Any], str]] = {
    point_events.PointsEarned: _earned,
    point_events.PointsReversed: _reversed,
    point_events.DeficitForgiven: _forgiven,
    point_events.TierChanged: _tier_changed,
    point_events.TierRetained: _tier_retained,
    point_events.MemberEnrolled: _enrolled,
    point_events.FactRecorded: _recorded,
}
"""Kind of event → what says it; a kind that is missing is named by its type."""
