"""What a campaign did and found, as one table."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Outcome:
    """One fault: its kind, what was done, how long until everything was level again, and what was wrong."""

    kind: str
    what: str
    harms: int
    recovery_s: float
    wrong: tuple[str, ...]


@dataclass
class Summary:
    """Everything of a campaign."""

    outcomes: list[Outcome] = field(default_factory=list)
    not_possible: dict[str, str] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)

    @property
    def wrong(self) -> list[str]:
        """Every violation."""
        return [said for outcome in self.outcomes for said in outcome.wrong]

    def show(self, console: Console) -> None:
        """Print the table, the counts, and what could not be tried."""
        kinds: dict[str, list[Outcome]] = defaultdict(list)
        for outcome in self.outcomes:
            kinds[outcome.kind].append(outcome)
        table = Table("fault", "times", "harms", "violations", "level again after: median", "longest")
        for column in table.columns[1:]:
            column.justify = "right"
        for kind, outcomes in sorted(kinds.items()):
            times = [one.recovery_s for one in outcomes]
            table.add_row(
                kind,
                str(len(outcomes)),
                str(sum(one.harms for one in outcomes)),
                str(sum(len(one.wrong) for one in outcomes)),
                f"{statistics.median(times):.1f} s",
                f"{max(times):.1f} s",
            )
        times = [one.recovery_s for one in self.outcomes] or [0.0]
        harms, wrong = sum(one.harms for one in self.outcomes), len(self.wrong)
        last = (f"{statistics.median(times):.1f} s", f"{max(times):.1f} s")
        table.add_section()
        table.add_row("all", str(len(self.outcomes)), str(harms), str(wrong), *last)
        console.print(table)
        console.print(", ".join(f"{name}: {number:,}" for name, number in sorted(self.counted.items())))
        for kind, why in self.not_possible.items():
            console.print(f"[bold red]NOT TRIED[/] {kind}: {why}")
