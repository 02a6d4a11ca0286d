"""Decide: facts and rules in, points out. Pure: no clock, no randomness, no I/O.

`needs(fact)` says which rows to load, `advance` brings a standing to an instant, `decide` says what a fact means now,
`decide_message` what one means that another member's decision has sent on.
"""

from services.earning.decide.core.decision import SETTLE, Decision, Needs, Outcome
from services.earning.decide.deciding import advance, decide, decide_message, decided_at, needs, refuse

__all__ = [
    "SETTLE",
    "Decision",
    "Needs",
    "Outcome",
    "advance",
    "decide",
    "decide_message",
    "decided_at",
    "needs",
    "refuse",
]
