"""The campaign: rounds of faults under load. After each fault all lag must go, and every invariant is checked."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from deploy.migrate import migrate
from services.earning.rederive import rederive
from services.projections.rebuild import rebuild
from services.verify.checker import verify
from tests.chaos import world as worlds
from tests.chaos.faults import KINDS
from tests.chaos.servers import Servers
from tests.chaos.summary import Outcome, Summary
from tests.chaos.world import World
from tests.waiting import let_pass

LEVEL_S_MAX = 60.0
BUSY_S_MAX = 30.0
BUSY_INPUTS = 100
POLL_S = 0.1
LOOK_EACH_S = 0.5

Say = Callable[[str], None]


class Stuck(AssertionError):  # noqa: N818 (what it says is what is wrong)
    """Something was waited for in vain."""


@dataclass
class Plan:
    """How long, how hard, and from which seed."""

    seed: int
    seconds: float
    round_from: int = 0
    rounds_max: int | None = None
    rate: int = 1_000
    workers: int = 2
    kinds: Sequence[str] = field(default_factory=lambda: tuple(KINDS))
    once: bool = False
    go_on: bool = False

    def replay(self, round_number: int) -> str:
        """The command that runs one round again, with the same faults in the same order and the same facts."""
        return (
            f"python -m tests.chaos --seed {self.seed} --from-round {round_number} --rounds 1 "
            f"--rate {self.rate} --workers {self.workers}{' --once' if self.once else ''}"
        )

    def deal(self, round_number: int, possible: Sequence[str]) -> list[str]:
        """The faults of a round, in order."""
        pack = [kind for kind in possible for _ in range(1 if self.once else KINDS[kind][1])]
        random.Random(f"{self.seed}/{round_number}").shuffle(pack)  # noqa: S311 (a schedule one can repeat)
        return pack


async def campaign(servers: Servers, plan: Plan, say: Say) -> Summary:
    """Run rounds until the time is over, or something is wrong (unless the plan says to go on)."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + plan.seconds
    summary = Summary()
    await servers.administrate(f"CREATE DATABASE {worlds.TEMPLATE}")
    await migrate(servers.dsn_of(worlds.TEMPLATE))
    possible = list(plan.kinds)
    for kind, why in (("disk full", servers.disk.why_not), ("clock jumps", servers.clock.why_not)):
        if why and kind in possible:
            possible.remove(kind)
            summary.not_possible[kind] = why
    number = plan.round_from
    while loop.time() < ends and (plan.rounds_max is None or number < plan.round_from + plan.rounds_max):
        say(f"round {number} of seed {plan.seed}")
        one = Round(servers, plan, number, summary, say)
        await one.run(plan.deal(number, possible), ends)
        if summary.wrong and not plan.go_on:
            break
        number += 1
    return summary


class Round:
    """One world under faults."""

    def __init__(self, servers: Servers, plan: Plan, number: int, summary: Summary, say: Say) -> None:
        self._plan = plan
        self._number = number
        self._summary = summary
        self._say = say
        directory = servers.directory / f"round-{number}"
        self._world = World(servers, directory, f"chaos_{number}", f"{plan.seed}/{number}", plan.rate, plan.workers)
        self._torn = 0

    async def run(self, cards: Sequence[str], ends: float) -> None:
        """Deal the cards until none is left, or the time is over; then compare what can only be compared at the end."""
        world = self._world
        reader: asyncio.Task[None] | None = None
        try:
            await world.begin()
            reader = asyncio.create_task(self._keep_reading())
            await self._level()  # everybody is there before the first fault
            for kind in cards:
                if asyncio.get_running_loop().time() > ends:
                    break
                if not await self._fault(kind) and not self._plan.go_on:
                    return
            await self._last_look()
        finally:
            if reader is not None:
                reader.cancel()
            self._summary.counted.update(world.publisher.facts.kinds)
            await world.end()

    async def _fault(self, kind: str) -> bool:
        """One fault, and everything that must hold after it; gives whether all did."""
        world, (strike, _) = self._world, KINDS[kind]
        world.publisher.go_on()
        wrong: list[str] = []
        recovery_s, struck = 0.0, None
        try:
            await self._busy()
            struck = await strike(world)
            wrong += struck.wrong
            wrong += await world.mend()
            began = asyncio.get_running_loop().time()
            await world.publisher.hold()
            await self._level()
            recovery_s = asyncio.get_running_loop().time() - began
            wrong += await self._check()
        except Stuck as stuck:
            wrong += [f"I11: {stuck}", *world.last_words()]
        if self._torn:
            wrong.append(f"I8: a reader saw {self._torn} members whose balance was not the sum of their history")
            self._torn = 0
        what = struck.what if struck else "nothing was done"
        self._summary.outcomes.append(Outcome(kind, what, struck.harms if struck else 0, recovery_s, tuple(wrong)))
        self._say(f"  {kind}: {what}; level after {recovery_s:.1f} s" + (f"; WRONG: {len(wrong)}" if wrong else ""))
        for said in wrong[:20]:
            self._say(f"    {said}")
        if wrong:
            self._say(f"    again: {self._plan.replay(self._number)}")
        return not wrong

    async def _busy(self) -> None:
        """Until facts are being decided: harm done to somebody idle shows nothing."""
        before = max(0, await self._world.decided())
        await self._until(
            lambda: self._decided_more(before + BUSY_INPUTS), BUSY_S_MAX, "facts to be decided before the fault"
        )

    async def _decided_more(self, number: int) -> bool:
        return await self._world.decided() >= number

    async def _level(self) -> None:
        """Until every record published is decided, relayed and folded."""
        world = self._world
        published = await world.published()

        async def level() -> bool:
            return await world.decided() >= published and await world.behind() == 0

        await self._until(level, LEVEL_S_MAX, f"all of {published} inputs to be decided, relayed and folded")

    async def _until(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not await condition():  # type: ignore[misc] # a coroutine function
                    await let_pass(POLL_S)
        except TimeoutError:
            world = self._world
            state = f"decided {await world.decided()}, behind {await world.behind()}"
            raise Stuck(f"waited {seconds:.0f} s in vain for {what} ({state})") from None

    async def _check(self) -> list[str]:
        """The independent checker, in a thread of its own so that the proxies go on."""
        world = self._world
        report = await asyncio.to_thread(
            lambda: asyncio.run(verify(world.servers.bootstrap_servers, world.dsn, world.topics))
        )
        wrong = [f"{f.invariant} {f.where}: {f.what}" for f in report.findings]
        acknowledged, inputs = world.publisher.acknowledged, report.checked["inputs"]
        if inputs < acknowledged:
            wrong.append(f"I3: the shop has {acknowledged} records acknowledged, the checker counted {inputs} inputs")
        self._summary.counted["checks"] += 1
        return wrong

    async def _last_look(self) -> None:
        """I5 and I10: rebuilt read models and re-derived standings are those in use."""
        world = self._world
        wrong = []
        rebuilt = await rebuild(world.dsn, world.servers.bootstrap_servers, world.topics, check_only=True, processes=1)
        if not rebuilt.identical:
            wrong.append(f"I5: rebuilt tables differ: {rebuilt.differences[:3]}")
        derived = await rederive(world.dsn, check=True)
        if derived.different:
            wrong.append(f"I10: decided again, the journal gives other state: {derived.differences[:3]}")
        self._summary.outcomes.append(Outcome("(end of a round)", "rebuild and rederive", 0, 0.0, tuple(wrong)))
        self._summary.counted["point events"] += await world.events()
        self._summary.counted["inputs"] += await world.published()
        for said in wrong:
            self._say(f"    {said}\n    again: {self._plan.replay(self._number)}")

    async def _keep_reading(self) -> None:
        """A reader who looks all the time."""
        while True:
            self._torn += max(0, await self._world.torn())
            await let_pass(LOOK_EACH_S)
