"""Activities as facts: anything else that a program knows and a member does."""

from __future__ import annotations

import msgspec

from shared.facts.values import Id, Labels, Quantity


class ActivityRecorded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.activity.recorded.v1`: something of a kind that the program knows; how many units of it."""

    activity_id: Id
    kind: Id
    attributes: Labels = {}
    quantity: Quantity = 1


class ActivityWithdrawn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.activity.withdrawn.v1`: it didn't happen after all, or was undone."""

    activity_id: Id
    kind: Id
