"""The schedule: any six rounds of a pack deal all of its cards, and a round is the same for the same seed."""

from __future__ import annotations

from collections import Counter

from tests.chaos.faults import ALONE, KINDS
from tests.chaos.schedule import ROUNDS_A_PACK, Plan

POSSIBLE = tuple(name for name, kind in KINDS.items() if kind.cards)
AN_HOUR = 36
"""Rounds that an hour holds, even where each takes 100 s."""

AT_LEAST = {"broker killed": 30, "disk full": 10, "clock jumps": 20, "connections cut": 30, "worker stands still": 30}


def dealt(plan: Plan, rounds: range) -> Counter[str]:
    return Counter(kind for number in rounds for hand in plan.deal(number, POSSIBLE).values() for kind in hand)


def test_many_faults_at_once_come_to_known_numbers() -> None:
    plan = Plan(seed=1, seconds=3600, together=True)
    expected = {name: kind.cards for name, kind in KINDS.items() if kind.cards and kind.track != ALONE}
    assert dealt(plan, range(ROUNDS_A_PACK, 2 * ROUNDS_A_PACK)) == expected
    hour = dealt(plan, range(AN_HOUR))
    assert {name: hour[name] for name, least in AT_LEAST.items() if hour[name] < least} == {}
    assert hour["Postgres stopped at once"] + hour["Postgres killed"] + hour["everything killed"] >= 60
    assert hour["worker killed"] + 2 * hour["several workers killed"] + 2 * hour["worker dies at a failpoint"] >= 270


def test_one_fault_at_a_time_deals_the_whole_pack_before_any_card_again() -> None:
    plan = Plan(seed=1, seconds=240, once=True)
    assert dealt(plan, range(len(POSSIBLE))) == dict.fromkeys(POSSIBLE, 1)


def test_a_round_is_the_same_for_the_same_seed() -> None:
    one, same, other = (Plan(seed=seed, seconds=60, together=True) for seed in (7, 7, 8))
    hands, same_hands, other_hands = (
        [plan.deal(number, POSSIBLE) for number in range(12)] for plan in (one, same, other)
    )
    assert hands == same_hands != other_hands
    assert one.draw(3, "workers").random() == same.draw(3, "workers").random()
