"""What services and commands print and answer, in the words that a table has room for."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import msgspec

_FRAME = " ╭─╮│╰╯+-|"
"""What boxes and traces of groups of errors are drawn with."""


def fetched(address: str) -> tuple[int, str]:
    """What a process of ours answers by HTTP: status and body; 0 where it doesn't."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 (our own http address)
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def last_words_of(text: str) -> str:
    """The last line that says something; of a log line its event and its reason."""
    lines = [line.strip(_FRAME) for line in text.splitlines() if line.strip(_FRAME)]
    if not lines:
        return "(nothing)"
    try:
        said = msgspec.json.decode(lines[-1], type=dict[str, Any])
    except msgspec.DecodeError:
        return lines[-1][:300]
    told = (str(said[name]) for name in ("event", "topic", "partition", "error", "why", "cure") if name in said)
    return "; ".join(told)[:300]
