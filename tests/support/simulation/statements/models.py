"""The doubles of what the read models bring along: their temporary tables, and the `save.sql` of those with states."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from services.projections import store
from services.projections.models import StateModel, registered
from tests.support.simulation.postgres import Backend, Statement, Waits, key_of, statement

Over = Callable[[Any, Any], Any]


def _create_changed(name: str, backend: Backend) -> None:
    backend.changed[name] = []


def _save(name: str, over: Over, backend: Backend) -> Waits:
    """INSERT … ON CONFLICT DO UPDATE: `over` gives the row that takes the place of the one that is there."""
    for row in backend.changed.pop(name, []):
        if (yield from backend.insert(row, unless_there=True)):
            continue
        held = backend.get(type(row), key_of(row))
        backend.put(row if held is None else over(held, row))


def _member_over(held: Any, row: Any) -> Any:
    """What a batch leaves unsaid of a tier stays as it is."""
    if row.tier is None:
        row = row._replace(tier=held.tier, tier_since=row.tier_since or held.tier_since, tier_until=held.tier_until)
    elif row.tier_since is None:
        row = row._replace(tier_since=held.tier_since)
    if row.qualifying is None:
        row = row._replace(qualifying=held.qualifying, to_next=held.to_next, to_keep=held.to_keep)
    return row


def _latest(_: Any, row: Any) -> Any:
    return row


OVERS: dict[str, Over] = {"members": _member_over}
"""Read model → what its `save.sql` makes of a row that is there; the others replace it whole."""


def by_text() -> Iterator[tuple[str, Statement]]:
    """The statements of each model whose rows are states."""
    for model in registered():
        if isinstance(model, StateModel):
            name = model.name
            created = store.create_changed_statement(model, 1)
            yield created, statement(f"create_changed_{name}", "", partial(_create_changed, name))
            saved = partial(_save, name, OVERS.get(name, _latest))
            yield store.save_statement(model, 1), statement(f"save_{name}", "", saved)
