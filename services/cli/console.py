"""What the commands say and how: tables for people, JSON lines for scripts, errors on stderr, exit codes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from enum import IntEnum

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.errors import TallystickError

NARROW_WIDTH = 120
"""Columns where the output is no terminal: logs and pipes have no width of their own."""


class Exit(IntEnum):
    """Exit codes, the same for every command."""

    OK = 0
    FINDING = 1
    """The command ran and found something wrong: an invalid program, a difference, a refused request."""
    USAGE = 2
    """The command can't run as asked: an unknown option, a missing setting, another schema."""
    UNREACHABLE = 3
    """Kafka or Postgres doesn't answer: the same command may work later."""


def out() -> Console:
    """The console for results."""
    return Console(width=None if sys.stdout.isatty() else NARROW_WIDTH, highlight=False, soft_wrap=False)


def err() -> Console:
    """The console for errors, progress and notes: never mixed into results."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else NARROW_WIDTH, highlight=False)


def print_json(*values: object) -> None:
    """A line of JSON on stdout for each value; instants in RFC 3339, points as numbers, money as text."""
    sys.stdout.writelines(msgspec.json.encode(value).decode() + "\n" for value in values)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; columns whose every cell is a number are aligned to the right."""
    body = [tuple(row) for row in rows]
    table = Table(header_style="dim", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        numeric = bool(body) and all(isinstance(row[i], int) for row in body)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in body:
        table.add_row(*(_cell(value) for value in row))
    out().print(Text(title, style="bold"))  # a title of the table's own would break at the table's width
    out().print(table)


def _cell(value: object) -> Text:
    if isinstance(value, int) and not isinstance(value, bool):
        return Text(f"{value:,}")
    return value if isinstance(value, Text) else Text("" if value is None else str(value))


def yes(*, good: bool) -> Text:
    """Whether something is as it should be, in a table."""
    return Text("yes", style="green") if good else Text("NO", style="bold red")


def report(error: TallystickError) -> None:
    """An error on stderr: its cause, then its cure."""
    console = err()
    console.print(Text(error.message, style="red"), soft_wrap=True)
    if error.cure:
        console.print(Text(error.cure), soft_wrap=True)
