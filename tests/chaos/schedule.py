"""The schedule: which faults a round deals, in which order and on which track. The seed decides; a round is repeatable.

Six rounds share a pack with so many cards of each kind, so any number of rounds comes to numbers known beforehand.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.faults import ALONE, KINDS

ROUNDS_A_PACK = 6
SECONDS_A_ROUND = 40.0
"""Over which a round's cards of one track are spread, where several are dealt."""


@dataclass
class Plan:
    """How long, how hard, and from which seed.

    `together`: several faults a round, on tracks side by side; else one fault a round. `rounds_a_world`: so many, then
    all begins anew in an empty database. `derive_each`: standings are derived again at the end of each so many-eth
    world, which takes as long as deciding everything once more.
    """

    seed: int
    seconds: float
    round_from: int = 0
    rounds_max: int | None = None
    rate: int = 1_000
    workers: int = 2
    kinds: Sequence[str] = field(default_factory=lambda: tuple(KINDS))
    once: bool = False
    go_on: bool = False
    together: bool = False
    rounds_a_world: int = 20
    derive_each: int = 1

    def replay(self, world_from: int, round_number: int) -> str:
        """The command that runs a world again up to a round: the same facts, and the same faults in the same order."""
        words = f"python -m tests.chaos --seed {self.seed} --from-round {world_from}"
        words += f" --rounds {round_number - world_from + 1} --minutes 60 --rate {self.rate} --workers {self.workers}"
        flags = {" --together": self.together, " --once": self.once}
        return words + "".join(flag for flag, said in flags.items() if said)

    def deal(self, number: int, possible: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """The faults of a round by track, each track's in their order."""
        if self.together:
            return self._deal_together(number, possible)
        pack = [kind for kind in possible for _ in range(1 if self.once else max(1, KINDS[kind].cards))]
        self.draw(number // len(pack), "pack").shuffle(pack)
        kind = pack[number % len(pack)]
        return {KINDS[kind].track: [kind]}

    def draw(self, number: int, what: str) -> random.Random:
        """Chance that is the same for the same seed."""
        return random.Random(f"{self.seed}/{number}/{what}")  # noqa: S311 (a schedule one can repeat)

    def _deal_together(self, number: int, possible: Sequence[str]) -> Mapping[str, Sequence[str]]:
        hands: dict[str, Sequence[str]] = {}
        for track in {KINDS[kind].track: None for kind in possible if KINDS[kind].track != ALONE}:
            pack = [kind for kind in possible if KINDS[kind].track == track for _ in range(KINDS[kind].cards)]
            self.draw(number // ROUNDS_A_PACK, track).shuffle(pack)
            if hand := pack[number % ROUNDS_A_PACK :: ROUNDS_A_PACK]:
                hands[track] = hand
        return hands
