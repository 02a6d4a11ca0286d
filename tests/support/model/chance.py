"""Chance with a seed: what random programs and facts are made from. Hypothesis draws the seed, a campaign counts it.

A whole history is one draw: a draw for every field would take ten times as long as deciding it, and we shorten a
history that fails by what it says (`tests.support.model.shorten`), which tells more.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

T = TypeVar("T")

bounded = settings(
    max_examples=int(os.environ.get("TALLYSTICK_EXAMPLES", "25")),
    deadline=None,
    derandomize="TALLYSTICK_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)
"""How properties are tried: a few histories, the same every time; many new ones by `make properties`."""


class Chance:
    """A source of choices that is the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._random = Random(seed)  # noqa: S311 (the same seed must choose the same)

    def __repr__(self) -> str:
        return f"Chance({self.seed})"

    def one(self, *of: T) -> T:
        """One of the arguments."""
        return self._random.choice(of)

    def among(self, of: Sequence[T]) -> T:
        """One of a sequence."""
        return self._random.choice(of)

    def number(self, least: int, most: int) -> int:
        """A whole number within bounds, both inclusive."""
        return self._random.randint(least, most)

    def once_in(self, times: int) -> bool:
        """True once in so many times."""
        return self._random.randrange(times) == 0

    def subset(self, of: Sequence[T], least: int = 0, most: int | None = None) -> list[T]:
        """Some elements, each at most once, in their order."""
        count = self.number(least, len(of) if most is None else min(most, len(of)))
        places = sorted(self._random.sample(range(len(of)), count))
        return [of[place] for place in places]

    def shuffled(self, of: Sequence[T]) -> list[T]:
        """The same elements in another order."""
        return self._random.sample(of, len(of))

    def either(self, *makers: Callable[[], Any]) -> Any:
        """What one of the makers makes."""
        return self._random.choice(makers)()


def chances() -> st.SearchStrategy[Chance]:
    """Chance by a seed that hypothesis draws."""
    return st.integers(0, 2**48).map(Chance)
