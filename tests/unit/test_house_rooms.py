"""The rooms of the house, as import-linter holds them: a module without a room fails, and so does an import upwards."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
(DECIDING,) = (contract for contract in CONTRACTS if contract.get("containers") == ["services.earning.decide"])
LINT = Path(sys.executable).with_name("lint-imports")

pytestmark = pytest.mark.house


def verdict(folder: Path, modules: dict[str, str]) -> str:
    """What the contract says of a house whose rooms of `decide` are empty but for these modules (name → text)."""
    decide = folder / "services" / "earning" / "decide"
    decide.mkdir(parents=True)
    for package in (folder / "services", folder / "services" / "earning", decide):
        (package / "__init__.py").touch()
    texts = {f"{room}.py": "" for room in DECIDING["layers"]} | modules
    for name, text in texts.items():
        (decide / name).write_text(text, "utf-8")
    layers = ", ".join(f'"{layer}"' for layer in DECIDING["layers"])
    config = folder / "house.toml"
    config.write_text(
        f"""
[tool.importlinter]
root_packages = ["services"]

[[tool.importlinter.contracts]]
name = "deciding"
type = "{DECIDING["type"]}"
containers = ["services.earning.decide"]
layers = [{layers}]
exhaustive = {str(DECIDING["exhaustive"]).lower()}
""",
        "utf-8",
    )
    command = [str(LINT), "--no-logo", "--no-cache", "--config", str(config)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_the_rooms_of_deciding_are_a_stack(tmp_path: Path) -> None:
    assert "1 kept, 0 broken" in verdict(tmp_path, {"facts.py": "import services.earning.decide.core\n"})


def test_an_import_that_runs_back_up_fails(tmp_path: Path) -> None:
    assert "0 kept, 1 broken" in verdict(tmp_path, {"value.py": "import services.earning.decide.points\n"})


def test_a_module_of_deciding_without_a_room_fails(tmp_path: Path) -> None:
    said = verdict(tmp_path, {"odds_and_ends.py": ""})
    assert "1 broken" in said
    assert "odds_and_ends" in said
