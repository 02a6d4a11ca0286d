"""Redemptions as facts: points are asked for, and given back."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from shared.errors import PermanentError
from shared.facts.fact import FactData
from shared.facts.values import Id, Points, PointsGiven
from shared.reasons import Reason


class RedemptionRequested(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """A member wants to spend points: on a reward of the catalogue, or a number of points. Exactly one of the two."""

    TYPE = "loyalty.redemption.requested.v1"
    TOPIC = "commands"

    redemption_id: Annotated[Id, Meta(description="The redemption's id; its outcome is final.", examples=["r-7"])]
    reward: Annotated[Id | None, Meta(description="The reward's id in the program document.")] = None
    points: Annotated[Points | None, Meta(description="Points to spend; 0 or less is rejected by the rules.")] = None
    order_id: Annotated[Id | None, Meta(description="The order that it pays for.")] = None

    def check(self) -> None:
        """Refuse a redemption of a reward and points, or of neither.

        Raises:
            PermanentError: `invalid_fact`; else as every fact's check.
        """
        super().check()
        if (self.reward is None) == (self.points is None):
            raise PermanentError(Reason.INVALID_FACT, "a redemption names either a reward or points")


class RedemptionCancelled(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """A redemption was undone, in whole or for some of its points."""

    TYPE = "loyalty.redemption.cancelled.v1"
    TOPIC = "commands"

    redemption_id: Annotated[Id, Meta(description="The redemption undone. Its request may arrive later.")]
    cancel_id: Annotated[Id | None, Meta(description="Names this cancel among several of one redemption.")] = None
    points: Annotated[
        PointsGiven | None, Meta(description="How many points go back; all that are left, where not said.")
    ] = None
