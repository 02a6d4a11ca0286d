"""Check a document: every problem at once, at its line and column, with its cure; else the document itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from services.earning.program.authoring.contradictions import contradictions
from services.earning.program.authoring.source import Source, read
from services.earning.program.document import Document
from services.earning.program.problems import Path, Problem, ProgramInvalidError
from services.earning.program.values import listed, near

Schema = Mapping[str, Any]


def check(data: bytes, file: str = "program") -> Document:
    """The document in `data` (YAML); `file` is its name in the problems.

    Raises:
        ProgramInvalidError: with everything that is wrong, not the first thing only.
    """
    source = read(data, file)
    problems = contradictions(source)
    document: Document | None = None
    try:
        document = Document.model_validate(source.values)
    except ValidationError as error:
        problems += [_problem(source, details) for details in error.errors(include_url=False)]
    if problems or document is None:
        raise ProgramInvalidError(file, problems)
    return document


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    return Document.model_json_schema(by_alias=True)


def _problem(source: Source, details: ErrorDetails) -> Problem:
    path: Path = details["loc"]
    kind = details["type"]
    message, cure = _explained(path, kind, details)
    at_key = kind == "extra_forbidden"
    return Problem(source.key_mark(path) if at_key else source.mark(path), path, message, cure)


def _explained(path: Path, kind: str, details: ErrorDetails) -> tuple[str, str]:
    """What is wrong and the cure, in a merchant's words."""
    if kind == "program":
        context: dict[str, Any] = details.get("ctx", {})
        return context["message"], context["cure"]
    if kind in _EXPLAIN:
        return _EXPLAIN[kind](path, details["input"])
    message = details["msg"]
    return message[:1].lower() + message[1:], _description(path)


def _missing(path: Path, _given: object) -> tuple[str, str]:
    return "it is missing", f"Add `{path[-1]}:` here. {_description(path)}"


def _unknown(path: Path, _given: object) -> tuple[str, str]:
    known = sorted(_node(path[:-1]).get("properties", {}))
    return f"`{path[-1]}` is not a setting here", near(
        str(path[-1]), known
    ) or f"Settings here are {listed([f'`{name}`' for name in known])}."


def _not_a_choice(path: Path, given: object) -> tuple[str, str]:
    choices = [str(choice) for choice in _node(path).get("enum", [])]
    meant = near(str(given), choices)
    return (
        f"{given!r} is none of the choices",
        f"{meant} Write one of {listed([f'`{choice}`' for choice in choices])}.".strip(),
    )


def _not_a_name(_path: Path, given: object) -> tuple[str, str]:
    cure = "Use lower-case letters, digits, `-`, `_` and `.`, at most 64, a letter or digit first."
    return f"{given!r} is not a name", cure


def _not_a_group(path: Path, _given: object) -> tuple[str, str]:
    return "it must be a group of settings", f"Indent its settings below it. {_description(path)}".rstrip()


def _not_text(_path: Path, given: object) -> tuple[str, str]:
    if isinstance(given, list | dict) or given is None:
        return "it must be a text", "Write one word or a text in quotes."
    written = {True: "true", False: "false"}.get(given, given) if isinstance(given, bool) else given
    return f"{written} is not text here", f'Put it in quotes: "{written}".'


def _out_of_range(path: Path, given: object) -> tuple[str, str]:
    node = _node(path)
    return f"{given} is out of range", f"Write a number from {node.get('minimum')} to {node.get('maximum')}."


_Explain = Callable[[Path, object], tuple[str, str]]
_EXPLAIN: dict[str, _Explain] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "literal_error": _not_a_choice,
    "string_pattern_mismatch": _not_a_name,
    "model_type": _not_a_group,
    "list_type": lambda _, __: ("it must be a list", "Write `[a, b]`, or one entry a line after `- `."),
    "string_type": _not_text,
    "bool_type": lambda _, given: (f"{given!r} is neither true nor false", "Write `true` or `false`."),
    "int_type": lambda _, given: (f"{given!r} is not a whole number", "Write a whole number such as 100."),
    "greater_than_equal": _out_of_range,
    "less_than_equal": _out_of_range,
    "too_short": lambda _, __: ("it is empty", "Name at least one, or leave the setting out."),
    "string_too_short": lambda _, __: ("it is empty", "Write a text, or leave it out."),
}
"""Kinds of pydantic's errors that a document can cause → what is wrong and the cure; others speak for themselves."""


def _description(path: Path) -> str:
    return str(_node(path).get("description", ""))


def _node(path: Path) -> Schema:
    """The part of the JSON Schema that describes a path; empty where there is none."""
    node: Schema = _schema()
    for step in path:
        node = _resolved(node)
        node = node.get("items", {}) if isinstance(step, int) else node.get("properties", {}).get(step, {})
    return _resolved(node)


def _resolved(node: Schema) -> Schema:
    """The node behind its reference; of an optional one, what it is when it is there. Its own description counts."""
    choices = [choice for choice in node.get("anyOf", []) if choice.get("type") != "null"]
    if len(choices) == 1:
        return {**_resolved(choices[0]), **{k: v for k, v in node.items() if k == "description"}}
    if "$ref" in node:
        target = cast("Schema", _schema()["$defs"][node["$ref"].rpartition("/")[2]])
        return {**target, **{k: v for k, v in node.items() if k != "$ref"}}
    return node
