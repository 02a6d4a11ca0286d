"""The sweeper in its service: where every input is read to its end, time goes on by itself, unless history is held."""

from __future__ import annotations

from shared.topics import Topics
from tests.eventually import eventually
from tests.integration.earning.background.test_sweep import DOCUMENT
from tests.integration.earning.earning_rig import BEGAN, paid
from tests.integration.earning.worker import Town, sent

SOON = {"idle_s": 0.3, "sweep_poll_ms": 50}
KINDS = "SELECT type FROM earning.journal ORDER BY shard, position"
HOLD = "INSERT INTO earning.sweep_holds (program, holder, until) VALUES ('shop', 'test', 'infinity')"
EARNED, RELEASED, EXPIRED = (f"loyalty.points.{kind}.v1" for kind in ("earned", "released", "expired"))


async def kinds(town: Town) -> list[str]:
    return [kind for (kind,) in await town.fetch(KINDS)]


async def test_once_all_is_read_what_is_due_by_now_is_done_and_published(
    bootstrap_servers: str, dsn: str, topics: Topics
) -> None:
    town = Town(bootstrap_servers, dsn, topics)
    await town.build(DOCUMENT)
    await town.execute(HOLD)
    orders = {0: sent([paid("1")], timestamp_ms=int(BEGAN.timestamp() * 1000))}
    async with town.worker(**SOON) as worker:
        await town.decided(await town.publish(orders))

        async def idle() -> bool:
            return await town.fetch("SELECT bool_and(moved_at < now() - interval '2 s') FROM earning.fences") == [
                (True,)
            ]

        await eventually(idle, what="every partition is idle")
        assert await kinds(town) == [EARNED]  # held, though its time has come
        await town.execute("DELETE FROM earning.sweep_holds")

        async def swept() -> bool:
            return await kinds(town) == [EARNED, RELEASED, EXPIRED]

        await eventually(swept, what="the points are released and have expired")
        await town.emitted()
        assert [record.offset for record in await town.log()] == [0, 1, 2]
        assert worker.registry.get_sample_value("tallystick_earning_swept_total") == 1
    assert await town.fetch("SELECT kind FROM earning.leases") == []  # given back


async def test_who_only_decides_sweeps_nothing(bootstrap_servers: str, dsn: str, topics: Topics) -> None:
    town = Town(bootstrap_servers, dsn, topics)
    await town.build(DOCUMENT)
    orders = {0: sent([paid("1")], timestamp_ms=int(BEGAN.timestamp() * 1000))}
    async with town.worker(roles="decide", **SOON):
        await town.decided(await town.publish(orders))
    assert await town.fetch("SELECT kind FROM earning.leases") == []
    async with town.worker(roles="sweep", **SOON):

        async def swept() -> bool:
            return await kinds(town) == [EARNED, RELEASED, EXPIRED]

        await eventually(swept, what="another process sweeps")
