"""What a read model is: a table in each generation, views over it, and the pure fold that fills it.

Its folder holds `table.sql` (the empty table, without keys), `view.sql` (the views over it; applied again whenever the
text changes, and at each swap), `fold.py`, and for a model of states `save.sql`. `{generation}` stands for the number.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar

from services.projections.events import Event
from shared.errors import ConfigurationError

Applied = tuple[Event, bytes]
"""An event that is to be folded, and the hash of its bytes."""

Values = tuple[Any, ...]
"""A row of a table, in the order of its model's columns."""

R = TypeVar("R")
KEY_OF_MEMBER = ("program", "member", "partition")


class Rows(ABC):
    """The rows of one model that a series of events makes. Each kind of model gives those of one of the two ways."""

    def __init__(self, model: Model) -> None:
        self.model = model

    @abstractmethod
    def fold(self, applied: Sequence[Applied]) -> None:
        """Fold events that follow those folded before."""

    def take_appended(self) -> Sequence[Values]:
        """The rows that no later event can change; each is given once."""
        return ()

    def changed(self) -> Sequence[Values]:
        """The rows that come in the place of those there are."""
        return ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Model(ABC):
    """A read model.

    `name` is its table's, without the generation. `package` is where it is declared: a package with the constant
    `MODEL`, which a process of a rebuild imports. `columns` are those that the fold fills, in its order. `key` is the
    primary key: it holds the partition, so that no row is ever written by two, and the program.
    """

    name: str
    package: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    @abstractmethod
    def begin(self) -> Rows:
        """No rows yet: what events are folded into."""

    @property
    def subject(self) -> tuple[str, ...]:
        """The columns that tell rows of one member (or of one program) apart; none: there is one row."""
        return tuple(column for column in self.key if column not in KEY_OF_MEMBER)

    @cached_property
    def folder(self) -> Path:
        """Where its files are."""
        return Path(import_module(self.package).__file__ or "").parent

    def text(self, file: str, generation: int) -> str:
        """One of its files (`table`, `view` or `save`), for the tables of a generation."""
        return (self.folder / f"{file}.sql").read_text("utf-8").replace("{generation}", str(generation))


def load(package: str) -> Model:
    """The model that a package declares.

    Raises:
        ConfigurationError: it declares none.
    """
    model = getattr(import_module(package), "MODEL", None)
    if not isinstance(model, Model):
        raise ConfigurationError(f"{package} declares no read model.", cure="Give it the constant MODEL.")
    return model


@dataclass(frozen=True, eq=False, kw_only=True)
class EventModel(Model):
    """A model with one row an event: `row` makes it of the event and the hash of its bytes. Rows are only appended."""

    row: Callable[[Event, bytes], Values]

    def begin(self) -> Rows:
        """No rows yet."""
        return _EventRows(self)


class _EventRows(Rows):
    def __init__(self, model: EventModel) -> None:
        super().__init__(model)
        self._row = model.row
        self._rows: list[Values] = []

    def fold(self, applied: Sequence[Applied]) -> None:
        row = self._row
        self._rows += [row(event, digest) for event, digest in applied]

    def take_appended(self) -> Sequence[Values]:
        rows, self._rows = self._rows, []
        return rows


@dataclass(frozen=True, eq=False, kw_only=True)
class StateModel(Model, Generic[R]):
    """A model with one row a subject, as its latest event leaves it.

    `subject_of` gives whose row an event changes. `fold` gives the row after the event; without a row before, it is the
    first of this series, and `save.sql` says what becomes of the row that the table has. `values` is the row as stored.
    """

    subject_of: Callable[[Event], Hashable]
    fold: Callable[[R | None, Event], R]
    values: Callable[[R], Values]

    def begin(self) -> Rows:
        """No rows yet."""
        return _StateRows(self)


class _StateRows(Rows, Generic[R]):
    def __init__(self, model: StateModel[R]) -> None:
        super().__init__(model)
        self._fold, self._subject_of, self._values = model.fold, model.subject_of, model.values
        self._rows: dict[Hashable, R] = {}

    def fold(self, applied: Sequence[Applied]) -> None:
        rows, fold, subject_of = self._rows, self._fold, self._subject_of
        for event, _ in applied:
            subject = subject_of(event)
            rows[subject] = fold(rows.get(subject), event)

    def changed(self) -> Sequence[Values]:
        return [self._values(row) for row in self._rows.values()]
