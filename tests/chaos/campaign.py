"""The campaign: rounds of faults under load. After each round all lag must go, and every invariant is checked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from deploy.migrate import migrate
from tests.chaos import world as worlds
from tests.chaos.faults import KINDS, SERVERS
from tests.chaos.looking import Looker, findings_of, look_at_everything
from tests.chaos.schedule import SECONDS_A_ROUND, Plan
from tests.chaos.servers import Servers
from tests.chaos.summary import Outcome, Summary
from tests.chaos.world import Struck, World
from tests.eventually import let_pass

LEVEL_S_MAX, LEVEL_TOGETHER_S_MAX = 60.0, 300.0
"""After one fault, and after a round of many, during which the shop never stopped."""

BUSY_S_MAX = 120.0
BUSY_INPUTS = 100
POLL_S = 0.1
LOOK_EACH_S = 0.5

Say = Callable[[str], None]


class Stuck(AssertionError):  # noqa: N818 (what it says is what is wrong)
    """Something was waited for in vain."""


async def campaign(servers: Servers, plan: Plan, say: Say, summary: Summary | None = None) -> Summary:
    """Run rounds until the time is over, or something is wrong (unless the plan says to go on).

    `summary` is filled as it goes: whoever ends a campaign early still has it.
    """
    loop = asyncio.get_running_loop()
    ends = loop.time() + plan.seconds
    summary = Summary() if summary is None else summary
    await servers.administrate(f"CREATE DATABASE {worlds.TEMPLATE}")
    await migrate(servers.dsn_of(worlds.TEMPLATE))
    possible = list(plan.kinds)
    for kind, why in (("disk full", servers.disk.why_not), ("clock jumps", servers.clock.why_not)):
        if why and kind in possible:
            possible.remove(kind)
            summary.not_possible[kind] = why
    number = plan.round_from
    last = number + (plan.rounds_max or 1_000_000)
    while loop.time() < ends and number < last and (plan.go_on or not summary.wrong):
        installed = Installed(servers, plan, number, summary, say)
        number = await installed.run(possible, min(last, number + plan.rounds_a_world), ends)
    return summary


@dataclass
class Round:
    """What is known of one round."""

    number: int
    began: float
    struck: list[tuple[str, Struck]] = field(default_factory=list)
    behind: int = 0
    recovery_s: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Installed:
    """One world, for some rounds."""

    def __init__(self, servers: Servers, plan: Plan, number: int, summary: Summary, say: Say) -> None:
        self._plan = plan
        self._first = number
        self._summary = summary
        self._say = say
        directory = servers.directory / f"world-{number}"
        self._world = World(servers, directory, f"chaos_{number}", f"{plan.seed}/{number}", plan.rate, plan.workers)
        self._installation = (servers.bootstrap_servers, self._world.dsn, self._world.topics)
        self._looker = Looker(self._installation)
        self._comparing: asyncio.Task[None] | None = None
        self._torn = 0

    async def run(self, possible: Sequence[str], last: int, ends: float) -> int:
        """Rounds until `last`, or the time is over, or one finds something; then compare all of it.

        Gives the number of the next round.
        """
        world, loop = self._world, asyncio.get_running_loop()
        reader: asyncio.Task[None] | None = None
        number = self._first
        self._say(f"world {number} of seed {self._plan.seed}")
        try:
            await world.begin()
            reader = asyncio.create_task(self._keep_reading())
            await self._level()  # everybody is there before the first fault
            while self._sound and number < last and loop.time() < ends:
                await self._round(number, possible)
                number += 1
            await self._compared()
            if self._sound:
                worlds_before = self._first // self._plan.rounds_a_world
                derive = worlds_before % self._plan.derive_each == 0 or loop.time() >= ends
                await self._last_look(number - 1, derive=derive)
        finally:
            for task in (reader, self._comparing):
                if task is not None:
                    task.cancel()
            self._looker.stop()
            self._summary.counted.update(world.facts.kinds)
            self._summary.harms.update(world.harms)
            await world.end()
        return number

    @property
    def _sound(self) -> bool:
        return self._plan.go_on or not self._summary.wrong

    async def _round(self, number: int, possible: Sequence[str]) -> None:
        """One round of faults, and everything that must hold after it.

        Where several faults make a round, its findings are compared while the next one begins, which spares the
        servers until then.
        """
        world, loop = self._world, asyncio.get_running_loop()
        this = Round(number, loop.time())
        try:
            world.publisher.go_on()
            await self._busy()
            hands = self._plan.deal(number, possible)
            await asyncio.gather(*(self._strike_all(this, track, hand) for track, hand in hands.items()))
            await self._compared()
            this.wrong += await world.mend()
            this.wrong += [said for _, one in this.struck for said in one.wrong]
            held = loop.time()
            await world.publisher.hold()
            this.behind = await world.published() - await world.decided()
            await self._level()
            this.recovery_s = loop.time() - held
            this.wrong += await world.forgotten()
            await self._looker.look()
        except Stuck as stuck:
            this.wrong += [f"I11: {stuck}", *world.last_words()]
            self._tell(this)
            return
        self._comparing = asyncio.create_task(self._compare(this, world.publisher.acknowledged))
        if not self._plan.together:
            await self._compared()

    async def _compare(self, this: Round, acknowledged: int) -> None:
        """Compare what the round has brought, and tell of the round."""
        report = await self._looker.compare()
        counted = report.checked["inputs"]
        this.wrong += findings_of(report)
        if counted < acknowledged:
            this.wrong.append(f"I3: {acknowledged} records are acknowledged, the checker counted {counted} inputs")
        if self._torn:
            this.wrong.append(f"I8: a reader saw {self._torn} members whose balance was not the sum of their history")
            self._torn = 0
        self._summary.counted["checks"] += 1
        self._tell(this)

    async def _compared(self) -> None:
        """Wait until the round before is compared."""
        if self._comparing is not None:
            await self._comparing
            self._comparing = None

    def _tell(self, this: Round) -> None:
        faults = tuple((kind, one.harms) for kind, one in this.struck)
        outcome = Outcome(faults, this.recovery_s, tuple(this.wrong))
        self._summary.outcomes.append(outcome)
        took_s = asyncio.get_running_loop().time() - this.began
        state = f"{this.behind:,} inputs behind, level after {this.recovery_s:.1f} s; checked after {took_s:.1f} s"
        state += (
            f"; {self._world.publisher.acknowledged:,} inputs of this world; harms of it: {dict(self._world.harms)}"
        )
        self._say(f"round {this.number}: {'; '.join(one.what for _, one in this.struck)}\n        {state}")
        if outcome.wrong:
            self._say(f"    WRONG: {len(outcome.wrong)}")
            for said in outcome.wrong[:20]:
                self._say(f"    {said}")
            self._say(f"    again: {self._plan.replay(self._first, this.number)}")

    async def _strike_all(self, this: Round, track: str, hand: Sequence[str]) -> None:
        """The cards of one track, one after the other, spread over the time of the round; some come close together."""
        draw = self._plan.draw(this.number, f"{track} strikes")
        spread_s = SECONDS_A_ROUND if self._plan.together else 0.0
        moments = sorted(draw.uniform(0, spread_s) for _ in hand)
        if track == SERVERS:
            await self._compared()
        loop = asyncio.get_running_loop()
        for kind, moment in zip(hand, moments, strict=True):
            await let_pass(max(0.0, this.began + moment - loop.time()))
            this.struck.append((kind, await KINDS[kind].strike(self._world, draw)))

    async def _busy(self) -> None:
        """Until facts are being decided: harm done to somebody idle shows nothing."""
        before = max(0, await self._world.decided())

        async def busy() -> bool:
            return await self._world.decided() >= before + BUSY_INPUTS

        await self._until(busy, BUSY_S_MAX, "facts to be decided before the fault")

    async def _level(self) -> None:
        """Until every record published is decided, relayed and folded."""
        world = self._world
        published = await world.published()

        async def level() -> bool:
            return await world.decided() >= published and await world.behind() == 0

        seconds = LEVEL_TOGETHER_S_MAX if self._plan.together else LEVEL_S_MAX
        await self._until(level, seconds, f"all of {published} inputs to be decided, relayed and folded")

    async def _until(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not await condition():  # type: ignore[misc] # a coroutine function
                    await let_pass(POLL_S)
        except TimeoutError:
            world = self._world
            state = f"decided {await world.decided()}, behind {await world.behind()}"
            raise Stuck(f"waited {seconds:.0f} s in vain for {what} ({state})") from None

    async def _last_look(self, number: int, *, derive: bool) -> None:
        """All workers end; then everything is checked afresh, rebuilt and perhaps derived again."""
        world = self._world
        this = Round(number, asyncio.get_running_loop().time())
        this.struck.append(("(all checked afresh)", Struck(f"all checked afresh{', derived again' * derive}", 0)))
        try:
            world.publisher.go_on()
            await world.publisher.hold()
            await self._level()
            await world.retire()
            this.wrong += await look_at_everything(self._installation, derive=derive)
        except Stuck as stuck:
            this.wrong += [f"I11: {stuck}", *world.last_words()]
        self._summary.counted["point events"] += await world.folded()
        self._summary.counted["inputs"] += await world.published()
        self._summary.counted["full checks"] += 1
        self._summary.counted["derived again"] += derive
        self._tell(this)

    async def _keep_reading(self) -> None:
        """A reader who looks all the time."""
        while True:
            self._torn += max(0, await self._world.torn())
            await let_pass(LOOK_EACH_S)
