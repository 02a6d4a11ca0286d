"""The reference of programs and of `tallystick try`: tables from the models, examples made by running the commands."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from inspect import cleandoc
from pathlib import Path

import msgspec
from typer.testing import CliRunner

from deploy.reference.schemas import DIALECT, components
from deploy.reference.tables import MADE, Schema, field_table, parts_of
from services.earning.program import expressions
from services.earning.program.document import Document
from shared.try_lines import (
    ComparisonLine,
    CountsLine,
    DifferenceLine,
    FactLine,
    LotLine,
    MemberLine,
    UntilLine,
)

_TRY = "tallystick try --program docs/reference/examples/try.yaml --facts docs/reference/examples/try.jsonl"
_LINES = (FactLine, UntilLine, MemberLine, LotLine, CountsLine, ComparisonLine, DifferenceLine)

_PROGRAM_HEAD = """# The program's document

A program is one YAML file that says what earns points. The smallest one:

```yaml
{minimal}```

`tallystick program check FILE` reads it without any server, `tallystick program show FILE` tells it in plain words,
`tallystick try` runs it on facts of yours, `tallystick program diff OLD NEW` says what changes for members (each
a file, or `NAME` or `NAME@VERSION` of what is published), and `tallystick program publish FILE` puts it in force.

## How to write it

- **Numbers** are read from the text, digit by digit: `1.25` is exactly 1.25. A rate may be a fraction: `1/3`.
- **Money** is in the program's currency, at most 6 decimal places.
- **Instants** carry an offset: `2027-01-01T00:00:00-05:00`.
- **Texts** that look like a number, `true`, `false` or `null` need quotes: `categories: ["12"]`.
  `yes`, `no`, `on` and `off` are texts.
- **Lists** are `[a, b]`, or one entry a line after `- `.
- Unknown settings are mistakes, never ignored. Anchors, aliases, tags and several documents in a file are not taken.
- Editors check and complete while you type if the first line is
  `# yaml-language-server: $schema=docs/reference/program.schema.json` ([the schema](program.schema.json)).

## Versions

Publishing gives a document the next number of its program, 1, 2, 3 …; the same document again changes nothing. A fact
is decided under the version in force when it happened; of several whose instant has come the newest counts. An order
stays under the version that first awarded it, its refunds too. A first version may reach back, a later one is in force
60 seconds after its publication at the earliest. A version that was published can't be changed or taken back; publish
the earlier document again in its place.

## Mistakes

All are told at once, each with its line, column, field and cure; the exit code is then 1. `--json` gives one line each.

```console
$ tallystick program check docs/reference/examples/mistakes.yaml
{mistakes}```

## In words

```console
$ tallystick program show deploy/programs/grocer.yaml
{shown}```
"""

_EXPRESSIONS_HEAD = """
## Expressions

Where plain fields can't ask it, `when: {{expression: …}}` can: an expression of
[CEL](https://cel.dev/) that is true or false, such as `member.tier == 'gold' && time.hour < 12`. It is checked with its
types by `program check`, compiled once for each version, and limited to {characters:,} characters, 32 levels and
10,000 steps. One that can't be answered for a fact (an attribute that the member doesn't have) doesn't hold; it never
fails. It sees who, when and where as they were when the fact was first decided, never amounts or lines: so its answer
can't change with the order in which facts arrive. Amounts have `minimum`, lines `only` and `except`.

| name | type | what it is | seen by |
| --- | --- | --- | --- |
"""

_TRY_HEAD = """# `tallystick try`

What a program makes of a list of facts: the deciding core alone, with no servers. The same program and the same facts
always give the same output; names and meanings of what is described here are a contract.

## Input

`--program FILE`
: A [program's document](program.md). Several files of one program are its versions 1, 2, … in the order given, each in
  force from its own `effective_from`, as it stands. Files of several programs can be given together.

`--facts FILE`
: JSON lines in order of arrival, `-` for stdin: one [fact](facts.md) a line, a CloudEvent in structured mode. Empty
  lines are passed over. When a fact reached us (`received_at`) is its extension `receivedat` (RFC 3339 with an offset),
  or else its own `time`. Which topic it would be on is of no matter.

`--until INSTANT`
: After the last fact, bring every member up to this instant: what falls due by then happens.

`--duplicate`
: Run again with each fact twice in a row and the whole file once more at the end. Nothing may differ: balances,
  lifetime figures, tiers, lots.

`--shuffle SEED`
: Run again with the facts of each business key (an order, say) in another order among the places they have, each with
  its own times. Every key must be worth the same. Tiers, first orders and versions are first come, first served; an
  order that met another of them is told apart (`first_come`).

`--json`
: JSON lines in place of sentences and tables.

Exit codes: 0, also where facts are dead letters (they are results); 1 where the program is invalid, or a second run
ended otherwise; 2 where the command can't run as asked.

## Example

[`try.yaml`](examples/try.yaml) is a café with a carnival campaign and two tiers; [`try.jsonl`](examples/try.jsonl) has
five facts. Order 1002 earns 19.99 × 1 × 1.25 (tier) × 2 (campaign) = 49.975, rounded down once: 49. Its refund of 9.99
leaves 10.00 × 2.5 = 25, so 24 go back.

```console
$ {command}
{text}```

## Output with `--json`

One object a line, in this order: a `fact` for each input, an `until` for each member to whom something became due, a
`member` for each member, the `counts`, a `comparison` for each second run. The field `record` says which it is. A field
that has its default may be left out.

```console
$ {command_json}
{lines}```
"""


def program_schema() -> str:
    """The JSON Schema of the document, for editors."""
    schema = Document.model_json_schema(by_alias=True)
    described = {"$schema": DIALECT, **schema, "title": "A Tallystick program"}
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


def program_page(project: Path) -> str:
    """The document: how to write it, what mistakes look like, every setting."""
    schema = _without_group_defaults(Document.model_json_schema(by_alias=True))
    head = _PROGRAM_HEAD.format(
        minimal=(project / "deploy" / "programs" / "minimal.yaml").read_text("utf-8"),
        mistakes=run_command(project, "program check docs/reference/examples/mistakes.yaml"),
        shown=run_command(project, "program show deploy/programs/grocer.yaml"),
    )
    sections = [MADE + head + _expressions() + "\n## Settings\n", field_table(schema)]
    for name in parts_of(schema, schema["$defs"]):
        part = schema["$defs"][name]
        sections += [f"\n### {name}\n", f"{part['description']}\n", field_table(part)]
    return "\n".join([*sections, ""])


def try_page(project: Path) -> str:
    """`tallystick try`: its input, an example as people and as scripts see it, every field of its lines."""
    until = "--until 2029-01-02T00:00:00+01:00"
    command, command_json = f"{_TRY} {until}", f"{_TRY} {until} --json --duplicate --shuffle 7"
    head = _TRY_HEAD.format(
        command=command,
        text=run_command(project, command.removeprefix("tallystick ")),
        command_json=command_json,
        lines=run_command(project, command_json.removeprefix("tallystick ")),
    )
    sections = [MADE + head]
    for line in _LINES:
        schema = _line_schema(line)
        sections += [f"### {_title(line)}\n", f"{cleandoc(schema['description'])}\n", field_table(schema) + "\n"]
    return "\n".join(sections)


def _expressions() -> str:
    """What expressions see, by name."""
    visible = {**expressions.ORDERS, **expressions.ACTIVITIES, "attributes.NAME": ("string", "A declared attribute.")}
    rows = []
    for name, (kind, meaning) in visible.items():
        seen = [
            word
            for word, names in (("orders", expressions.ORDERS), ("activities", expressions.ACTIVITIES))
            if name in names
        ]
        rows.append(f"| `{name}` | {kind} | {meaning} | {' and '.join(seen) or 'activities'} |\n")
    return _EXPRESSIONS_HEAD.format(characters=expressions.LENGTH_MAX) + "".join(rows)


def _without_group_defaults(schema: Schema) -> Schema:
    """The schema without the defaults of whole groups: the group's own table has them."""
    for part in (schema, *schema["$defs"].values()):
        for field in part["properties"].values():
            if isinstance(field.get("default"), dict):
                del field["default"]
    return schema


def _line_schema(line: type[msgspec.Struct]) -> Schema:
    schema, _ = components(line)
    if line.__struct_config__.tag is not None:
        schema["properties"]["record"]["description"] = "Which line this is."
    return schema


def _title(line: type[msgspec.Struct]) -> str:
    tag = line.__struct_config__.tag
    return f"`{tag}`" if tag is not None else line.__name__


def run_command(project: Path, arguments: str) -> str:
    """What a command prints, with paths as they are written in it. It is the one that the project installs."""
    (installed,) = entry_points(group="console_scripts", name="tallystick")
    words = [str(project / word) if (project / word).is_file() else word for word in arguments.split()]
    output = CliRunner().invoke(installed.load(), words).output.replace(f"{project}/", "")
    return "".join(f"{line.rstrip()}\n" for line in output.strip("\n").splitlines())
