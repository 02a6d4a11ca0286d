"""The CloudEvents attributes of a fact in binary mode: headers named `ce_…`, beside those of others."""

from __future__ import annotations

from shared.codec import STRUCTURED, Headers
from shared.errors import PermanentError
from shared.reasons import Reason

HEADER_PREFIX = "ce_"


def binary_attributes(headers: Headers) -> dict[str, str] | None:
    """The CloudEvents attributes in the headers `ce_…`, without the prefix; None: the record is in structured mode.

    Raises:
        PermanentError: `invalid_headers` for a header that is null, not UTF-8, or there twice.
    """
    found: dict[str, str] = {}
    for name, raw in headers:
        if name == "content-type":
            if _text(name, raw).lower().startswith(STRUCTURED):
                return None
        elif name.startswith(HEADER_PREFIX):
            attribute = name.removeprefix(HEADER_PREFIX)
            if attribute in found:
                raise PermanentError(Reason.INVALID_HEADERS, f"header {name} is there twice", field=name)
            found[attribute] = _text(name, raw)
    return found or None


def _text(name: str, raw: bytes | None) -> str:
    if raw is None:
        raise PermanentError(Reason.INVALID_HEADERS, f"header {name} is null", field=name)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise PermanentError(Reason.INVALID_HEADERS, f"header {name} is not UTF-8", field=name) from error
    if "\x00" in text:
        raise PermanentError(Reason.INVALID_TEXT, f"header {name} holds a NUL", field=name)
    return text
