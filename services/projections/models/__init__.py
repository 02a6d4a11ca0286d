"""The read models: a folder each, registered here and nowhere else."""

from __future__ import annotations

from services.projections.models import history, members
from services.projections.models.model import Applied, EventModel, Model, Rows, StateModel, Values, load

__all__ = ["Applied", "EventModel", "Model", "Rows", "StateModel", "Values", "load", "registered"]

MODELS: tuple[Model, ...] = (members.MODEL, history.MODEL)
"""Every read model, in the order in which their views are made: one may be read by those after it."""


def registered() -> tuple[Model, ...]:
    """The read models, as they are registered now."""
    return MODELS
