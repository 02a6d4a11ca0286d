"""Events in words: every kind has its sentence."""

from datetime import UTC, datetime

import pytest

from services.cli.words import sentence
from shared import point_events
from shared.point_events import EVENT_CLASSES, Balances, Cause, EventData, RuleShare

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
COMMON = {
    "program": "shop",
    "member": "ana",
    "sequence": 1,
    "decision": 1,
    "occurred_at": NOW,
    "decided_at": NOW,
    "cause": Cause("t", "s", "1"),
    "balances": Balances(),
}
SAID: list[tuple[type[EventData], dict[str, object], str]] = [
    (
        point_events.PointsEarned,
        {"points": 1, "rules": [RuleShare("base", 1, "1.5", "1", "1", "1.5")], "lots": []},
        "earned 1 point: base 1.5 × 1 = 1.5 → 1",
    ),
    (
        point_events.PointsReversed,
        {"points": 1200, "reason": "refunded", "to_deficit": 30},
        "took back 1,200 points (refunded, 30 were spent and are owed)",
    ),
    (point_events.DeficitForgiven, {"points": 30, "reason": "refunded"}, "30 points owed are forgiven (refunded)"),
    (
        point_events.TierChanged,
        {"before": "", "after": "gold", "reason": "window_ended", "since": NOW, "valid_until": NOW},
        "tier none → gold (window ended), until 2027-03-01 12:00Z",
    ),
    (point_events.TierRetained, {"tier": "gold", "valid_until": None}, "keeps tier gold"),
    (point_events.MemberEnrolled, {"joined_at": NOW, "segments": ["vip"]}, "joined on 2027-03-01, segments vip"),
    (
        point_events.FactRecorded,
        {"reason": "test_order"},
        "no points: test order (Test orders earn nothing)",
    ),
    (point_events.FactRecorded, {"reason": "of_tomorrow"}, "no points: of tomorrow"),
]


@pytest.mark.parametrize(("kind", "own", "words"), SAID)
def test_an_event_is_said_in_a_sentence(kind: type[EventData], own: dict[str, object], words: str) -> None:
    assert sentence(kind(**COMMON, **own)) == words  # type: ignore[arg-type]


def test_no_kind_is_left_without_words() -> None:
    assert {kind for kind, _, _ in SAID} == set(EVENT_CLASSES)
