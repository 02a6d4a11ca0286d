"""The locked requirements: complete, with hashes, and silent about where they came from."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]

pytestmark = pytest.mark.house


def package(requirement: str) -> str:
    """The normal form of a requirement's package name: `Foo_Bar[x]>=1` → `foo-bar`."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def locked(file: str) -> list[str]:
    """The requirements of a lock file, one logical line each, comments left out."""
    text = (TOP / file).read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("requirements.txt", PROJECT["dependencies"]),
        ("requirements-dev.txt", [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]),
    ],
)
def test_what_the_project_asks_for_is_locked(file: str, wanted: list[str]) -> None:
    asked = {package(requirement) for requirement in wanted} - {"tallystick"}
    assert asked - {package(line) for line in locked(file)} == set()


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_locked_package_has_one_version_and_a_hash(file: str) -> None:
    assert [line for line in locked(file) if "==" not in line or "--hash=sha256:" not in line] == []


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt", "deploy/local_stack/jgo.lock.toml"])
def test_a_lock_names_no_host(file: str) -> None:
    text = (TOP / file).read_text(encoding="utf-8")
    assert re.findall(r"\w+://\S+|--(?:extra-)?index-url|--find-links|@ file:", text) == []


def test_what_runs_in_production_is_locked_to_the_version_that_was_tested() -> None:
    tested = {line.split(" --hash")[0].strip() for line in locked("requirements-dev.txt")}
    assert {line.split(" --hash")[0].strip() for line in locked("requirements.txt")} - tested == set()


def test_help_lists_every_target() -> None:
    makefile = (TOP / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony is not None
    said = set(re.findall(r"^([a-z-]+):.*(?:##|#) \S", makefile, re.MULTILINE))
    assert set(phony[1].split()) == said
