"""The attacks: each declared once, with what was promised, and how it is done and judged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.attacks.installation import Installation

Strike = Callable[[Installation], Awaitable[str]]
"""Does it to an installation that isn't begun yet; gives what happened, in words.

Raises `PromiseBrokenError` where what was promised did not hold.
"""


@dataclass(frozen=True)
class Attack:
    """One thing that others may do. `quick`: cheap enough for every run of the tests; `how`: how it is done."""

    id: str
    promise: str
    strike: Strike
    quick: bool

    @property
    def how(self) -> str:
        """How it is done, in the words of its function."""
        return (self.strike.__doc__ or "").strip()


class Catalogue:
    """Attacks in the order in which they are declared."""

    def __init__(self) -> None:
        self.attacks: dict[str, Attack] = {}

    def attack(self, id: str, promise: str, *, quick: bool = True) -> Callable[[Strike], Strike]:
        """Declare a function as an attack.

        Raises:
            ValueError: the id is taken.
        """

        def declare(strike: Strike) -> Strike:
            if id in self.attacks:
                raise ValueError(id)
            self.attacks[id] = Attack(id, promise, strike, quick)
            return strike

        return declare
