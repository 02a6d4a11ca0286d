"""Numbers: exact text, rounding and sharing out, in whole numbers wherever they can be."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

_PLACES = 12
_SCALE = 10**_PLACES


def number_text(numerator: int, denominator: int) -> str:
    """A number from 0 up as exact text: a decimal where twelve places do (`1.25`), else a fraction (`1/3`)."""
    scaled, rest = divmod(numerator * _SCALE, denominator)
    if rest:
        return str(Fraction(numerator, denominator))
    whole, places = divmod(scaled, _SCALE)
    return f"{whole}.{places:012d}".rstrip("0") if places else str(whole)


def rounded(mode: str, numerator: int, denominator: int) -> int:
    """A number that is not negative, rounded to whole points by the program's mode."""
    whole, rest = divmod(numerator, denominator)
    if mode == "floor" or not rest:
        return whole
    if mode == "ceiling":
        return whole + 1
    twice = 2 * rest
    if mode == "half_up":
        return whole + (twice >= denominator)
    return whole + (twice > denominator or (twice == denominator and whole % 2 == 1))


def split(points: int, weights: Sequence[int | Fraction], total: int | Fraction) -> list[int]:
    """Points shared out by weight (they add up to `total`), the largest remainders first, ties to the earlier."""
    if len(weights) == 1:
        return [points]
    parts = [points * weight for weight in weights]
    shares = [part // total for part in parts]
    missing = points - sum(shares)
    if missing:
        rests = [part % total for part in parts]
        if missing == 1:
            shares[rests.index(max(rests))] += 1
            return shares
        for i in sorted(range(len(rests)), key=rests.__getitem__, reverse=True)[:missing]:
            shares[i] += 1
    return shares
