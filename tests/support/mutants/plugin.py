"""What pytest does differently while mutants are tried; named in `[tool.mutmut]`."""

from __future__ import annotations

import sys
from itertools import chain

from hypothesis import Phase, settings


def pytest_configure() -> None:
    """Look for an example that fails, not for the smallest one: a mutant has been noticed by then."""
    phases = (Phase.explicit, Phase.reuse, Phase.generate)
    settings.register_profile("mutants", settings.get_profile("house"), derandomize=True, database=None, phases=phases)
    settings.load_profile("mutants")


def pytest_sessionstart() -> None:
    """Forget what functions remember: a mutant is tried in a copy of a process that has run the tests already."""
    ours = [module for name, module in sys.modules.items() if name.startswith(("services.", "shared."))]
    for value in chain.from_iterable(vars(module).values() for module in ours):
        if hasattr(value, "cache_clear"):
            value.cache_clear()
