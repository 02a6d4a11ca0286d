"""Events in words: every kind has its sentence."""

from datetime import UTC, datetime

import pytest

from services.cli.event_text import sentence
from shared import point_events
from shared.point_events import EVENT_TYPES, Balances, Cause, EventData, Key, LotChange, RuleShare

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


def lot(number: int, change: int) -> LotChange:
    return LotChange(number, change, 0, NOW)


SAID: list[tuple[type[EventData], dict[str, object], str]] = [
    (
        point_events.PointsEarned,
        {"points": 1, "rules": [RuleShare("base", 1, "1.5", "1", "1", "1.5")], "lots": []},
        "earned 1 point: base 1.5 × 1 = 1.5 → 1",
    ),
    (
        point_events.PointsEarned,
        {"points": 15, "rules": [RuleShare("run", 15, "", "5", "3", "15")], "lots": []},
        "earned 15 points: run 5 × 3 = 15 → 15",
    ),
    (
        point_events.PointsTransferred,
        {"points": 30, "other": "guest-7", "postings": {"available": 30, "transferred_in": -30}},
        "30 points came with guest-7, who is the same member",
    ),
    (
        point_events.PointsTransferred,
        {"points": 8, "other": "ana", "postings": {"deficit": 8, "transferred_out": -8}},
        "8 points went to ana, who is the same member, owed",
    ),
    (
        point_events.ReferralRewarded,
        {"referral": "f1", "role": "referrer", "other": "bob", "order": "7", "points": 20},
        "referral f1 counts: brought bob, order 7",
    ),
    (
        point_events.ReferralBlocked,
        {"referral": "f1", "role": "referee", "other": "ana", "reason": "same_device"},
        "referral f1 (by ana) is blocked: same device (Both sides used one device)",
    ),
    (
        point_events.ReferralReversed,
        {"referral": "f1", "role": "referrer", "other": "bob", "order": "7", "reason": "reversed"},
        "referral f1 (of bob) counts no more (reversed)",
    ),
    (
        point_events.StampCollected,
        {"card": "masks", "stamps": -1, "total": 1200, "missing": 3},
        "lost 1 stamp of card masks: 1,200 now, 3 to go",
    ),
    (
        point_events.StampCardCompleted,
        {"card": "masks", "number": 7, "cards": 2, "reward": "a mask"},
        "completed card masks for time 7, 2 at once: a mask",
    ),
    (
        point_events.PointsReversed,
        {"points": 1200, "reason": "refunded", "to_deficit": 30},
        "took back 1,200 points (refunded, 30 were spent and are owed)",
    ),
    (point_events.PointsReleased, {"points": 30, "lots": []}, "30 points became available"),
    (point_events.PointsReleased, {"points": 0, "lots": []}, "an order without points counts for tiers"),
    (point_events.PointsExpired, {"points": 30, "reason": "expired", "lots": []}, "30 points expired"),
    (
        point_events.PointsExpired,
        {"points": 30, "reason": "closed", "lots": []},
        "30 points expired (the membership was closed)",
    ),
    (
        point_events.PointsRedeemed,
        {"redemption": "r1", "points": 50, "reward": "coffee", "order": "7", "lots": [lot(1, -30), lot(2, -20)]},
        "redeemed 50 points (redemption r1, reward coffee, for order 7): 30 from lot 1, 20 from lot 2",
    ),
    (
        point_events.RedemptionRejected,
        {"redemption": "r1", "points": 50, "reason": "invalid_points"},
        "refused a redemption of 50 points (redemption r1): invalid points (A redemption asks for 0 points or less)",
    ),
    (
        point_events.RedemptionRejected,
        {"redemption": "r1", "reward": "tea", "reason": "unknown_reward"},
        "refused a redemption (redemption r1, reward tea): unknown reward (The program's catalogue has no such reward)",
    ),
    (
        point_events.PointsRestored,
        {"redemption": "r1", "points": 50, "cancel": "c1", "made_up_for_forgiven": 5},
        "gave back 50 points of redemption r1, cancel c1; 5 points more make up for what was forgiven",
    ),
    (
        point_events.PointsAdjusted,
        {"points": -50, "reason": "goodwill", "actor": "op-7", "to_deficit": 20},
        "op-7 took 50 points: goodwill, 20 were spent and are owed",
    ),
    (
        point_events.PointsAdjusted,
        {"points": 1, "reason": "goodwill", "actor": "op-7"},
        "op-7 gave 1 point: goodwill",
    ),
    (
        point_events.PointsReinstated,
        {"points": 50, "reason": "goodwill", "award": Key("shop", "order", "7"), "lots": []},
        "gave back 50 points of order 7 that had expired: goodwill",
    ),
    (
        point_events.BalanceImported,
        {"batch": "b1", "row": "7", "points": 50, "lifetime_points": 900, "tier": "gold"},
        "imported 50 points (batch b1, row 7), 900 points of a lifetime, tier gold",
    ),
    (
        point_events.ImportReverted,
        {"batch": "b1", "row": "7", "points": 50, "to_deficit": 20, "from_expired": 10},
        "took 50 points of an import out again (batch b1, row 7), 10 of them had expired, 20 were spent and are owed",
    ),
    (point_events.MemberClosed, {}, "the membership was closed"),
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
    assert {kind for kind, _, _ in SAID} == set(EVENT_TYPES.values())
