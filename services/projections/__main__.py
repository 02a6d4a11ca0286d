"""`python -m services.projections`: one process of projections, configured by the environment."""

from __future__ import annotations

import gc
import sys

import uvloop

from services.projections.app import App
from services.projections.settings import ProjectionsSettings
from shared.errors import TallystickError
from shared.service import health_routes, serve
from shared.settings import Connections, Http
from shared.telemetry import configure_logging
from shared.topics import Topics


async def run(settings: ProjectionsSettings) -> None:
    """Build the application in its loop, and run it until SIGTERM."""
    app = App(Connections(), Topics(), settings)
    await serve(app.work, health_routes(app.metrics.readiness, app.registry), Http())


def main() -> None:
    """Run; a failure that has a cure ends with one clear sentence and exit code 1."""
    # A batch is thousands of objects that live together and die together, without cycles: looking for cycles among them
    # as often as by default costs a tenth of our time and finds none.
    gc.set_threshold(100_000, 50, 100)
    settings = ProjectionsSettings()
    configure_logging("projections", level=settings.log_level)
    try:
        uvloop.run(run(settings))
    except* TallystickError as errors:
        sys.exit("\n".join(str(error) for error in errors.exceptions))


if __name__ == "__main__":
    main()
