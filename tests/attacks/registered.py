"""All attacks there are, and which of them still succeed."""

from __future__ import annotations

from tests.attacks.dear_inputs import DEAR
from tests.attacks.dear_members import BIG
from tests.attacks.foreign_records import FOREIGN
from tests.attacks.kafka_of_others import KAFKA
from tests.attacks.logins import LOGINS
from tests.attacks.neighbours import NEIGHBOURS

ATTACKS = {
    **FOREIGN.attacks,
    **KAFKA.attacks,
    **DEAR.attacks,
    **BIG.attacks,
    **NEIGHBOURS.attacks,
    **LOGINS.attacks,
}
"""Id → attack, in the order in which they run."""

OPEN: frozenset[str] = frozenset(
    {
        "B6",
        "F1",
        "F10",
        "F11",
        "F12",
        "F13",
        "F14",
        "F15",
        "F16",
        "F17",
        "F18",
        "F19",
        "F2",
        "F2-forged",
        "F20",
        "F21-bom",
        "F21-files",
        "F21-rebuild",
        "F21-refunds",
        "F21-silent",
        "F21-updates",
        "F3",
        "F3-alike",
        "F4",
        "F4-codecs",
        "F4-own",
        "F5",
        "F6",
        "F7",
        "F8",
        "F9",
        "G1",
        "G2",
        "G3",
        "G4",
        "G5",
        "G6",
        "G7",
    }
)
"""The attacks that still succeed: the tests leave them out, `make attacks` does not. Whoever mends one removes it."""
