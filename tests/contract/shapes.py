"""The shape of values as they are stored: a text that differs wherever other bytes could be written or read.

`python -m tests.contract.shapes` writes the texts of a new format of stored state and of new messages; one that is
there stays as it is.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import NODEFAULT, Struct, inspect

from services.earning.source_events.messages import MESSAGE_TYPES
from services.earning.state.keys import KeyState
from services.earning.state.standing import FORMAT, Lot, Standing

STORED_STATE = Path(__file__).parent / "golden" / "stored_state"

MESSAGES = Path(__file__).parent / "golden" / "messages"

STORED: dict[str, Any] = {"standing": Standing, "lot": Lot, "key": KeyState}
"""What earning's tables hold in a body, by their names."""


def stored_state(types: dict[str, Any] | None = None) -> str:
    """The shape of all that is stored: a section a type, a line a field."""
    sections = (section for name, kind in (types or STORED).items() for section in _sections(name, kind))
    return "\n".join(sections)


def shape(kind: Any) -> str:
    """The shape of one struct: how it is written, and a line a field with type and default."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    return "\n".join((_written(described), *(f"  {line}" for line in _fields(described)))) + "\n"


def _sections(name: str, kind: Any) -> Iterator[str]:
    described = inspect.type_info(kind)
    for one in described.types if isinstance(described, inspect.UnionType) else (described,):
        assert isinstance(one, inspect.StructType)
        yield f"{name}, {shape(one.cls)}"


def _written(struct: inspect.StructType) -> str:
    how = "array" if struct.array_like else "map"
    tagged = f" tagged {struct.tag!r}" if struct.tag is not None else ""
    return how + tagged + (", defaults left out" if struct.cls.__struct_config__.omit_defaults else "")


def _fields(struct: inspect.StructType) -> Iterator[str]:
    for field in struct.fields:
        yield f"{field.encode_name}: {_type(field.type)}{_default(field)}"


def _default(field: inspect.Field) -> str:
    if field.default is not NODEFAULT:
        return f" = {_plain(field.default)}"
    return "" if field.default_factory is NODEFAULT else f" = {_plain(field.default_factory())}"


def _plain(value: object) -> str:
    """A default; a struct's is told without the name of its class, which nobody stores."""
    if isinstance(value, Struct):
        return f"({', '.join(_plain(getattr(value, name)) for name in value.__struct_fields__)})"
    return repr(value)


def _type(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.StructType):
        return f"{_written(kind)} ({', '.join(_fields(kind))})"
    if isinstance(kind, inspect.NamedTupleType):
        return f"named tuple ({', '.join(f'{field.name}: {_type(field.type)}' for field in kind.fields)})"
    if isinstance(kind, inspect.UnionType):
        return " | ".join(map(_type, kind.types))
    inner = [getattr(kind, name) for name in kind.__struct_fields__ if name.endswith(("_type", "_types"))]
    parts = [_type(part) for one in inner for part in (one if isinstance(one, tuple) else (one,))]
    name = re.sub(r"Type$", "", type(kind).__name__).lower()
    return f"{name}[{', '.join(parts)}]" if parts else name


def structs_in(kind: Any) -> set[type]:
    """Every class that a value of this type is made of."""
    found: set[type] = set()
    waiting: list[Any] = [inspect.type_info(kind)]
    while waiting:
        one = waiting.pop()
        if isinstance(one, inspect.StructType | inspect.NamedTupleType) and one.cls not in found:
            found.add(one.cls)
            waiting += [field.type for field in one.fields]
        waiting += [part for name in one.__struct_fields__ for part in _types_in(getattr(one, name))]
    return found


def _types_in(value: object) -> list[inspect.Type]:
    parts = value if isinstance(value, tuple) else (value,)
    return [part for part in parts if isinstance(part, inspect.Type)]


def main() -> None:
    """Write the text of the present format, and of each message, unless it is there."""
    files = {STORED_STATE / f"{FORMAT}.txt": stored_state()}
    files |= {MESSAGES / f"{name}.txt": shape(kind) for name, kind in MESSAGE_TYPES.items()}
    for file, text in files.items():
        if file.exists():
            continue
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
