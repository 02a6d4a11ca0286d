"""The rebalance storm: workers join and leave all the time; nothing may be lost, and nothing stand still for long."""

from __future__ import annotations

import asyncio
import random

from tests.chaos.world import SERVICES, Struck, World
from tests.eventually import let_pass

EACH_S = 2.0
STALL_S_MAX, LOOK_EACH_S = 15.0, 0.5


async def rebalance_storm(world: World, draw: random.Random, seconds: float) -> Struck:
    """Every 2 s a worker joins or leaves, in good order or not; who was there before is there again at the end.

    At no time may it take longer than 15 s until another fact is decided, or another point event folded.
    """
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    watch = Watch(world)
    watching = asyncio.create_task(watch.run())
    harms, due = 0, loop.time()
    try:
        while loop.time() < ends:
            await _join_or_leave(world, draw)
            harms += 1
            due += EACH_S
            await let_pass(max(0.0, due - loop.time()))
    finally:
        watching.cancel()
    for worker in world.workers:
        worker.wanted = worker.number <= world.workers_each
        if not worker.wanted:
            worker.harmed = True
            await asyncio.to_thread(worker.process.stop)
    stalls = " and ".join(f"nothing {what} for {stall_s:.1f} s" for what, stall_s in watch.stalls_s.items())
    wrong = (f"I11: {stalls}",) if max(watch.stalls_s.values()) > STALL_S_MAX else ()
    return Struck(f"{harms} workers join or leave within {seconds:.0f} s, at most {stalls}", harms, wrong)


async def _join_or_leave(world: World, draw: random.Random) -> None:
    service = draw.choice(SERVICES)
    present = [worker for worker in world.running if worker.service == service]
    absent = set(range(1, world.workers_each + 3)) - {worker.number for worker in present}
    if len(present) > 1 and (not absent or draw.random() < 0.5):
        leaver = draw.choice(present)
        leaver.wanted = False
        if draw.random() < 0.3:
            await world.kill(leaver)
        else:
            leaver.harmed = True
            await asyncio.to_thread(leaver.process.stop)
    else:
        await world.start(service, draw.choice(sorted(absent)))


class Watch:
    """Watches progress: `stalls_s` has the longest time in which none was seen, of what is decided and folded."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.stalls_s = dict.fromkeys(("decided", "folded"), 0.0)

    async def run(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        seen = dict.fromkeys(self.stalls_s, (-1, loop.time()))
        while True:
            for name, now in (("decided", await self._world.decided()), ("folded", await self._world.folded())):
                before, since = seen[name]
                self.stalls_s[name] = max(self.stalls_s[name], loop.time() - since)
                if now > before:
                    seen[name] = (now, loop.time())
            await let_pass(LOOK_EACH_S)
