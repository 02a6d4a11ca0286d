"""What lies in earning's tables keeps its shape for as long as the number of its format: another one is not read."""

from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from services.earning.state.keys import KeyState
from services.earning.state.standing import FORMAT, Standing
from tests.contract import shapes
from tests.contract.golden_log import read_log
from tests.contract.golden_log_results import replay
from tests.contract.shapes import STORED, STORED_STATE, stored_state

CURE = f"""Stored state has another shape than format {FORMAT} has. Raise FORMAT beside Standing, run
`python -m tests.contract.shapes`, and tell in CHANGELOG.md that `tallystick rebuild --standings` follows the update."""


def changed(kind: type[msgspec.Struct], *, renamed: dict[str, str] | None = None, last_first: bool = False) -> Any:
    """The same struct with fields of other names, or in another order."""
    fields = list(msgspec.structs.fields(kind))
    if last_first:
        fields = [fields[-1], *fields[:-1]]
    names = renamed or {}
    plain = [(names.get(field.name, field.name), field.type, _kept(field)) for field in fields]
    config = kind.__struct_config__
    return msgspec.defstruct(
        "Changed", plain, kw_only=True, omit_defaults=config.omit_defaults, array_like=config.array_like, tag=config.tag
    )


def _kept(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory)
    return msgspec.field(default=field.default)


def one_of(*kinds: Any) -> Any:
    return reduce(or_, kinds)


def test_stored_state_has_the_shape_of_its_format() -> None:
    assert stored_state() == (STORED_STATE / f"{FORMAT}.txt").read_text("utf-8"), CURE


def test_every_format_that_was_is_known() -> None:
    assert {file.name for file in STORED_STATE.iterdir()} == {f"{number}.txt" for number in range(1, FORMAT + 1)}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("standing", {"renamed": {"lots_due": "next_lot_due"}}),
        ("standing", {"last_first": True}),
        ("lot", {"renamed": {"extended": "prolonged"}}),
        ("lot", {"last_first": True}),
    ],
)
def test_a_field_with_another_name_or_place_is_noticed(name: str, change: dict[str, Any]) -> None:
    assert stored_state(STORED | {name: changed(STORED[name])}) == stored_state()
    assert stored_state(STORED | {name: changed(STORED[name], **change)}) != stored_state()


def test_a_row_that_changes_in_itself_is_noticed() -> None:
    order, *others = get_args(KeyState)
    assert stored_state(STORED | {"key": one_of(changed(order), *others)}) == stored_state()
    renamed = changed(order, renamed={"qualified": "counted"})
    assert stored_state(STORED | {"key": one_of(renamed, *others)}) != stored_state()


def test_without_a_number_a_renamed_field_would_read_as_nothing() -> None:
    standing = next(wallet.standing for one in replay(read_log("v1")) for wallet in one.state.wallets.values())
    assert isinstance(standing, Standing)
    assert standing.lots
    read = msgspec.msgpack.decode(
        msgspec.msgpack.encode(standing), type=changed(Standing, renamed={"lots": "lots_made"})
    )
    assert read.lots_made == 0


def test_a_shape_is_written_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder in ("STORED_STATE", "MESSAGES"):
        monkeypatch.setattr(shapes, folder, tmp_path)
    released = tmp_path / f"{FORMAT}.txt"
    released.write_text("as it was released", "utf-8")
    shapes.main()
    assert released.read_text("utf-8") == "as it was released"
    assert len([*tmp_path.iterdir()]) > 1
