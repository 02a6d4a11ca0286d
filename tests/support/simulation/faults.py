"""Fates: what chance does to the hosts, their requests and the servers; all of it from one seed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from random import Random

from tests.support.simulation.loop import Host, here, loop, wait_for_ever

CALM_LATENCY_S = 0.002
SLOW_LATENCY_S = 0.3
SLOW_ONES = 0.03
PAUSES_S = (0.05, 0.5, 4.0, 12.0, 30.0)
"""Shorter and longer than locks, transactions, leases and group sessions last."""


class Fate(StrEnum):
    """What becomes of a request."""

    GOES_WELL = "goes well"
    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    PAUSE_BEFORE = "pause before"
    PAUSE_AFTER = "pause after"
    CUT_BEFORE = "cut before"
    CUT_AFTER = "cut after"
    REFUSED = "refused"
    LATE = "late"


HOST_FATES = (Fate.CRASH_BEFORE, Fate.CRASH_AFTER, Fate.PAUSE_BEFORE, Fate.PAUSE_AFTER)
REQUEST_FATES = (*HOST_FATES, Fate.CUT_BEFORE, Fate.CUT_AFTER, Fate.REFUSED)
"""Of a statement: its session may be cut before or after it is worked, or the server may give it up."""

SEND_FATES = (*HOST_FATES, Fate.CUT_BEFORE, Fate.CUT_AFTER, Fate.LATE)
"""Of records sent: they may be lost, acknowledged in vain, or come to lie in the log long after they were given up."""

RATES = (0.0, 0.002, 0.01, 0.03)
SEND_RATES = (0.0, 0.1, 0.5)
"""Of requests, and of records sent, of which there are few."""


class Fates:
    """The chances of one run. How often requests fail differs from seed to seed, so that some runs are mostly calm."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)  # noqa: S311 (repeatable on purpose)
        self.harmful = True
        self.told: Counter[str] = Counter()
        self._rate = self.chance.choice(RATES)
        self._send_rate = self.chance.choice(SEND_RATES)
        self._kinds = frozenset(fate for fate in Fate if self.chance.random() < 0.6)

    def rule_out(self, fate: Fate) -> None:
        """Let something not happen in this run."""
        self._kinds -= {fate}

    def happens(self, probability: float) -> bool:
        """Whether something with this probability comes true."""
        return self.chance.random() < probability

    def latency_s(self) -> float:
        """How long a message is under way."""
        slow = self.harmful and self.chance.random() < SLOW_ONES
        return self.chance.random() * (SLOW_LATENCY_S if slow else CALM_LATENCY_S)

    def pause_s(self) -> float:
        """How long a host stands still."""
        return self.chance.random() * self.chance.choice(PAUSES_S)

    def of_request(self, possible: Sequence[Fate]) -> Fate:
        """What becomes of a request of the caller's host."""
        rate = self._send_rate if possible is SEND_FATES else self._rate
        if not self.harmful or self.chance.random() >= rate:
            return Fate.GOES_WELL
        fate = self.chance.choice(possible)
        if fate not in self._kinds:
            return Fate.GOES_WELL
        self.told[fate] += 1
        return fate

    async def before(self, fate: Fate) -> None:
        """Let what a fate says of the host happen, where that is before its request leaves."""
        if fate is Fate.CRASH_BEFORE:
            here().crash()
            await wait_for_ever()
        if fate is Fate.PAUSE_BEFORE:
            self.stand_still(here())
            await turn()

    def after(self, fate: Fate) -> None:
        """Let what a fate says of the host happen, where that is after its request left."""
        if fate is Fate.CRASH_AFTER:
            here().crash()
        elif fate is Fate.PAUSE_AFTER:
            self.stand_still(here())

    def stand_still(self, host: Host) -> None:
        """Pause a host, and wake it up later."""
        host.pause()
        loop().later(self.pause_s(), _wake, host)


def _wake(host: Host) -> None:
    if not host.dead:
        host.revive()


async def turn() -> None:
    """Let everybody else go first; a host that stands still goes on from here when it wakes up."""
    future: asyncio.Future[None] = loop().create_future()
    loop().call_soon(_come, future)
    await future


def _come(future: asyncio.Future[None]) -> None:
    if not future.done():  # whoever waited may have been cancelled
        future.set_result(None)
