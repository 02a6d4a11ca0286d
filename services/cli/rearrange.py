"""Rearrange: the same facts as an unreliable world delivers them, to show that the end is the same."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Hashable, Sequence

from services.earning.decide import needs
from services.earning.simulate import Arrival, MemberKey, Run
from shared.errors import PermanentError

EndState = dict[MemberKey, dict[str, object]]
"""What a run ends with, by member, in words that can be compared and printed."""


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
    for member, standing in run.ledger.standings.items():
        balances = standing.balances
        end[member] = {
            "available": balances.available,
            "pending": balances.pending,
            "deficit": balances.deficit,
            "tier": standing.tier,
            "qualifying": {window: total for window, total in standing.qualifying.items() if total},
        }
    for key, row in run.ledger.keys.items():
        points = getattr(row.book, "points", None)
        if points is not None:
            end[(key.program, row.member)][f"{key.kind} {key.source}/{key.id}"] = points
    return end


def everything(run: Run) -> EndState:
    """What must not depend on repetition: the worth, the lifetime figures, and every lot."""
    end = worth(run)
    for member, standing in run.ledger.standings.items():
        end[member]["lifetime"] = standing.balances
        for number, lot in run.ledger.lots.get(member, {}).items():
            end[member][f"lot {number}"] = lot
    return end


def differences(first: EndState, second: EndState) -> list[tuple[MemberKey, str, object, object]]:
    """Member, figure, and what it is in the one and the other, for everything that is not the same in both."""
    found = []
    for member in sorted(first.keys() | second.keys()):
        one, other = first.get(member, {}), second.get(member, {})
        found += [
            (member, figure, one.get(figure), other.get(figure))
            for figure in sorted(one.keys() | other.keys())
            if one.get(figure) != other.get(figure)
        ]
    return found
