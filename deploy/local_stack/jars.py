"""Kafka's jars: fetched once by a resolver that needs no Maven, checked against the lock, kept in a cache."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import deque
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.local_stack.errors import JarsNotAsLockedError, RegistryOutOfReachError
from deploy.local_stack.state import alone

HERE = Path(__file__).parent
SPECIFICATION = HERE / "jgo.toml"
LOCK = HERE / "jgo.lock.toml"
HTTP_TIMEOUT_SECONDS = 20


def cache_directory() -> Path:
    """Where downloads are kept between stacks: `TALLYSTICK_CACHE`, or `~/.cache/tallystick`."""
    return Path(os.environ.get("TALLYSTICK_CACHE") or Path.home() / ".cache" / "tallystick")


def class_path() -> str:
    """The class path of Kafka, after fetching its jars where they are not in the cache yet.

    Raises:
        RegistryOutOfReachError: they can't be fetched.
        JarsNotAsLockedError: they are not the locked ones.
    """
    kept = cache_directory() / f"kafka-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"
    with alone(cache_directory()):
        if not kept.exists():
            _fetch(kept)
    return f"{kept}/*"


def locked_checksums() -> dict[str, str]:
    """The sha256 of every jar by its file name, as the lock has them."""
    dependencies = tomllib.loads(LOCK.read_text(encoding="utf-8"))["dependencies"]
    return {f"{each['artifactId']}-{each['version']}.{each['packaging']}": each["sha256"] for each in dependencies}


def _fetch(kept: Path) -> None:
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="fetching-") as name:
        work = Path(name)
        shutil.copy(SPECIFICATION, work / "jgo.toml")
        _resolve(work)
        jars = work / "all"
        jars.mkdir()
        for jar in (*work.glob("out/jars/*.jar"), *work.glob("out/modules/*.jar")):
            jar.rename(jars / jar.name)
        _check(jars)
        jars.rename(kept)


def _resolve(work: Path) -> None:
    # JVMs look for both ways to resolve; only the resolver's own one needs neither Maven nor a JDK.
    command = [sys.executable, "-W", "ignore", "-m", "jgo", "--ignore-config", "--color", "plain"]
    command += ["--resolver", "python", "--timeout", str(HTTP_TIMEOUT_SECONDS), "--links", "hard"]
    command += ["--cache-dir", str(work / "out"), "--repo-cache", str(work / "m2"), "sync"]
    wanted = locked_checksums()
    last: deque[str] = deque(maxlen=12)
    columns = (TextColumn("Fetching Kafka's jars"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        subprocess.Popen(command, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as resolver,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        task = progress.add_task("jars", total=len(wanted))
        for line in resolver.stdout or ():
            last.append(line.rstrip())
            progress.update(task, advance=1 if line.startswith("Downloading") and ".jar" in line else 0)
    if resolver.returncode != 0:
        coordinates = ", ".join(tomllib.loads(SPECIFICATION.read_text(encoding="utf-8"))["dependencies"]["coordinates"])
        raise RegistryOutOfReachError(coordinates, "\n".join(last))


def _check(jars: Path) -> None:
    wanted = locked_checksums()
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in jars.iterdir()}
    differing = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if differing:
        raise JarsNotAsLockedError(tuple(differing))
