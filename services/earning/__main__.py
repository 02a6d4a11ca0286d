"""Run earning: `python -m services.earning`, configured by environment variables (see `services.earning.settings`)."""

from __future__ import annotations

import sys

import structlog
import uvloop
from pydantic import ValidationError

from services.earning.app import App
from services.earning.intake.lane import leaves
from services.earning.settings import EarningSettings
from services.earning.tasks.garbage import collect_no_more
from shared.errors import TallystickError
from shared.settings import Connections, Http
from shared.telemetry import configure_logging
from shared.topics import Topics


def main() -> int:
    """Run until SIGTERM; gives the exit code: 0 stopped as asked, 1 something must be put right first."""
    try:
        settings = EarningSettings()
        app = App(settings, Connections(), Topics(), Http())
    except ValidationError as error:
        configure_logging("earning")
        structlog.get_logger(__name__).error("settings refused", error=str(error))
        return 1
    configure_logging("earning", level=settings.log_level)
    collect_no_more()
    refusals: list[str] = []
    try:
        uvloop.run(app.run())
    except* TallystickError as errors:
        refusals = [str(error) for error in leaves(errors)]
    for refusal in refusals:
        structlog.get_logger(__name__).error("can't work", error=refusal)
    return 1 if refusals else 0


if __name__ == "__main__":
    sys.exit(main())
