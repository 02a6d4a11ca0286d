"""The faults: each a way to harm a running installation for a moment. Who strikes also mends, as an operator would.

Those of one track come one after the other; the tracks of a round run side by side. A strike counts its harms.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from shared.broker import Outgoing
from tests.chaos.proxy import Proxy
from tests.chaos.storm import rebalance_storm
from tests.chaos.world import Struck, Worker, World
from tests.eventually import let_pass

FAILPOINTS = {
    "earning": ("before_commit", "after_commit", "after_emit"),
    "projections": ("before_commit", "after_commit"),
}
DIE_S, STOP_S_MAX = 5.0, 28.0
AWAY_S = (0.0, 0.0, 1.0, 3.0)
"""How long a server stays away."""

HOURS = 3600
STORM_S, LONG_STORM_S = 20.0, 180.0

Strike = Callable[[World, random.Random], Awaitable[Struck]]


async def kill_worker(world: World, draw: random.Random) -> Struck:
    """`kill -9` of a worker; it is started again at once, or a moment later, and sometimes dies again meanwhile."""
    victim = draw.choice(world.running)
    harms = 0
    for _ in range(draw.choice((1, 1, 1, 2))):
        harms += await world.kill(victim)
        await let_pass(draw.choice((0.0, 0.3, 1.5)))
        await world.start(victim.service, victim.number)
        await let_pass(draw.uniform(0, 0.8))
    return Struck(f"kill -9 of {victim.process.name}", harms)


async def kill_workers(world: World, draw: random.Random) -> Struck:
    """`kill -9` of several workers, perhaps all, moments apart."""
    victims = draw.sample(world.running, draw.randint(2, len(world.running)))
    harms = 0
    for victim in victims:
        harms += await world.kill(victim)
        await let_pass(draw.uniform(0, 0.3))
    await _start_again(world, victims)
    return Struck(f"kill -9 of {_names(victims)}", harms)


async def die_at_failpoint(world: World, draw: random.Random) -> Struck:
    """A worker dies between two statements: before or after its commit, or after it published."""
    victim = draw.choice(world.running)
    place = f"{draw.choice(FAILPOINTS[victim.service])}:{draw.randint(1, 4)}"
    harms = await world.kill(victim)
    dying = await world.start(victim.service, victim.number, **{f"{victim.service.upper()}_FAILPOINT": place})
    dying.harmed = True
    died = await _holds(lambda: dying.process.pid is None, DIE_S)
    world.harms["deaths at failpoints"] += died
    harms += await world.kill(dying) or died
    await world.start(victim.service, victim.number)
    return Struck(f"{victim.process.name} dies {place}{'' if died else ' (not reached: killed)'}", harms)


async def pause_worker(world: World, draw: random.Random) -> Struck:
    """A zombie: a worker stands still, longer or shorter than locks, leases and its place in the group last."""
    victims = draw.sample(world.running, draw.choice((1, 1, 1, len(world.running) - 1)))
    seconds = draw.choice((0.5, 2.0, 4.0, 7.0, 12.0))
    stopped = [victim for victim in victims if world.stop_still(victim)]
    await let_pass(seconds)
    for victim in victims:
        world.wake(victim)
    return Struck(f"{_names(stopped) or 'nobody, for all are dead,'} stands still for {seconds} s", len(stopped))


async def replace_zombie(world: World, draw: random.Random) -> Struck:
    """A worker stands still, another takes its place for good, and then the first one wakes up."""
    victim = draw.choice(world.running)
    stopped = world.stop_still(victim)
    stand_in = await world.start(victim.service, 8)
    await let_pass(12.0)
    world.wake(victim)
    await let_pass(2.0)
    stand_in.wanted, stand_in.harmed = False, True
    await asyncio.to_thread(stand_in.process.stop)
    return Struck(f"{victim.process.name} is replaced while it stands still, and wakes up", int(stopped))


async def terminate_worker(world: World, draw: random.Random) -> Struck:
    """SIGTERM in whatever phase a worker is: it ends by itself, in time."""
    victim = draw.choice([worker for worker in world.running if not worker.stands_still])
    victim.harmed = True
    began = asyncio.get_running_loop().time()
    await asyncio.to_thread(victim.process.stop)
    took = asyncio.get_running_loop().time() - began
    late = took > STOP_S_MAX and not victim.stands_still
    await world.start(victim.service, victim.number)
    wrong = (f"{victim.process.name} needed {took:.1f} s to end after SIGTERM",) if late else ()
    return Struck(f"SIGTERM to {victim.process.name}", 1, wrong)


async def kill_kafka(world: World, draw: random.Random) -> Struck:
    """`kill -9` of the broker, which stays away for a moment."""
    await _broker_dies(world)
    return await _back_later(world, draw, "kill -9 of the broker")


async def stop_postgres(world: World, draw: random.Random) -> Struck:
    """`pg_ctl stop -m immediate`: no checkpoint, sessions gone, recovery at the next start."""
    await asyncio.to_thread(world.servers.postgres.stop, "immediate")
    world.harms["Postgres crashes"] += 1
    return await _back_later(world, draw, "immediate stop of Postgres")


async def kill_postgres(world: World, draw: random.Random) -> Struck:
    """`kill -9` of Postgres, every process of it."""
    await _postgres_dies(world)
    return await _back_later(world, draw, "kill -9 of Postgres")


async def kill_everything(world: World, _draw: random.Random) -> Struck:
    """The power goes."""
    victims = world.running
    harms = sum([await world.kill(worker) for worker in victims])
    await _broker_dies(world)
    await _postgres_dies(world)
    await world.servers.up()
    await _start_again(world, victims)
    return Struck("kill -9 of everything", 2 + harms)


async def _broker_dies(world: World) -> None:
    await asyncio.to_thread(world.servers.kafka.kill)
    world.harms["broker kills"] += 1


async def _postgres_dies(world: World) -> None:
    await asyncio.to_thread(world.servers.postgres.kill)
    world.harms["Postgres crashes"] += 1


async def _back_later(world: World, draw: random.Random, what: str) -> Struck:
    """The server that was harmed stays away for a moment."""
    await let_pass(draw.choice(AWAY_S))
    await world.servers.up()
    return Struck(what)


async def _start_again(world: World, victims: list[Worker]) -> None:
    for victim in victims:
        await world.start(victim.service, victim.number)


async def cut_connections(world: World, draw: random.Random) -> Struck:
    """Connections are reset, several times, in the middle of whatever they carry; for a while none is let in."""
    name, proxy = _wire(world, draw)
    times = draw.randint(1, 4)
    cut = 0
    for _ in range(times):
        cut += proxy.cut()
        proxy.refuses = draw.random() < 0.5
        await let_pass(draw.uniform(0, 0.7))
    proxy.refuses = False
    world.harms["connection cuts"] += times
    return Struck(f"{cut} connections to {name} cut, {times} times", times)


async def delay_connections(world: World, draw: random.Random) -> Struck:
    """Every chunk of bytes takes longer."""
    name, proxy = _wire(world, draw)
    seconds = proxy.delay_s = draw.choice((0.02, 0.1, 0.3))
    await let_pass(5.0)
    proxy.delay_s = 0.0
    return Struck(f"{seconds} s of delay to {name}")


async def freeze_connections(world: World, draw: random.Random) -> Struck:
    """Connections stand, and nothing passes: nobody is told."""
    name, proxy = _wire(world, draw)
    seconds = draw.choice((1.0, 4.0, 12.0))
    proxy.freeze()
    await let_pass(seconds)
    proxy.thaw()
    return Struck(f"nothing passes to {name} for {seconds} s")


async def fill_disk(world: World, draw: random.Random) -> Struck:
    """Postgres has no byte left, for its tables or its log."""
    world.servers.disk.fill()
    world.harms["full disks"] += 1
    await let_pass(draw.choice((2.0, 5.0)))
    world.servers.disk.relieve()
    await world.servers.up()
    return Struck("Postgres's disk is full")


async def jump_clock(world: World, draw: random.Random) -> Struck:
    """Postgres's and the workers' clock jumps, forward or back, and workers die in that time, all relays perhaps.

    It stays there until it jumps again.
    """
    hours = draw.choice((-30 * 24, -6, -1, 1, 6, 30 * 24))
    world.servers.clock.jump(hours * HOURS)
    world.harms["clock jumps"] += 1
    await let_pass(1.0)
    service = draw.choice(("earning", "projections", ""))
    victims = [w for w in world.running if w.service == service] or [draw.choice(world.running)]
    harms = sum([await world.kill(victim) for victim in victims])
    await _start_again(world, victims)
    return Struck(f"the clock says {hours:+d} h, {_names(victims)} killed", 1 + harms)


async def write_foreign_records(world: World, draw: random.Random) -> Struck:
    """Somebody who has no business there writes to the points topic."""
    rows = [Outgoing(b"who", b"not ours"), Outgoing(None, None), Outgoing(b"", b"", [("position", b"x")])]
    try:
        await world.pipeline.publish({draw.randrange(world.pipeline.shards): rows}, world.topics.points)
    except OSError as error:
        return Struck(f"foreign records could not be written: {error!r}", 0)
    return Struck("foreign records on the points topic")


async def short_storm(world: World, draw: random.Random) -> Struck:
    """Every 2 s a worker joins or leaves."""
    return await rebalance_storm(world, draw, STORM_S)


async def long_storm(world: World, draw: random.Random) -> Struck:
    """The same for three minutes."""
    return await rebalance_storm(world, draw, LONG_STORM_S)


class Kind(NamedTuple):
    """A kind of fault: how to strike, in which track, and the cards of it in six rounds' pack."""

    strike: Strike
    track: str
    cards: int


WORKERS, SERVERS, WIRES, ALONE = "workers", "servers", "wires", "alone"

KINDS: dict[str, Kind] = {
    "worker killed": Kind(kill_worker, WORKERS, 30),
    "several workers killed": Kind(kill_workers, WORKERS, 3),
    "worker dies at a failpoint": Kind(die_at_failpoint, WORKERS, 6),
    "SIGTERM": Kind(terminate_worker, WORKERS, 5),
    "broker killed": Kind(kill_kafka, SERVERS, 5),
    "Postgres stopped at once": Kind(stop_postgres, SERVERS, 6),
    "Postgres killed": Kind(kill_postgres, SERVERS, 5),
    "everything killed": Kind(kill_everything, SERVERS, 1),
    "disk full": Kind(fill_disk, SERVERS, 2),
    "clock jumps": Kind(jump_clock, SERVERS, 4),
    "foreign records": Kind(write_foreign_records, SERVERS, 1),
    "worker stands still": Kind(pause_worker, WIRES, 6),
    "zombie replaced": Kind(replace_zombie, WIRES, 1),
    "connections cut": Kind(cut_connections, WIRES, 7),
    "connections slow": Kind(delay_connections, WIRES, 1),
    "connections frozen": Kind(freeze_connections, WIRES, 2),
    "rebalance storm": Kind(short_storm, ALONE, 1),
    "long rebalance storm": Kind(long_storm, ALONE, 0),
}


def _wire(world: World, draw: random.Random) -> tuple[str, Proxy]:
    if draw.random() < 0.5:
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
