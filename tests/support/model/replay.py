"""Decide a saved history in another process: `python -m tests.support.model.replay FILE` prints a digest of it."""

from __future__ import annotations

import hashlib
import pickle
import sys
from pathlib import Path

import msgspec

from services.earning.program.terms import Versions
from tests.support.model.core import Core
from tests.support.model.shorten import Step

History = tuple[Versions, list[Step]]


def digest(histories: list[History]) -> str:
    """One hash of all that the core made of these histories."""
    hashed = hashlib.blake2b()
    for versions, steps in histories:
        core = Core(versions)
        for step in steps:
            if step.fact is not None:
                hashed.update(core.take(step.fact).encode())
            else:
                for member in sorted(core.standings):
                    core.advance(member, step.at)
            for event in core.latest:
                hashed.update(msgspec.json.encode(event))
        hashed.update(repr(sorted(core.rows.items())).encode())
        hashed.update(repr(sorted(core.standings.items())).encode())
    return hashed.hexdigest()


if __name__ == "__main__":
    sys.stdout.write(digest(pickle.loads(Path(sys.argv[1]).read_bytes())))  # noqa: S301 (the test's own file)
