"""What must be true of reviews, activities and stamps, whatever happens: they converge, and leave (rules 25-28)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import assume, given

from services.earning.state.keys import ActivityState, ReviewState
from services.earning.state.standing import Standing
from tests.support.model.chance import Chance, bounded, chances
from tests.support.model.core import Core
from tests.support.model.programs import program_versions
from tests.support.model.traffic import Happening, arrive, order_life, plain
from tests.support.model.traffic_beyond import activity_life, lives_beyond, review_life, steady_beyond, taken_back


def standing_of(core: Core) -> Standing:
    standing = core.standing("ann")
    assert standing is not None
    return standing


def worth(core: Core) -> dict[str, tuple[int, dict[str, int]]]:
    """Each review's and activity's points and stamps."""
    found: dict[str, tuple[int, dict[str, int]]] = {}
    for number in range(1, 5):
        review, activity = core.book("shop", "review", f"v{number}"), core.book("shop", "activity", f"did{number}")
        if isinstance(review, ReviewState):
            found[f"v{number}"] = (review.grant.points, {})
        if isinstance(activity, ActivityState):
            found[f"did{number}"] = (activity.grant.points, activity.stamps)
    return found


def cards(core: Core) -> dict[str, tuple[int, int]]:
    """Each card's stamps, and how often it is paid."""
    return {name: (held.stamps, held.cards) for name, held in standing_of(core).cards.items() if held.stamps}


def gained(core: Core) -> int:
    """What the member has earned and not lost again."""
    balances = standing_of(core).balances
    return balances.earned - balances.reversed


@bounded
@given(chances())
@pytest.mark.rule(25, 27, 51)
def test_one_keys_facts_end_the_same_in_any_order_and_however_often(chance: Chance) -> None:
    versions = steady_beyond(program_versions(chance))
    life = chance.one(review_life(chance, "v1", "ann"), activity_life(chance, "did1", "ann"))
    one, other = Core(versions), Core(versions)
    end = max(happening.at for happening in life)
    outcomes = arrive(one, life, end)
    also = arrive(other, chance.shuffled([*life, *chance.subset(life, 0, 4)]), end)
    assert (worth(one), cards(one), gained(one)) == (worth(other), cards(other), gained(other))
    assert also.count("applied") == outcomes.count("applied") == len(life)


@bounded
@given(chances())
@pytest.mark.rule(28, 69)
def test_cards_end_the_same_in_whatever_order_their_stamps_come_and_go(chance: Chance) -> None:
    versions = steady_beyond(program_versions(chance))
    lives = [order_life(chance, f"o{number}", "ann", versions.all[0].currency) for number in (1, 2)]
    happenings = [happening for life in lives for happening in life] + lives_beyond(chance, "ann")
    one, other = Core(versions), Core(versions)
    end = max(happening.at for happening in happenings)
    outcomes = arrive(one, sorted(happenings, key=lambda happening: happening.at), end)
    also = arrive(other, chance.shuffled(happenings), end)
    assume("no_exchange_rate" not in [*outcomes, *also])
    assert (worth(one), cards(one), gained(one)) == (worth(other), cards(other), gained(other))


@bounded
@given(chances())
@pytest.mark.rule(25, 27, 28, 31)
def test_everything_removed_and_withdrawn_leaves_no_point_and_no_stamp(chance: Chance) -> None:
    versions = plain(program_versions(chance))
    happenings = lives_beyond(chance, "ann")
    core = Core(versions)
    end = max(happening.at for happening in happenings)
    arrive(core, chance.shuffled(happenings), end)
    arrive(core, chance.shuffled([Happening("ann", end + timedelta(days=1), data) for data in taken_back()]))
    standing = standing_of(core)
    assert not any(points or stamps for points, stamps in worth(core).values())
    assert not any(held.stamps or held.cards for held in standing.cards.values())
    assert (standing.balances.available, standing.balances.deficit, gained(core)) == (0, 0, 0)
    assert not any(standing.qualifying.values())
