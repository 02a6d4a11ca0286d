"""Findings: what a check found wrong, under which invariant, and where."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

INVARIANTS = {
    "I1": "every point is accounted for: balances equal the sum of what moved",
    "I2": "each fact and each business key takes effect once",
    "I3": "every input is applied, duplicate, rejected or a dead letter",
    "I4": "the read models equal an independent fold of the log",
    "I6": "available is never below zero",
    "I7": "positions, sequences and gross counters never go back",
    "I9": "history is in order of position",
    "I13": "a deficit above zero means that nothing is available",
    "I14": "every shard's hash chain is whole, and the journal's bytes are the log's",
}
"""The promises checked, by the number they have in docs/reliability.md."""

FINDINGS_MAX = 100


@dataclass(frozen=True)
class Finding:
    """One violation: which promise, where (shard and position, member, or table), and what was found."""

    invariant: str
    where: str
    what: str


@dataclass
class Report:
    """How much was checked, by name, and what was wrong: the first 100 findings, and the number of all."""

    checked: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    found: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing was wrong."""
        return not self.found

    def add(self, invariant: str, where: str, what: str) -> None:
        """Note a violation."""
        self.found += 1
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(invariant, where, what))

    def expect(self, invariant: str, where: str, what: str, *, found: object, expected: object) -> None:
        """Note a violation where `found` is not `expected`."""
        if found != expected:
            self.add(invariant, where, f"{what} is {found!r}, not {expected!r}")
