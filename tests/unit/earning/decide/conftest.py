"""After the tests of the core: which rule is shown by how many of them, and where."""

from __future__ import annotations

import pytest

from tests.unit.earning.decide.rules import rules_shown

WIDTH = 110


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List rule → tests, unless only little should be said."""
    if terminalreporter.verbosity < 0:
        return
    terminalreporter.write_sep("-", "rules → tests")
    for rule, tests in sorted(rules_shown().items()):
        names = ", ".join(test.partition("::")[2] for test in tests)
        line = f"rule {rule:2}: {len(tests):2} tests: {names}"
        terminalreporter.write_line(line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…")
