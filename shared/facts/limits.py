"""Limits of a record's bytes, whatever it says: size, clean text, nesting."""

from __future__ import annotations

import re

from shared.errors import PermanentError
from shared.reasons import Reason

SIZE_MAX_BYTES = 1_048_576
DEPTH_MAX = 20

_BAD_ESCAPE = re.compile(
    rb"\\u0000"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"  # a high surrogate that no low one follows
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"  # a low surrogate that no high one precedes
)
_TO_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def check_size(value: bytes) -> None:
    """Refuse more than 1 MiB.

    Raises:
        PermanentError: `too_large`.
    """
    if len(value) > SIZE_MAX_BYTES:
        raise PermanentError(Reason.TOO_LARGE, f"{len(value)} bytes; the limit is {SIZE_MAX_BYTES}")


def check_text(value: bytes) -> None:
    """Refuse NUL, lone surrogates and bytes that are not UTF-8, anywhere in a JSON text: no store of ours takes them.

    Raises:
        PermanentError: `invalid_text`.
    """
    if not value.isascii():
        try:
            value.decode()
        except UnicodeDecodeError as error:
            message = f"byte {error.start} is not UTF-8"
            raise PermanentError(Reason.INVALID_TEXT, message) from error
    if b"\x00" in value:
        raise PermanentError(Reason.INVALID_TEXT, "the text holds a NUL byte")
    # An escaped backslash before a `u` is no escape of a character, so such pairs go first.
    if b"\\u" in value and (found := _BAD_ESCAPE.search(value.replace(b"\\\\", b""))):
        raise PermanentError(Reason.INVALID_TEXT, f"the text holds {found[0].decode()}: NUL or half a surrogate pair")


def check_depth(value: bytes) -> None:
    """Refuse more than 20 levels of objects and arrays; `value` is well-formed JSON.

    Raises:
        PermanentError: `too_deep`.
    """
    if value.count(b"{") + value.count(b"[") > DEPTH_MAX and _depth_exceeds(value, DEPTH_MAX):
        raise PermanentError(Reason.TOO_DEEP, f"nested deeper than {DEPTH_MAX} levels")


def _depth_exceeds(value: bytes, levels: int) -> bool:
    """Whether well-formed JSON nests deeper, at the speed of C: each pass over bare brackets takes one level off."""
    if b"\\" in value:
        value = value.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside_strings = b"".join(value.split(b'"')[::2])
    brackets = outside_strings.translate(_TO_SQUARE, _NO_BRACKETS)
    for _ in range(levels):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)
