"""The source of a document: YAML text as plain values, exact to the digit, with the place of each.

Only what a program needs of YAML is taken: mappings, lists and scalars. Numbers come from the source text as `int` or
`Decimal`, never through a float; `yes`, `no`, `on`, `1:30`, `0x1f` and dates are text, as they look.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Protocol, TypeAlias

import msgspec
import yaml

from services.earning.program.problems import Mark, Path, Problem, ProgramInvalidError

Plain: TypeAlias = "dict[str, Plain] | list[Plain] | str | int | Decimal | bool | None"
"""What a document is made of before anybody has looked at its meaning."""

SIZE_MAX = 128 * 1024
"""Bytes of a document: it must fit into one event of `loyalty.programs` with room to spare."""

DEPTH_MAX = 20
"""Levels of nesting; a program needs five."""

_START = Mark(1, 1)
_TAG = "tag:yaml.org,2002:"


class Source(msgspec.Struct, frozen=True):
    """A document as written: its values, and where each value and each key stands."""

    values: Plain
    marks: dict[Path, Mark]
    key_marks: dict[Path, Mark]

    def mark(self, path: Path) -> Mark:
        """The place of a path's value, or of the nearest part around it that is there."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path, _START)

    def key_mark(self, path: Path) -> Mark:
        """The place of a path's key, or of its value where it has no key (an entry of a list)."""
        return self.key_marks.get(path) or self.mark(path)


class _Loader(yaml.SafeLoader):
    """YAML whose plain scalars are only null, true, false, whole numbers and plain decimals; all else is text."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 (PyYAML's own class attribute, emptied here and filled below)


_Loader.add_implicit_resolver(_TAG + "null", re.compile(r"(?:~|null|)\Z"), ["~", "n", ""])
_Loader.add_implicit_resolver(_TAG + "bool", re.compile(r"(?:true|false)\Z"), ["t", "f"])
_Loader.add_implicit_resolver(_TAG + "int", re.compile(r"-?(?:0|[1-9][0-9]*)\Z"), list("-0123456789"))
_Loader.add_implicit_resolver(_TAG + "float", re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+\Z"), list("-0123456789"))


def read(data: bytes, file: str = "program") -> Source:
    """The document in `data` (UTF-8 YAML).

    Raises:
        ProgramInvalidError: it is not text, not YAML, too large, or uses more of YAML than a program needs.
    """
    if len(data) > SIZE_MAX:
        raise _refused(file, _START, f"the document has {len(data):,} bytes", f"At most {SIZE_MAX:,} are taken.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _refused(file, Mark(line, 1), "the text is not UTF-8", "Save the file as UTF-8.") from error
    try:
        problems = _unwanted(text)
        node = None if problems else yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise _refused(file, _mark(error.problem_mark), _said(error), _cure(error)) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML"
        raise _refused(file, Mark(line, 1), message, "Remove it.") from error
    if problems:
        raise ProgramInvalidError(file, problems)
    if node is None:
        raise _refused(file, _START, "the document is empty", "Start with `program:` and its name.")
    return _Reading(file).whole(node)


class _Reading:
    """One pass over the nodes of a document."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._marks: dict[Path, Mark] = {}
        self._key_marks: dict[Path, Mark] = {}
        self._problems: list[Problem] = []

    def whole(self, node: yaml.Node) -> Source:
        values = self._value(node, ())
        if self._problems:
            raise ProgramInvalidError(self._file, self._problems)
        return Source(values, self._marks, self._key_marks)

    def _value(self, node: yaml.Node, path: Path) -> Plain:
        self._marks[path] = _mark(node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(entry, (*path, i)) for i, entry in enumerate(node.value)]
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Plain]:
        values: dict[str, Plain] = {}
        for key_node, value_node in node.value:
            mark = _mark(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                self._problems.append(Problem(mark, path, "a key must be a word", "Write `key: value`."))
                continue
            key = str(key_node.value)
            below = (*path, key)
            if key in values:
                first = self._key_marks[below].line
                cure = f"Keep one of them; the first is on line {first}."
                self._problems.append(Problem(mark, below, "the key is there twice", cure))
                continue
            self._key_marks[below] = mark
            values[key] = self._value(value_node, below)
        return values


def _scalar(node: yaml.Node) -> Plain:
    text = str(node.value)
    match node.tag.removeprefix(_TAG):
        case "null":
            return None
        case "bool":
            return text == "true"
        case "int":
            # Python refuses whole numbers of thousands of digits with an error of its own; no setting is that long.
            return int(text) if len(text) <= 40 else Decimal(text)  # noqa: PLR2004 (the reason is beside it)
        case "float":
            return Decimal(text)
        case _:
            return text


def _unwanted(text: str) -> list[Problem]:
    """What YAML can and a program must not: aliases (a short text could unfold into gigabytes), tags, depth."""
    problems: list[Problem] = []
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        mark = _mark(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            problems.append(Problem(mark, (), f"the alias *{event.anchor} is not taken", "Write the value out."))
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag:
            problems.append(Problem(mark, (), f"the tag {event.tag} is not taken", "Leave it out."))
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH_MAX:
                message = f"the document is nested deeper than {DEPTH_MAX} levels"
                return [*problems, Problem(mark, (), message, "Check the indentation and the brackets.")]
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return problems


class _HasPlace(Protocol):
    """A mark of PyYAML, whichever of its parsers made it; from 0."""

    line: int
    column: int


def _mark(mark: _HasPlace | None) -> Mark:
    return _START if mark is None else Mark(mark.line + 1, mark.column + 1)


def _said(error: yaml.MarkedYAMLError) -> str:
    said = ": ".join(part for part in (error.context, error.problem) if part)
    return f"this is not YAML ({said})"


def _cure(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or ""
    if "\\t" in problem:
        return "Indent with spaces, not tabs."
    if "mapping values are not allowed" in problem:
        return "Check the indentation, or put a text that holds `: ` into quotes."
    if "single document" in (error.context or "") or "another document" in problem:
        return "One program a file: remove the `---`."
    return "Check the indentation, the quotes and the brackets on this line and the one above."


def _refused(file: str, mark: Mark, message: str, cure: str) -> ProgramInvalidError:
    return ProgramInvalidError(file, [Problem(mark, (), message, cure)])
