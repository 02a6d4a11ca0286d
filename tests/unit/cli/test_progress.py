"""Progress in a log: plain lines, few of them, and always one at the end."""

from io import StringIO

from rich.console import Console

from services.cli.progress import board


def test_a_log_gets_one_line_at_the_end_of_quick_work() -> None:
    text = StringIO()
    with board(Console(file=text, width=100)) as shown:
        bar = shown.bar("published", 3)
        for done in (1, 2, 3, 3):
            bar.to(done)
    lines = text.getvalue().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("published: 3 of 3, ")


def test_a_terminal_gets_bars() -> None:
    text = StringIO()
    with board(Console(file=text, width=100, force_terminal=True)) as shown:
        shown.bar("published", 3).to(3, note="nothing waits")
    assert "3 of 3" in text.getvalue()
    assert "nothing waits" in text.getvalue()
