"""The walls hold: a module without a room fails, and so does an import that runs back up."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
CODE = ("services", "shared", "deploy")

pytestmark = pytest.mark.house


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The modules of the project and its contracts, to be changed."""
    for room in CODE:
        shutil.copytree(TOP / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__", "*.sql", "*.json"))
    shutil.copy(TOP / "pyproject.toml", tmp_path)
    return tmp_path


def broken(project: Path, contract: str) -> str:
    """What import-linter says of a contract that doesn't hold; empty where it does."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache", "--contract", contract]
    found = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=120)
    return found.stdout if found.returncode else ""


@pytest.mark.parametrize(
    ("contract", "room"),
    [
        ("layers-of-projections", "services/projections"),
        ("layers-of-shared", "shared"),
        ("layers-of-cli", "services/cli"),
    ],
)
def test_a_module_without_a_room_fails(copy: Path, contract: str, room: str) -> None:
    assert broken(copy, contract) == ""
    (copy / room / "newcomer.py").write_text('"""A module that nobody has given a room."""\n', "utf-8")
    assert "newcomer" in broken(copy, contract)


def test_an_import_that_runs_back_up_fails(copy: Path) -> None:
    positions = copy / "services" / "projections" / "positions.py"
    positions.write_text(positions.read_text("utf-8") + "\nfrom services.projections import project\n", "utf-8")
    assert "services.projections.positions" in broken(copy, "layers-of-projections")


def test_a_fold_of_any_model_is_pure(copy: Path) -> None:
    folder = copy / "services" / "projections" / "models" / "newcomers"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""A further read model."""\n', "utf-8")
    (folder / "fold.py").write_text('"""Its fold."""\n\nimport time\n\nSTARTED = time.time()\n', "utf-8")
    assert "services.projections.models.newcomers.fold" in broken(copy, "pure")
