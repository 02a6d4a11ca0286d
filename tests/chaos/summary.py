"""What a campaign did and found, as one table."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Outcome:
    """One round: its faults (kind, single harms), how long until everything was level again, what was wrong."""

    faults: tuple[tuple[str, int], ...]
    recovery_s: float
    wrong: tuple[str, ...]


@dataclass
class Summary:
    """Everything of a campaign."""

    outcomes: list[Outcome] = field(default_factory=list)
    not_possible: dict[str, str] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)
    harms: Counter[str] = field(default_factory=Counter)

    @property
    def wrong(self) -> list[str]:
        """Every violation."""
        return [said for outcome in self.outcomes for said in outcome.wrong]

    def show(self, console: Console) -> None:
        """Print the table, the counts, and what could not be tried."""
        table = Table("fault", "times", "harms", "violations", "level again after rounds with it: median", "longest")
        for column in table.columns[1:]:
            column.justify = "right"
        rounds: dict[str, list[Outcome]] = defaultdict(list)
        faults: dict[str, list[int]] = defaultdict(list)
        for outcome in self.outcomes:
            for kind in {kind: None for kind, _ in outcome.faults}:
                rounds[kind].append(outcome)
            for kind, harms in outcome.faults:
                faults[kind].append(harms)
        for kind in sorted(faults):
            table.add_row(kind, str(len(faults[kind])), str(sum(faults[kind])), *_of(rounds[kind]))
        table.add_section()
        every = [harms for one in faults.values() for harms in one]
        table.add_row(f"all, in {len(self.outcomes)} rounds", str(len(every)), str(sum(every)), *_of(self.outcomes))
        console.print(table)
        for counts in (self.harms, self.counted):
            console.print(", ".join(f"{name}: {number:,}" for name, number in sorted(counts.items())))
        for kind, why in self.not_possible.items():
            console.print(f"[bold red]NOT TRIED[/] {kind}: {why}")


def _of(outcomes: Sequence[Outcome]) -> tuple[str, str, str]:
    times = [one.recovery_s for one in outcomes if one.recovery_s] or [0.0]
    wrong = sum(len(one.wrong) for one in outcomes)
    return str(wrong), f"{statistics.median(times):.1f} s", f"{max(times):.1f} s"
