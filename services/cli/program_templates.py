"""Starts: the programs we ship, as the beginning of one's own."""

from __future__ import annotations

import re
from datetime import datetime

from deploy.programs import likes
from services.earning.program.authoring.check import check
from services.earning.program.values import near
from services.earning.program.zones import zone
from shared.errors import ConfigurationError

_NAME = re.compile(r"^program: .*$", re.MULTILINE)
_BEGINS = re.compile(r"^effective_from: .*$", re.MULTILINE)


def started(like: str, name: str, today: datetime) -> str:
    """The document of a new program of that name, with its comments, in force from the start of today.

    Raises:
        ConfigurationError: there is none of that kind, or the name can't be a program's.
        ProgramInvalidError: the name is none.
    """
    files = likes()
    if like not in files:
        known = ", ".join(files)
        raise ConfigurationError(
            f"There is no program like {like!r}.", cure=near(like, files) or f"Name one of: {known}."
        )
    text = files[like].read_text("utf-8")
    local = zone(check(text.encode(), files[like].name).time_zone)
    begins = today.astimezone(local).replace(hour=0, minute=0, second=0, microsecond=0).isoformat()
    text = _BEGINS.sub(f"effective_from: {begins}", _NAME.sub(f"program: {name}", text, count=1), count=1)
    check(text.encode(), f"{name}.yaml")
    return text
