"""Rearrange: the same facts as an unreliable world delivers them, to show that the end is the same."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from services.earning.decide import needs
from services.earning.simulate import Arrival, MemberKey, Run
from services.earning.state.standing import BusinessKey
from shared.errors import PermanentError

EndState = dict[MemberKey, dict[str, object]]
"""What a run ends with, by member, in words that can be compared and printed."""

_OF_MEMBER = frozenset({"available", "pending", "deficit", "qualifying"})
"""Figures that sum over a member's business keys."""


def duplicated(arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Each fact twice in a row, and the whole file once more at the end."""
    return [arrival for arrival in arrivals for _ in range(2)] + list(arrivals)


def shuffled(arrivals: Sequence[Arrival], seed: int) -> list[Arrival]:
    """The facts of each business key in another order among the places they have; each keeps its own times."""
    places: dict[Hashable, list[int]] = defaultdict(list)
    for place, arrival in enumerate(arrivals):
        places[_key(arrival)].append(place)
    chance = random.Random(seed)  # noqa: S311 (repeatable by its seed; hides nothing)
    order = list(arrivals)
    for group in places.values():
        for place, origin in zip(group, chance.sample(group, len(group)), strict=True):
            order[place] = arrivals[origin]
    return order


def _key(arrival: Arrival) -> Hashable:
    """The business key of a fact; what can't be read stands by itself."""
    if isinstance(arrival.fact, PermanentError):
        return arrival.number
    return needs(arrival.fact).keys[0]


def worth(run: Run) -> EndState:
    """What must not depend on order or repetition: balances, tier, tier sums, and what each business key is worth."""
    end: EndState = {}
    for member, standing in run.rows.standings.items():
        balances = standing.balances
        end[member] = {
            "available": balances.available,
            "pending": balances.pending,
            "deficit": balances.deficit,
            "tier": standing.tier,
            "qualifying": {window: total for window, total in standing.qualifying.items() if total},
        }
    for key, row in run.rows.keys.items():
        points = getattr(row.book, "points", None)
        if points is not None:
            end[(key.program, row.member)][_figure(key)] = points
    return end


def everything(run: Run) -> EndState:
    """What must not depend on repetition: the worth, the lifetime figures, and every lot."""
    end = worth(run)
    for member, standing in run.rows.standings.items():
        end[member]["lifetime"] = standing.balances
        for number, lot in run.rows.members[member].lots.items():
            end[member][f"lot {number}"] = lot
    return end


class Difference(NamedTuple):
    """A figure of a member that two runs end with differently."""

    member: MemberKey
    figure: str
    first: object
    second: object


class Comparison(NamedTuple):
    """A second run against the first: what was done to the facts, by which seed, and what ended otherwise.

    `first_come` are differences that must be expected: tiers, first orders and versions are first come, first served,
    so an order that met another of them in the second run is worth something else, and so are its member's balances.
    """

    check: str
    seed: int | None
    differences: list[Difference]
    first_come: list[Difference]


def compare_repeated(first: Run, second: Run) -> Comparison:
    """The end of a run whose facts were repeated: nothing at all may differ."""
    return Comparison("duplicate", None, differences(everything(first), everything(second)), [])


def compare_shuffled(first: Run, second: Run, seed: int) -> Comparison:
    """The end of a run whose facts came in another order: each business key must be worth the same."""
    one, other = pins(first), pins(second)
    met_another = {key[0] for key in one.keys() & other.keys() if one[key] != other[key]}
    unexpected: list[Difference] = []
    first_come: list[Difference] = []
    for difference in differences(worth(first), worth(second)):
        key = (difference.member, difference.figure)
        of_member = difference.figure in _OF_MEMBER and difference.member in met_another
        expected = difference.figure == "tier" or of_member or one.get(key) != other.get(key)
        (first_come if expected else unexpected).append(difference)
    return Comparison("shuffle", seed, unexpected, first_come)


def pins(run: Run) -> dict[tuple[MemberKey, str], object]:
    """What each business key met when it was first decided, by member and the key's figure."""
    return {
        ((key.program, row.member), _figure(key)): pin
        for key, row in run.rows.keys.items()
        if (pin := getattr(row.book, "pin", None)) is not None
    }


def differences(first: EndState, second: EndState) -> list[Difference]:
    """Everything that is not the same in both, by member and figure."""
    return [
        Difference(member, figure, one.get(figure), other.get(figure))
        for member in sorted(first.keys() | second.keys())
        for one, other in [(first.get(member, {}), second.get(member, {}))]
        for figure in sorted(one.keys() | other.keys())
        if one.get(figure) != other.get(figure)
    ]


def _figure(key: BusinessKey) -> str:
    return f"{key.kind} {key.source}/{key.id}"
