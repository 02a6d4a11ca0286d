"""The core decides the same on any machine: hash seed, time zone and locale leave no trace (invariant I10)."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.model.chance import Chance
from tests.support.model.facts import START
from tests.support.model.programs import program_versions
from tests.support.model.replay import History, digest
from tests.support.model.shorten import Step
from tests.support.model.traffic import arrival, order_life
from tests.support.model.traffic_beyond import lives_beyond

ROOT = Path(__file__).parents[4]
HISTORIES = 25
MACHINES = (
    {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C"},
    {"PYTHONHASHSEED": "1", "TZ": "America/New_York", "LC_ALL": "C.UTF-8"},
    {"PYTHONHASHSEED": "4242", "TZ": "Pacific/Kiritimati", "LC_ALL": "POSIX", "PYTHONOPTIMIZE": ""},
)


def histories() -> list[History]:
    """Some histories of three orders, some reviews and activities of two members, in disorder."""
    made: list[History] = []
    for seed in range(HISTORIES):
        chance = Chance(seed)
        versions = program_versions(chance)
        currency = versions.all[0].currency
        members = ("ann", "ann", "bob")
        lives = [order_life(chance, f"o{n}", member, currency) for n, member in enumerate(members)]
        lives.append(lives_beyond(chance, "ann"))
        happenings = chance.shuffled([happening for life in lives for happening in life])
        first = max(happening.at for happening in happenings)
        steps = [Step(first, arrival(happening, first, number)) for number, happening in enumerate(happenings)]
        made.append((versions, [*steps, Step(START + timedelta(days=1200))]))
    return made


@pytest.mark.rule(17)
def test_hash_seed_time_zone_and_locale_change_nothing(tmp_path: Path) -> None:
    saved = tmp_path / "histories"
    saved.write_bytes(pickle.dumps(histories()))
    here = digest(pickle.loads(saved.read_bytes()))  # noqa: S301 (written above)
    for machine in MACHINES:
        told = subprocess.run(
            [sys.executable, "-m", "tests.support.model.replay", str(saved)],
            cwd=ROOT,
            env=os.environ | machine,
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout == here, machine
