"""Numbers: exact text, rounding and sharing out, in whole numbers wherever they can be. Rules 2 and 4."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

_PLACES = 12
_SCALE = 10**_PLACES


def number_text(numerator: int, denominator: int) -> str:
    """A number from 0 up as exact text: a decimal where twelve places do (`1.25`), else a fraction (`1/3`)."""
    whole, rest = divmod(numerator, denominator)
    return _text(whole, rest, denominator)


def _text(whole: int, rest: int, denominator: int) -> str:
    if not rest:
        return str(whole)
    places, more = divmod(rest * _SCALE, denominator)
    if more:
        return str(Fraction(whole * denominator + rest, denominator))
    return f"{whole}.{places:012d}".rstrip("0")


def rounded(mode: str, numerator: int, denominator: int) -> tuple[int, str]:
    """A number that is not negative, rounded to whole points by the program's mode; and its exact text."""
    whole, rest = divmod(numerator, denominator)
    return whole + (mode != "floor" and _is_up(mode, whole, rest, denominator)), _text(whole, rest, denominator)


def _is_up(mode: str, whole: int, rest: int, denominator: int) -> bool:
    if mode == "ceiling":
        return rest > 0
    twice = 2 * rest
    if mode == "half_up":
        return twice >= denominator
    return twice > denominator or (twice == denominator and whole % 2 == 1)


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
