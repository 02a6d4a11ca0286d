"""`tallystick up` and `down`: a whole installation of one's own, kept, mended and thrown away."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.cli.supervise import ServiceProcess
from tests.eventually import eventually

PROJECT = Path(__file__).parents[2]
GROCER = PROJECT / "deploy" / "programs" / "grocer.yaml"


class Installation:
    """The command, on a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        given = {"KAFKA_BOOTSTRAP_SERVERS", "POSTGRES_DSN", "POINTS_PARTITIONS"}
        self._environment = {name: value for name, value in os.environ.items() if name not in given}
        self._environment["TALLYSTICK_DIRECTORY"] = str(directory)

    def tallystick(self, *arguments: str) -> str:
        """What the command prints; it must end well."""
        done = self._run(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def says(self, word: str, *arguments: str) -> bool:
        """Whether the command ends well and says a word."""
        done = self._run(*arguments)
        return done.returncode == 0 and word in done.stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "services.cli.main", *arguments]
        return subprocess.run(command, cwd=PROJECT, env=self._environment, capture_output=True, text=True, check=False)

    def services(self) -> dict[str, int]:
        """Each service's pid."""
        status: dict[str, Any] = json.loads(self.tallystick("status", "--json"))
        return {service["name"]: service["pid"] for service in status["services"]}


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path / "installation")
    yield made
    made.tallystick("down", "--throw-away")
    assert not made.directory.exists()


@pytest.mark.timeout(300)
def test_an_installation_comes_up_is_mended_and_keeps_its_data(installation: Installation) -> None:
    said = installation.tallystick("up", "--shards", "4")
    assert "KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:" in said
    installation.tallystick("topics", "check")
    installation.tallystick("program", "publish", str(GROCER))
    first = installation.services()
    assert first.keys() == {"earning", "projections"}

    installation.tallystick("up")
    assert installation.services() == first

    psutil.Process(first["earning"]).kill()
    installation.tallystick("up")
    mended = installation.services()
    assert mended["projections"] == first["projections"]
    assert mended["earning"] != first["earning"]

    installation.tallystick("down")
    assert [ServiceProcess(installation.directory, name).pid for name in mended] == [None, None]
    assert installation.tallystick("up") == said
    assert json.loads(installation.tallystick("program", "list", "--json"))["program"] == "grocer"


def commands_of_the_readme() -> list[list[str]]:
    """The lines of "Your own program", without their comments."""
    block = (PROJECT / "README.md").read_text("utf-8").split("## Your own program")[1].split("```")[1]
    lines = [shlex.split(line, comments=True) for line in block.splitlines()]
    return [line[1:] for line in lines if line and line[0] == "tallystick"]


@pytest.mark.timeout(300)
async def test_the_readmes_commands_do_what_it_says(installation: Installation) -> None:
    installation.tallystick("up", "--shards", "2")
    commands = commands_of_the_readme()
    assert len(commands) > 5
    for command in commands:
        if command[0] == "explain":
            seen = partial(installation.says, "7 points available", *command)
            await eventually(seen, what="ana has the points the README says")
        installation.tallystick(*command)
