"""Checks: the sums that must be right for the demo to end well."""

from __future__ import annotations

from typing import NamedTuple

from services.cli.demo.facts import Counts
from services.cli.state import State
from services.projections.query import PointsStatus
from services.projections.rebuild import Report


class Check(NamedTuple):
    """One statement about the run, with its figures, and whether it holds."""

    statement: str
    figures: str
    holds: bool


def checks(counts: Counts, state: State, status: PointsStatus, report: Report) -> list[Check]:
    """Everything that must hold."""
    fates = [sum(getattr(topic, fate) for topic in state.inputs) for fate in ("applied", "duplicate", "rejected")]
    dead = sum(topic.dead_letter for topic in state.inputs)
    moved = sum(movement.net for movement in status.movements)
    return [
        Check(
            "applied + duplicate + rejected + dead letter = input",
            " + ".join(f"{number:,}" for number in (*fates, dead)) + f" = {counts.facts:,}",
            state.adds_up and sum(fates) + dead == counts.facts,
        ),
        Check("every order delivered twice counted once", f"{fates[1]:,} duplicates", fates[1] == counts.redelivered),
        Check("nothing was set aside", f"{dead:,} dead letters", dead == 0),
        Check(
            "every point event decided is published and visible",
            f"{state.journal:,} = {state.emitted:,} = {state.visible:,}",
            state.journal == state.emitted == state.visible,
        ),
        Check("every household has a balance", f"{status.members:,}", status.members == counts.households),
        Check(
            "opening + movements = closing = sum over members",
            f"{status.opening:,} + {moved:,} = {status.closing:,} = {status.now:,}",
            status.balanced and status.closing == status.now,
        ),
        Check(
            "the rebuilt tables are identical",
            f"{report.events:,} events, {report.rate:,.0f}/s",
            report.identical and report.events == state.journal,
        ),
    ]
