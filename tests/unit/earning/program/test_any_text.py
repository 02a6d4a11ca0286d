"""Whatever is written, checking it ends in a valid program or in problems with a place: never in a crash."""

from pathlib import Path

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.earning.program.authoring.check import check
from services.earning.program.compile import compile_program
from services.earning.program.document import Document
from services.earning.program.problems import ProgramInvalidError

PROGRAMS = Path(__file__).parents[4] / "deploy" / "programs"
GROCER = (PROGRAMS / "grocer.yaml").read_text("utf-8")
LINES = GROCER.splitlines()

bounded = settings(max_examples=100, deadline=None)  # the machine may be busy; what counts is the end

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.text(max_size=20),
    st.sampled_from(
        ["1/3", "-1", "1e400", "9" * 50, "0.0000000001", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z"]
    ),
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner))


def judged(data: bytes) -> None:
    """Check it; if it is a program, it compiles and its canonical form reads back the same."""
    try:
        document = check(data)
    except ProgramInvalidError as refused:
        problems = refused.problems
    else:
        compile_program(document, 1, document.effective_from)
        assert Document.model_validate_json(document.canonical()) == document
        return
    assert problems
    assert all(problem.mark.line >= 1 and problem.message for problem in problems)


@bounded
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    judged(data)


@bounded
@given(st.text(max_size=200))
@example("a: {b: [")
@example("? ? ?")
@example("%YAML 9.9\n---\na: 1")
@example("a: |\n  text\n b: 1")
def test_any_text(text: str) -> None:
    judged(text.encode("utf-8", "replace"))


@bounded
@given(st.dictionaries(st.sampled_from(sorted(Document.model_fields)), values, max_size=9))
def test_any_values_under_known_settings(document: dict[str, object]) -> None:
    judged(yaml.safe_dump(document, allow_unicode=True).encode("utf-8", "replace"))


@bounded
@given(st.integers(0, len(LINES) - 1), st.integers(0, 60), st.text(max_size=6))
def test_a_valid_program_with_a_slip_of_the_pen(line: int, column: int, slip: str) -> None:
    lines = list(LINES)
    lines[line] = lines[line][:column] + slip + lines[line][column + 1 :]
    judged("\n".join(lines).encode("utf-8", "replace"))


@bounded
@given(st.data())
def test_a_valid_program_with_one_value_exchanged(data: st.DataObject) -> None:
    document = yaml.load(GROCER, Loader=yaml.BaseLoader)  # noqa: S506 (texts only, from a file of ours)
    node = document
    while isinstance(node, dict | list) and node:
        place = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if not isinstance(node[place], dict | list) or data.draw(st.booleans()):
            node[place] = data.draw(values)
            break
        node = node[place]
    judged(yaml.safe_dump(document, allow_unicode=True).encode("utf-8", "replace"))
