"""Spreading a whole number over parts by largest remainder: the only way anything is split (rules 1, 4)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor


def spread(amount: int, weights: Sequence[Fraction], order: Sequence[tuple[bool, str]]) -> list[int]:
    """Whole parts in proportion to the weights, adding up to the amount; ties go to what comes first in `order`.

    With no weight at all everything goes to what comes first.
    """
    if not weights:
        return []
    total = sum(weights)
    places = sorted(range(len(weights)), key=lambda i: order[i])
    if total == 0:
        parts = [0] * len(weights)
        parts[places[0]] = amount
        return parts
    exact = [amount * Fraction(weight) / total for weight in weights]
    parts = [floor(share) for share in exact]
    by_remainder = sorted(places, key=lambda i: -(exact[i] - parts[i]))
    for i in by_remainder[: amount - sum(parts)]:
        parts[i] += 1
    return parts
