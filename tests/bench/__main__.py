"""`python -m tests.bench`: the rates of both services, each beside those of a minimal loop in the same run."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import typer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from rich.console import Console
from rich.table import Table

from deploy.local_stack import LocalStack
from deploy.migrate import migrate
from services.projections.rebuild import rebuild
from shared.topics import Topics
from tests.bench import conditions, cost, installation, latency
from tests.bench.installation import Measured
from tests.bench.orders import fill
from tests.e2e.pipeline import Pipeline

SHARDS = 8
DATABASES = ("bench", "alone", "cost", "reference")
OLD_ORDERS, OLD_LOTS = 50_000, 10_000
"""The life of the member whose facts must cost no more than a new one's."""
WORKERS = 2
"""Processes of earning: one a core of the machines we measure on; one alone is measured too."""
LATENCY_RATE = 200
LATENCY_SECONDS = 10

DECIDED = "SELECT coalesce(sum(applied + duplicate + rejected + dead_letter), 0)::bigint FROM earning.fences"
REFUSED = "SELECT string_agg(DISTINCT reason || ': ' || text, '; ') FROM earning.dead_letters"
EVENTS = "SELECT sum(position)::bigint FROM earning.shards"
EMITTED = "SELECT sum(emitted)::bigint FROM earning.emissions"
FOLDED = "SELECT count(*) FROM loyalty.history"

console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)


def main(
    orders: Annotated[int, typer.Option(help="Orders to earn; each gives a point event or two.", min=1_000)] = 150_000,
    members: Annotated[int, typer.Option(help="Members they are spread over, skewed.", min=10)] = 20_000,
    to: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file too.")] = None,
) -> None:
    """Start Kafka and Postgres, take the same data through minimal loops and services, and print the ratios."""
    with tempfile.TemporaryDirectory(prefix="tallystick-bench-") as directory:
        stack = LocalStack(Path(directory) / "stack")
        try:
            figures = asyncio.run(_bench(stack, Path(directory), orders, members))
        finally:
            stack.down(throw_away=True)
    _show(figures)
    if to is not None:
        to.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


async def _bench(stack: LocalStack, directory: Path, orders: int, members: int) -> dict[str, Any]:
    endpoints = stack.up()
    dsns = await _databases(endpoints.dsn)
    topics = Topics()
    pipeline = Pipeline(directory, endpoints.bootstrap_servers, dsns["bench"], topics, SHARDS)
    alone = Pipeline(directory / "alone", endpoints.bootstrap_servers, dsns["alone"], _apart(topics), SHARDS)
    session = await asyncpg.connect(dsns["bench"])
    try:
        await pipeline.prepare(installation.DOCUMENT)
        await alone.prepare(installation.DOCUMENT)
        await _topic(endpoints.bootstrap_servers, "reference.points")
        console.print(f"publishing {orders:,} orders of {members:,} members")
        await fill(endpoints.bootstrap_servers, topics.orders, orders, members=members, seed=1, shards=SHARDS)
        places = (endpoints.bootstrap_servers, dsns["reference"])
        figures: dict[str, Any] = {"orders": orders, "members": members}
        reference = _reference("earning", *places, topics.orders, "reference.points", str(SHARDS))
        figures["earning, one worker"] = await _earning(alone, reference, orders, 1)
        figures["earning"] = await _earning(pipeline, reference, orders, WORKERS)
        figures["events"] = events = await session.fetchval(EVENTS)
        figures["live"] = await _live(pipeline, session, places, events)
        figures["rebuild"] = await _rebuild(pipeline, places)
        figures["latency"] = await _latency(pipeline, session)
        figures["cost"] = await _cost(dsns["cost"])
        figures["conditions"] = conditions.microseconds()
        return figures
    finally:
        pipeline.stop()
        alone.stop()
        await session.close()


def _apart(topics: Topics) -> Topics:
    """The same input, everything else under names of its own."""
    ours = {"programs", "points", "dead_letters"}
    names = {name: f"alone.{value}" if name in ours else value for name, value in topics.model_dump().items()}
    return Topics.model_validate(names)


async def _earning(pipeline: Pipeline, reference: float, orders: int, workers: int) -> dict[str, Any]:
    console.print(f"earning, {workers} worker{'s' * (workers > 1)}")
    session = await asyncpg.connect(pipeline.dsn)
    try:
        processes = [pipeline.start("earning", {}, number=number) for number in range(1, workers + 1)]
        measured = await installation.measure(processes, session, DECIDED, orders)
        if refused := await session.fetchval(REFUSED):
            raise RuntimeError(f"not all orders were applied: {refused}")
        # Decided is not yet published: the relay's rest must be in the log before anybody reads it.
        await installation.reached(processes, session, EMITTED, await session.fetchval(EVENTS))
        for process in processes:
            process.stop()
        return _figures(measured, reference)
    finally:
        await session.close()


async def _live(
    pipeline: Pipeline, session: asyncpg.Connection, places: tuple[str, str], events: int
) -> dict[str, Any]:
    reference = _reference("projection", "live", *places, pipeline.topics.points, str(SHARDS))
    console.print("projections, live")
    process = pipeline.start("projections", {})
    measured = await installation.measure([process], session, FOLDED, events)
    process.stop()
    return _figures(measured, reference)


async def _rebuild(pipeline: Pipeline, places: tuple[str, str]) -> dict[str, Any]:
    reference = _reference("projection", "rebuild", *places, pipeline.topics.points, str(SHARDS))
    console.print("projections, rebuild")
    report = await rebuild(pipeline.dsn, pipeline.bootstrap_servers, pipeline.topics)
    if not report.identical:
        raise RuntimeError("the rebuilt tables differ from the live ones")
    return {"rate": report.rate, "reference": reference, "ratio": report.rate / reference}


async def _latency(pipeline: Pipeline, session: asyncpg.Connection) -> dict[str, Any]:
    console.print(f"latency at {LATENCY_RATE} orders/s")
    for service in ("earning", "projections"):
        pipeline.start(service, {}).await_ready()
    seconds = await latency.latencies(
        pipeline.bootstrap_servers,
        session,
        pipeline.topics.orders,
        SHARDS,
        rate=LATENCY_RATE,
        seconds=LATENCY_SECONDS,
    )
    p50, p99 = latency.percentiles(seconds)
    return {"rate": LATENCY_RATE, "orders": len(seconds), "p50_ms": p50, "p99_ms": p99}


async def _cost(dsn: str) -> dict[str, float]:
    console.print(f"a life of {OLD_ORDERS:,} orders and {OLD_LOTS:,} lots")
    session, till = await cost.opened(dsn)
    try:
        await cost.live_long(till, OLD_ORDERS, OLD_LOTS)
        return await cost.compare(till)
    finally:
        await session.close()


def _reference(loop: str, *arguments: str) -> float:
    """The minimal loop, as a process of its own; gives its rate."""
    console.print(f"minimal loop: {loop} {arguments[0] if loop == 'projection' else ''}")
    command = [sys.executable, "-m", f"tests.bench.reference.{loop}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = re.search(r"rate=(\d+)", done.stdout)
    if said is None:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return float(said[1])


def _figures(measured: Measured, reference: float) -> dict[str, Any]:
    return {
        "rate": measured.rate,
        "reference": reference,
        "ratio": measured.rate / reference,
        "memory_mb": measured.memory_mb,
        "us_per_record": dict(measured.rooms),
    }


async def _databases(dsn: str) -> dict[str, str]:
    """Databases of the same server: for the services, for one worker of earning alone, for the minimal loops."""
    session = await asyncpg.connect(dsn)
    try:
        for name in DATABASES:
            await session.execute(f"CREATE DATABASE {name}")
    finally:
        await session.close()
    dsns = {name: urlunsplit(urlsplit(dsn)._replace(path=f"/{name}")) for name in DATABASES}
    for name in ("bench", "alone", "cost"):
        await migrate(dsns[name])
    return dsns


async def _topic(bootstrap_servers: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(name, SHARDS, 1)])
    await admin.close()


def _show(figures: dict[str, Any]) -> None:
    table = Table(title=f"{figures['orders']:,} orders, {figures['events']:,} point events", box=None)
    for column in ("", "a second", "minimal loop", "ratio", "memory"):
        table.add_column(column, justify="left" if not column else "right")
    for name in ("earning, one worker", "earning", "live", "rebuild"):
        row = figures[name]
        memory = f"{row['memory_mb']:.0f} MB" if "memory_mb" in row else ""
        table.add_row(name, f"{row['rate']:,.0f}", f"{row['reference']:,.0f}", f"{row['ratio']:.2f}", memory)
    console.print(table)
    for name in ("earning, one worker", "live"):
        rooms = ", ".join(f"{room} {us:.1f}" for room, us in figures[name]["us_per_record"].items())
        console.print(f"{name}, µs a record: {rooms}")
    row = figures["latency"]
    console.print(
        f"latency at {row['rate']} orders/s: p50 {row['p50_ms']:.0f} ms, p99 {row['p99_ms']:.0f} ms ({row['orders']})"
    )
    row = figures["cost"]
    for kind in ("order", "redemption"):
        old, new = row[f"old_{kind}"], row[f"new_{kind}"]
        console.print(f"{kind} of an old member: {old:,.0f} µs, of a new one {new:,.0f} µs: {old / new:.2f}")
    by_condition = ", ".join(f"{kind} {us:.0f}" for kind, us in figures["conditions"].items())
    console.print(f"an order by its rule's condition, decided alone, µs: {by_condition}")


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
