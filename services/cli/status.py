"""`tallystick status`: services, lags, positions, dead letters, and whether the counts add up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from msgspec import structs
from rich.text import Text

from services.cli.connections import Bootstrap, Dsn, Json, bootstrap_or_local, dsn_or_local, local_directory
from services.cli.console import Exit, out, print_json, print_table, yes
from services.cli.members import instant
from services.cli.state import State, observing

WATCH_EVERY_S = 2.0

_INPUT = ("topic", "end", "decided", "lag", "applied", "duplicate", "rejected", "dead_letter", "adds_up")
_LETTERS = ("service", "reason", "open", "retried", "discarded", "not_relayed")

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Look again every two seconds, until Ctrl-C.")]


@dataclass(frozen=True)
class ServiceState:
    """A service process of the local installation."""

    name: str
    pid: int | None
    address: str | None
    ready: bool
    waiting: dict[str, str]
    log: str


def status(*, watch: Watch = False, dsn: Dsn = "", bootstrap_servers: Bootstrap = "", as_json: Json = False) -> None:
    """Show how far everything is: services, lag of each topic, positions, dead letters by reason.

    Each input record must have become exactly one of applied, duplicate, rejected, dead letter: where the four don't
    add up to the input, or a service of the local installation isn't ready, the exit code is 1.

    Example: `tallystick status --watch`
    """
    places = bootstrap_or_local(bootstrap_servers), dsn_or_local(dsn)
    try:
        good = asyncio.run(_show(*places, watch=watch, as_json=as_json))
    except KeyboardInterrupt:
        return
    if not good:
        raise typer.Exit(Exit.FINDING)


async def _show(bootstrap_servers: str, dsn: str, *, watch: bool, as_json: bool) -> bool:
    async with observing(bootstrap_servers, dsn) as observer:
        while True:
            state, services = await observer.look(), await asyncio.to_thread(local_services)
            if as_json:
                print_json(_plain(state, services))
            else:
                show(state, services)
            if not watch:
                return state.adds_up and all(service.ready for service in services)
            await asyncio.sleep(WATCH_EVERY_S)
            out().rule(style="dim")


def local_services() -> list[ServiceState]:
    """The service processes that `tallystick up` has started here; none where it hasn't."""
    run = local_directory() / "run"
    if not run.is_dir():
        return []
    from services.cli.supervise import ServiceProcess  # noqa: PLC0415 (only a local installation has its packages)

    processes = [ServiceProcess.of(file) for file in sorted(run.glob("*.json"))]
    found = []
    for process in processes:
        waiting = process.waiting_for()
        ready = waiting == {}
        why = waiting if waiting is not None else {"process": "it doesn't answer" if process.pid else "it doesn't run"}
        found.append(ServiceState(process.name, process.pid, process.address, ready, why, str(process.log_file)))
    return found


def _plain(state: State, services: Sequence[ServiceState]) -> dict[str, object]:
    points = {"decided": state.journal, "emitted": state.emitted, "in_log": state.points_in_log}
    return {
        "services": [asdict(service) for service in services],
        "inputs": [{name: getattr(each, name) for name in _INPUT} for each in state.inputs],
        "points": points | {"visible": state.visible},
        "messages": state.messages,
        "generation": state.generation,
        "dead_letters": [structs.asdict(each) | {"open": each.open} for each in state.dead_letters],
        "log_changes": state.log_changes,
        "adds_up": state.adds_up,
        "settled": state.settled,
    }


def show(state: State, services: Sequence[ServiceState]) -> None:
    """The state as tables for people."""
    if services:
        print_table("Services", ("service", "pid", "address", "state", "log"), map(_service_row, services))
    columns = ("topic", "records", "decided", "lag", "applied", "duplicate", "rejected", "dead letters", "adds up")
    rows = [(*(getattr(each, name) for name in _INPUT[:-1]), yes(good=each.adds_up)) for each in state.inputs]
    print_table("Facts", columns, rows)
    to_publish, to_show = state.journal - state.emitted, max(state.journal - state.visible, 0)
    print_table(
        "Point events",
        ("decided", "published", "visible", "to publish", "to show", "generation"),
        [(state.journal, state.emitted, state.visible, to_publish, to_show, state.generation)],
    )
    if state.messages:
        out().print(f"{state.messages:,} messages from members to members wait (earning.inbox)")
    if state.dead_letters:
        print_table(
            "Dead letters (`tallystick dead-letters list` has those that are open)",
            ("service", "reason", "open", "retried", "discarded", "not published"),
            [[getattr(each, name) for name in _LETTERS] for each in state.dead_letters],
        )
    if state.log_changes:
        print_table(
            "Input logs that were found changed, and were read again",
            ("log", "when", "what"),
            [(f"{each.topic}/{each.partition}", instant(each.at), each.why) for each in state.log_changes],
        )
    if state.adds_up:
        out().print(f"applied + duplicate + rejected + dead letters = {state.counted:,} = every record decided so far")
    else:
        out().print("[bold red]The counts don't add up to the input.[/] See docs/how-to/operate.md.")


def _service_row(service: ServiceState) -> tuple[object, ...]:
    why = "; ".join(f"{what}: {why}" for what, why in service.waiting.items())
    state = Text("ready", style="green") if service.ready else Text(why, style="red")
    return (service.name, str(service.pid or "-"), service.address or "-", state, service.log)
