"""Programs as a merchant writes them: a shop in Berlin that pays in euros, and what a test makes of it."""

from __future__ import annotations

ONE_A_EURO = """
rules: [{id: base, rate: 1}]
"""
"""One point for one euro."""

GROCER = """
rules:
  - {id: base, rate: 1}
  - {id: fresh, rate: 0.5, only: {categories: [FRESH]}}
  - {id: big-basket, points: 25, minimum: 80}
"""
"""A rule for everything, one for some, one for much."""


def document(*settings: str, program: str = "shop", effective_from: str = "2025-01-01T00:00:00+01:00") -> str:
    """The text of a program: its head, and settings one after the other."""
    return (
        f"program: {program}\neffective_from: {effective_from}\ncurrency: EUR\ntime_zone: Europe/Berlin\n"
        + "\n".join(settings)
    )
