"""Progress of long work: bars in a terminal, a plain line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

LINE_EVERY_S = 10.0


class Bar:
    """One piece of work: how much of it is done."""

    def __init__(self, what: str, total: int | None, board: Board) -> None:
        self.what = what
        self.total = total
        self.done = 0
        self.note = ""
        self.began = self.told = time.monotonic()
        self._board = board
        self.task: TaskID | None = None

    def to(self, done: int, *, total: int | None = None, note: str = "") -> None:
        """Say how much is done by now; `total` when it is known better, `note` for what else there is to say."""
        self.done = done
        self.total = self.total if total is None else total
        self.note = note
        self._board.show(self)

    @property
    def rate(self) -> float:
        """Done per second, since the bar was made."""
        return self.done / max(time.monotonic() - self.began, 1e-6)

    @property
    def counted(self) -> str:
        """`12,345 of 155,848`."""
        return f"{self.done:,}" + (f" of {self.total:,}" if self.total is not None else "")

    @property
    def line(self) -> str:
        """The state in words, for a log."""
        note = f", {self.note}" if self.note else ""
        return f"{self.what}: {self.counted}, {self.rate:,.0f}/s{note}"


class Board:
    """All bars of a piece of work; in a log, each of them tells its state every few seconds and at its end."""

    def __init__(self, console: Console, bars: Progress | None) -> None:
        self._console = console
        self._bars = bars

    def bar(self, what: str, total: int | None = None) -> Bar:
        """Begin a piece of work; no `total` where it isn't known yet."""
        bar = Bar(what, total, self)
        if self._bars is not None:
            bar.task = self._bars.add_task(what, total=total, counted=bar.counted, note="", rate="")
        return bar

    def show(self, bar: Bar) -> None:
        """Draw the bar anew, or tell its state where a line is due."""
        if self._bars is not None and bar.task is not None:
            rate = f"{bar.rate:,.0f}/s" if bar.done else ""
            self._bars.update(
                bar.task, completed=bar.done, total=bar.total, counted=bar.counted, note=bar.note, rate=rate
            )
            return
        now = time.monotonic()
        finished = bar.total is not None and bar.done >= bar.total
        if finished or now - bar.told >= LINE_EVERY_S:
            if bar.told != float("inf"):
                self._console.print(bar.line, highlight=False, soft_wrap=True)
            bar.told = float("inf") if finished else now


@contextmanager
def board(console: Console) -> Iterator[Board]:
    """Bars for the length of the block, where `console` is a terminal; plain lines where it is not."""
    if not console.is_terminal:
        yield Board(console, None)
        return
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=32),
        TextColumn("{task.fields[counted]}", style="progress.download"),
        TextColumn("[cyan]{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )
    with Progress(*columns, console=console, refresh_per_second=8) as bars:
        yield Board(console, bars)
