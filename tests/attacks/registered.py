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

OPEN: frozenset[str] = frozenset()
"""The attacks that still succeed: the tests leave them out, `make attacks` does not. Whoever mends one removes it."""
