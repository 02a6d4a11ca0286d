"""`python -m deploy.local_stack`: the local stack by hand."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.local_stack import LocalStack, LocalStackError

app = typer.Typer(
    help="Apache Kafka and PostgreSQL on this machine, without Docker.", no_args_is_help=True, add_completion=False
)
out = Console()
Directory = Annotated[
    Path,
    typer.Option("--directory", "-d", envvar="TALLYSTICK_DIRECTORY", help="Where the stack keeps its data and ports."),
]
DEFAULT_DIRECTORY = Path(".tallystick")


@app.command()
def up(directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Start both servers, or reuse them where they run; print where they are."""
    endpoints = LocalStack(directory).up()
    out.print(f"KAFKA_BOOTSTRAP_SERVERS={endpoints.bootstrap_servers}", soft_wrap=True)
    out.print(f"POSTGRES_DSN={endpoints.dsn}", soft_wrap=True)


@app.command()
def down(
    directory: Directory = DEFAULT_DIRECTORY,
    *,
    throw_away: Annotated[bool, typer.Option("--throw-away", help="Delete all data too.")] = False,
) -> None:
    """Stop both servers; their data stays unless thrown away."""
    LocalStack(directory).down(throw_away=throw_away)
    out.print("stopped, data deleted" if throw_away else "stopped, data kept")


@app.command()
def status(
    directory: Directory = DEFAULT_DIRECTORY,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say of each server whether it runs and answers. Exit code 1 where one does not."""
    servers = LocalStack(directory).status()
    if as_json:
        typer.echo(json.dumps([asdict(server) for server in servers]))
    else:
        table = Table("server", "address", "pid", "answers")
        for server in servers:
            answers = "not asked" if server.given else ("yes" if server.answers else "no")
            table.add_row(server.name, server.address, str(server.pid or "-"), answers)
        out.print(table)
    if not all(server.given or server.answers for server in servers):
        raise typer.Exit(1)


ALONE = {
    "kafka-start": "Start Kafka alone.",
    "kafka-stop": "Stop Kafka alone, in good order.",
    "kafka-kill": "Kill Kafka with SIGKILL.",
    "postgres-start": "Start PostgreSQL alone.",
    "postgres-stop": "Stop PostgreSQL alone, in good order.",
    "postgres-kill": "Kill PostgreSQL and all of its sessions with SIGKILL.",
}
"""What one server can be told to do: the command's name, made of the server's and the verb, and its help."""


def _add_command(name: str, meaning: str) -> None:
    server, _, verb = name.partition("-")

    @app.command(name, help=meaning)
    def alone(directory: Directory = DEFAULT_DIRECTORY) -> None:
        getattr(getattr(LocalStack(directory), server), verb)()


for _name, _meaning in ALONE.items():
    _add_command(_name, _meaning)


def main() -> None:
    """Run the command; a failure of the stack ends it with one clear sentence and exit code 1."""
    try:
        app()
    except LocalStackError as error:
        Console(stderr=True).print(f"[bold red]{type(error).__name__}[/]", str(error), highlight=False, soft_wrap=True)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
