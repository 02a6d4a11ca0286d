"""Referrals: some households were brought by others that came before them. Planned ahead, for it begins before a visit.

None is in the data set: who brought whom is drawn by the seed and the household's number.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from services.cli.demo.baskets import Visit
from services.cli.demo.envelopes import SEED, Event, fact, member_of

# Of 100 households so many were brought by another; and of 100 of those …
_BROUGHT = 35
_CHARGED_BACK = 10
_THEMSELVES = 3
_SAME_DEVICE = 4
_SAME_PAYMENT = 3
_NOT_NEW = 5


class Referrals(NamedTuple):
    """The year's referrals: their facts, each with its arrival, and those of their baskets whose payment bounces."""

    facts: list[tuple[datetime, Event]]
    charged_back: frozenset[int]


class _Brought(NamedTuple):
    """A household that was brought by another, by which visit, and when it signed up."""

    household: int
    referrer: int
    visit: Visit
    joined: datetime
    signals: dict[str, bool]


def referrals_of(visits: Iterable[Visit], made: Counter[str]) -> Referrals:
    """Who brought whom, by the first two visits of each household."""
    firsts = _first_two(visits)
    came = [first.time for first, _ in firsts]
    facts: list[tuple[datetime, Event]] = []
    charged_back: set[int] = set()
    for first, second in firsts:
        draw = random.Random(f"{SEED}/referral/{first.household}")  # noqa: S311 (it must be repeatable, and guards nothing)
        if draw.randrange(100) >= _BROUGHT:
            continue
        kind = draw.randrange(100)
        visit, joined = _joined(first, second if kind < _NOT_NEW else None, draw)
        before = bisect_left(came, joined - timedelta(hours=1))
        if not before:
            continue  # nobody was there yet who could have brought them
        # Those who came early bring more than their share, so that some bring more than the program rewards.
        referrer = firsts[int(before * draw.random() ** 1.5)][0].household
        if _NOT_NEW <= kind < _NOT_NEW + _THEMSELVES:
            referrer = first.household
        brought = _Brought(first.household, referrer, visit, joined, _signals(kind - _NOT_NEW - _THEMSELVES))
        made["referrals"] += 1
        facts += _facts_of(brought, draw)
        if draw.randrange(100) < _CHARGED_BACK:
            charged_back.add(visit.basket)
    return Referrals(facts, frozenset(charged_back))


def _first_two(visits: Iterable[Visit]) -> list[tuple[Visit, Visit | None]]:
    """Each household's first visit and the one after it, in order of the first."""
    first: dict[int, Visit] = {}
    second: dict[int, Visit] = {}
    for visit in visits:
        if first.setdefault(visit.household, visit) is not visit:
            second.setdefault(visit.household, visit)
    return [(visit, second.get(household)) for household, visit in first.items()]


def _joined(first: Visit, second: Visit | None, draw: random.Random) -> tuple[Visit, datetime]:
    """The visit that a referral names, and when its household signed up: before it; with a second one, after the first.

    Who has bought before is no new customer.
    """
    ahead = timedelta(seconds=draw.randrange(600, 2 * 86_400))
    if second is None:
        return first, first.time - ahead
    return second, max(second.time - ahead, first.time + (second.time - first.time) / 2)


def _signals(kind: int) -> dict[str, bool]:
    """What the shop noticed of the order."""
    return {
        "same_device": 0 <= kind < _SAME_DEVICE,
        "same_payment": _SAME_DEVICE <= kind < _SAME_DEVICE + _SAME_PAYMENT,
    }


def _facts_of(brought: _Brought, draw: random.Random) -> Iterator[tuple[datetime, Event]]:
    """A click on the referrer's link, the sign-up, and the order, which the shop may tell of before its till does."""
    referral = {"referral_id": f"referral-{brought.household}"}
    known = referral | {"referrer_id": member_of(brought.referrer)}
    clicked = brought.joined - timedelta(seconds=draw.randrange(60, 3_600))
    yield clicked, _told("clicked", brought, brought.referrer, clicked, referral)
    yield brought.joined, _told("joined", brought, brought.household, brought.joined, known)
    completed = brought.visit.time + timedelta(seconds=draw.randrange(-30, 120))
    data = known | {"order_id": str(brought.visit.basket), "signals": brought.signals}
    yield completed, _told("completed", brought, brought.household, completed, data)


def _told(change: str, brought: _Brought, subject: int, time: datetime, data: Event) -> Event:
    return fact(f"commerce.referral.{change}", f"referral-{brought.household}-{change}", subject, time, data)
