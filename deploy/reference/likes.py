"""The pages of the programs we ship: the file, a story of facts, and what `try` makes of it; and their list."""

from __future__ import annotations

from pathlib import Path

from deploy.programs import likes
from deploy.reference.programs import run_command
from deploy.reference.tables import MADE
from services.earning.program.authoring.check import check
from services.earning.program.authoring.describe import describe

_LIST_HEAD = """# Programs we ship

One file each, to read, to try and to start from: `tallystick program new my-shop.yaml --like smile`. Each has a story:
facts as a platform would publish them, and the history that comes of them. The histories here are what the deciding
core says; a test takes the same facts through Kafka, both services and Postgres, and compares the read models line by
line.

| like | what it is |
| --- | --- |
"""

_PAGE = """# Like {name}

{about}

## The file

```yaml
{document}```

## In words

{words}
## The facts

In order of arrival; `tallystick publish deploy/programs/stories/{stem}.jsonl` sends them to their topics.

```json
{facts}```

## What comes of them

```console
$ {command}
{output}```
"""


def story_of(file: Path) -> Path:
    """The facts of a program's story."""
    return file.parent / "stories" / f"{file.stem}.jsonl"


def like_pages(project: Path) -> dict[str, str]:
    """Name of the page → its text; the list is `README`."""
    files = {name: project / "deploy" / "programs" / file.name for name, file in likes().items()}
    rows = [f"| [{name}]({name}.md) | {_about(file)} |\n" for name, file in files.items()]
    return {"README": MADE + _LIST_HEAD + "".join(rows)} | {
        name: MADE + _page(project, name, file) for name, file in files.items()
    }


def _about(file: Path) -> str:
    """The first line of a document says what it is."""
    return file.read_text("utf-8").splitlines()[0].removeprefix("# ")


def _page(project: Path, name: str, file: Path) -> str:
    paths = (file.relative_to(project), story_of(file).relative_to(project))
    command = f"tallystick try --program {paths[0]} --facts {paths[1]}"
    return _PAGE.format(
        name=name,
        about=_about(file),
        document=file.read_text("utf-8"),
        words=describe(check(file.read_bytes(), file.name)).replace("\n## ", "\n### "),
        stem=file.stem,
        facts=story_of(file).read_text("utf-8"),
        command=command,
        output=run_command(project, command.removeprefix("tallystick ")),
    )
