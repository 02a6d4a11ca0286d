"""The faults: each a way to harm a running installation. Who strikes leaves mending to the world."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from shared.broker import Outgoing
from tests.chaos.proxy import Proxy
from tests.chaos.world import SERVICES, Worker, World
from tests.waiting import let_pass

FAILPOINTS = {
    "earning": ("before_commit", "after_commit", "after_emit"),
    "projections": ("before_commit", "after_commit"),
}
DIE_S, STOP_S_MAX = 8.0, 20.0
STORM_S, LONG_STORM_S, STORM_EACH_S = 20.0, 180.0, 2.0
STALL_S_MAX, LOOK_EACH_S = 15.0, 0.5
HOURS = 3600


class Struck(NamedTuple):
    """What was done: words, how many single harms it was, and what was wrong already while it lasted."""

    what: str
    harms: int = 1
    wrong: tuple[str, ...] = ()


Strike = Callable[[World], Awaitable[Struck]]


async def kill_workers(world: World) -> Struck:
    """`kill -9` of some or all workers, moments apart, some of them again as soon as they are back."""
    victims = world.draw.sample(world.running, world.draw.randint(1, len(world.running)))
    for victim in victims:
        await world.kill(victim)
        await let_pass(world.draw.uniform(0, 0.3))
        if world.draw.random() < 0.5:
            await world.start(victim.service, victim.number)
    return Struck(f"kill -9 of {_names(victims)}", len(victims))


async def die_at_failpoint(world: World) -> Struck:
    """A worker dies between two statements: before or after its commit, or after it published."""
    victim = world.draw.choice(world.running)
    place = f"{world.draw.choice(FAILPOINTS[victim.service])}:{world.draw.randint(1, 4)}"
    await world.kill(victim)
    dying = await world.start(victim.service, victim.number, **{f"{victim.service.upper()}_FAILPOINT": place})
    dying.harmed = True
    died = await _holds(lambda: dying.process.pid is None, DIE_S)
    if not died:
        await world.kill(dying)
    return Struck(f"{victim.process.name} dies {place}{'' if died else ' (not reached: killed)'}", 2)


async def pause_worker(world: World) -> Struck:
    """A zombie: a worker stands still, longer or shorter than locks, leases and its place in the group last."""
    victims = world.draw.sample(world.running, world.draw.choice((1, 1, len(world.running) - 1)))
    seconds = world.draw.choice((0.5, 4.0, 7.0, 12.0))
    for victim in victims:
        if (pid := victim.process.pid) is not None:
            os.kill(pid, signal.SIGSTOP)
    await let_pass(seconds)
    for victim in victims:
        if (pid := victim.process.pid) is not None:
            os.kill(pid, signal.SIGCONT)
    return Struck(f"{_names(victims)} stand still for {seconds} s", len(victims))


async def replace_zombie(world: World) -> Struck:
    """A worker stands still, another takes its place for good, and then the first one wakes up."""
    victim = world.draw.choice(world.running)
    if (pid := victim.process.pid) is not None:
        os.kill(pid, signal.SIGSTOP)
    stand_in = await world.start(victim.service, 8)
    await let_pass(12.0)
    if pid is not None:
        os.kill(pid, signal.SIGCONT)
    await let_pass(2.0)
    stand_in.wanted, stand_in.harmed = False, True
    await asyncio.to_thread(stand_in.process.stop)
    return Struck(f"{victim.process.name} is replaced while it stands still, and wakes up")


async def terminate_workers(world: World) -> Struck:
    """SIGTERM in whatever phase a worker is: it ends by itself, in time."""
    victims = world.draw.sample(world.running, world.draw.randint(1, len(world.running)))
    wrong = []
    for victim in victims:
        victim.harmed = True
        began = asyncio.get_running_loop().time()
        await asyncio.to_thread(victim.process.stop)
        took = asyncio.get_running_loop().time() - began
        if took > STOP_S_MAX:
            wrong.append(f"{victim.process.name} needed {took:.1f} s to end after SIGTERM")
        await world.start(victim.service, victim.number)
        await let_pass(world.draw.uniform(0, 1.5))  # the next one is told while this one starts
    return Struck(f"SIGTERM to {_names(victims)}", len(victims), tuple(wrong))


async def kill_kafka(world: World) -> Struck:
    """`kill -9` of the broker, which stays away for a moment."""
    await asyncio.to_thread(world.servers.kafka.kill)
    await let_pass(world.draw.choice((0.0, 1.0, 4.0)))
    return Struck("kill -9 of the broker")


async def stop_postgres(world: World) -> Struck:
    """`pg_ctl stop -m immediate`: no checkpoint, sessions gone, recovery at the next start."""
    await asyncio.to_thread(world.servers.postgres.stop, "immediate")
    await let_pass(world.draw.choice((0.0, 1.0, 4.0)))
    return Struck("immediate stop of Postgres")


async def kill_postgres(world: World) -> Struck:
    """`kill -9` of Postgres, every process of it."""
    await asyncio.to_thread(world.servers.postgres.kill)
    await let_pass(world.draw.choice((0.0, 1.0)))
    return Struck("kill -9 of Postgres")


async def kill_everything(world: World) -> Struck:
    """The power goes."""
    for worker in world.running:
        await world.kill(worker)
    await asyncio.to_thread(world.servers.kafka.kill)
    await asyncio.to_thread(world.servers.postgres.kill)
    return Struck("kill -9 of everything", len(world.running) + 2)


async def cut_connections(world: World) -> Struck:
    """Connections are reset, several times, in the middle of whatever they carry; for a while none is let in."""
    name, proxy = _wire(world)
    times = world.draw.randint(1, 4)
    cut = 0
    for _ in range(times):
        cut += proxy.cut()
        proxy.refuses = world.draw.random() < 0.5
        await let_pass(world.draw.uniform(0, 0.7))
    return Struck(f"{cut} connections to {name} cut, {times} times", times)


async def delay_connections(world: World) -> Struck:
    """Every chunk of bytes takes longer."""
    name, proxy = _wire(world)
    proxy.delay_s = world.draw.choice((0.02, 0.1, 0.3))
    await let_pass(5.0)
    return Struck(f"{proxy.delay_s} s of delay to {name}")


async def freeze_connections(world: World) -> Struck:
    """Connections stand, and nothing passes: nobody is told."""
    name, proxy = _wire(world)
    seconds = world.draw.choice((1.0, 4.0, 12.0))
    proxy.freeze()
    await let_pass(seconds)
    return Struck(f"nothing passes to {name} for {seconds} s")


async def fill_disk(world: World) -> Struck:
    """Postgres has no byte left, for its tables or its log."""
    world.servers.disk.fill()
    await let_pass(world.draw.choice((2.0, 5.0)))
    return Struck("Postgres's disk is full")


async def jump_clock(world: World) -> Struck:
    """Postgres's and the workers' clock jumps, forward or back, and workers die in that time, all relays perhaps."""
    hours = world.draw.choice((-30 * 24, -6, -1, 1, 6, 30 * 24))
    world.servers.clock.jump(hours * HOURS)
    await let_pass(1.0)
    service = world.draw.choice((*SERVICES, ""))
    victims = [w for w in world.running if w.service == service] or [world.draw.choice(world.running)]
    for victim in victims:
        await world.kill(victim)
    return Struck(f"the clock says {hours:+d} h, {_names(victims)} killed")


async def rebalance_storm(world: World) -> Struck:
    """Every 2 s a worker joins or leaves."""
    return await _storm(world, STORM_S)


async def long_rebalance_storm(world: World) -> Struck:
    """The same for three minutes; at no time may progress stand still for longer than 15 s."""
    return await _storm(world, LONG_STORM_S)


async def _storm(world: World, seconds: float) -> Struck:
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    watching = asyncio.create_task(_longest_stall(world))
    harms = 0
    while loop.time() < ends:
        service = world.draw.choice(SERVICES)
        leavers = [w for w in world.running if w.service == service]
        absent = set(range(1, world.workers_each + 3)) - {worker.number for worker in leavers}
        if len(leavers) > 1 and (not absent or world.draw.random() < 0.5):
            leaver = world.draw.choice(leavers)
            leaver.wanted, leaver.harmed = False, True
            await asyncio.to_thread(leaver.process.kill if world.draw.random() < 0.3 else leaver.process.stop)
        else:
            await world.start(service, world.draw.choice(sorted(absent)))
        harms += 1
        await let_pass(STORM_EACH_S)
    watching.cancel()
    stall_s = world.stall_s
    for worker in world.workers:
        worker.wanted = worker.number <= world.workers_each
        if not worker.wanted:
            worker.harmed = True
            await asyncio.to_thread(worker.process.stop)
    wrong = (f"I11: nothing was decided, or nothing folded, for {stall_s:.1f} s",) if stall_s > STALL_S_MAX else ()
    return Struck(f"{harms} workers join or leave within {seconds:.0f} s, longest stall {stall_s:.1f} s", harms, wrong)


async def _longest_stall(world: World) -> None:
    """Note the longest time in which no fact was decided, or no point event folded, while facts kept coming."""
    loop = asyncio.get_running_loop()
    world.stall_s = 0.0
    seen = {"decided": (await world.decided(), loop.time()), "events": (await world.events(), loop.time())}
    while True:
        await let_pass(LOOK_EACH_S)
        for name, now in (("decided", await world.decided()), ("events", await world.events())):
            before, since = seen[name]
            world.stall_s = max(world.stall_s, loop.time() - since)
            if now > before:
                seen[name] = (now, loop.time())


async def write_foreign_records(world: World) -> Struck:
    """Somebody who has no business there writes to the points topic."""
    rows = [Outgoing(b"who", b"not ours"), Outgoing(None, None), Outgoing(b"", b"", [("position", b"x")])]
    try:
        await world.pipeline.publish({world.draw.randrange(world.pipeline.shards): rows}, world.topics.points)
    except OSError as error:
        return Struck(f"foreign records could not be written: {error!r}", 0)
    return Struck("foreign records on the points topic")


KINDS: dict[str, tuple[Strike, int]] = {
    "worker killed": (kill_workers, 8),
    "worker dies at a failpoint": (die_at_failpoint, 6),
    "worker stands still": (pause_worker, 3),
    "zombie replaced": (replace_zombie, 1),
    "SIGTERM": (terminate_workers, 3),
    "broker killed": (kill_kafka, 3),
    "Postgres stopped at once": (stop_postgres, 4),
    "Postgres killed": (kill_postgres, 3),
    "everything killed": (kill_everything, 1),
    "connections cut": (cut_connections, 3),
    "connections slow": (delay_connections, 1),
    "connections frozen": (freeze_connections, 1),
    "disk full": (fill_disk, 1),
    "clock jumps": (jump_clock, 2),
    "rebalance storm": (rebalance_storm, 1),
    "long rebalance storm": (long_rebalance_storm, 0),
    "foreign records": (write_foreign_records, 1),
}
"""Each kind of fault and how many cards of it are in the pack that a round deals."""


def _wire(world: World) -> tuple[str, Proxy]:
    if world.draw.random() < 0.5:
        return "Kafka", world.servers.kafka_proxy
    return "Postgres", world.servers.postgres_proxy


def _names(workers: list[Worker]) -> str:
    return ", ".join(sorted(worker.process.name for worker in workers))


async def _holds(condition: Callable[[], bool], seconds: float) -> bool:
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    while not condition():
        if loop.time() > ends:
            return False
        await let_pass(0.05)
    return True
