"""The command `tallystick`: its commands put together. Each lives in a module of its own beside this one."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from services.cli import (
    dead_letters,
    explain,
    members,
    program,
    publish,
    rebuild,
    status,
    topics,
    try_,
    up,
    verify,
)
from services.cli.console import Exit, report
from shared.errors import ConfigurationError, TallystickError, TransientError


class Commands(TyperGroup):
    """Every command ends errors the same way: cause and cure on stderr, and an exit code that scripts can read."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 (typer's own context class is not public)
        """Run the command chosen; an error of ours becomes a message and an exit code."""
        try:
            return super().invoke(ctx)
        except TallystickError as error:
            report(error)
            raise typer.Exit(exit_code(error)) from error


def exit_code(error: TallystickError) -> Exit:
    """How a command ends that failed with this error."""
    if isinstance(error, TransientError):
        return Exit.UNREACHABLE
    return Exit.USAGE if isinstance(error, ConfigurationError) else Exit.FINDING


app = typer.Typer(
    name="tallystick",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Loyalty points that can be proved: programs, facts, balances.\n\n"
        "Servers come from `POSTGRES_DSN` and `KAFKA_BOOTSTRAP_SERVERS`, or from `tallystick up`.\n\n"
        "Exit codes: **0** done, **1** something was found, **2** it can't run as asked, **3** a server doesn't answer."
    ),
)
app.command("up")(up.up)
app.command("down")(up.down)
app.command("status")(status.status)
app.add_typer(topics.app, name="topics")
app.add_typer(program.app, name="program")
app.command("publish")(publish.publish)
app.command("balance")(members.balance)
app.command("history")(members.history)
app.command("waiting")(members.waiting)
app.command("explain")(explain.explain)
app.command("rebuild")(rebuild.rebuild)
app.add_typer(dead_letters.app, name="dead-letters")
app.command("try")(try_.try_program)
app.command("verify")(verify.verify)

if __name__ == "__main__":
    app()
