"""The contract of commands: redemptions, adjustments, reinstatements, imports, assigned tiers."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from services.earning.source_events.checks import check_given, check_one_of
from services.earning.source_events.contract.fields import (
    Contract,
    Id,
    Instant,
    Points,
    PointsGiven,
    PointsHeld,
    Row,
    Why,
    custom,
    refusing,
)
from shared.errors import PermanentError


class RedemptionRequested(Contract):
    """A member wants to spend points: on a reward of the catalogue, or a number of points. Exactly one of the two."""

    redemption_id: Id = Field(description="The redemption's id; its outcome is final.", examples=["r-7"])
    reward: Id | None = Field(None, description="The reward's id in the program document.")
    points: Points | None = Field(None, description="Points to spend; 0 or less is rejected by the rules.")
    order_id: Id | None = Field(None, description="The order that it pays for.")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        try:
            check_one_of(self.reward, self.points)
        except PermanentError as error:
            raise custom(error.reason, error.message) from error
        return self


class RedemptionCancelled(Contract):
    """A redemption was undone, in whole or for some of its points."""

    redemption_id: Id = Field(description="The redemption undone. Its request may arrive later.")
    cancel_id: Id | None = Field(None, description="Names this cancel among several of one redemption.")
    points: PointsGiven | None = Field(None, description="How many points go back; all that are left, where not said.")


def _needs_reason(schema: dict[str, Any]) -> None:
    """A reason has a fault of its own when it is left out, so it isn't required by type; a reader should know."""
    schema["required"] = [*schema["required"], "reason"]
    schema["properties"]["reason"] |= {"minLength": 1}
    del schema["properties"]["reason"]["default"]


Reasoned = Annotated[Why, AfterValidator(refusing(check_given))]


class PointsAdjust(Contract):
    """A person gives points, or takes them."""

    model_config = ConfigDict(json_schema_extra=_needs_reason)

    adjustment_id: Id = Field(description="The adjustment's id: it counts once.", examples=["a-12"])
    points: Annotated[Points, AfterValidator(refusing(check_given))] = Field(
        description="Points given (+) or taken (−); not 0.", examples=[50]
    )
    actor_id: Id = Field(description="Who did it: an opaque id.", examples=["agent-3"])
    reason: Reasoned = Field(
        "", validate_default=True, description="Why: a code or a few words, no personal data.", examples=["goodwill"]
    )
    note_id: Id | None = Field(None, description="Id of a note in the directory.")
    expires_at: Instant | None = Field(None, description="First instant at which they can't be spent; else by program.")
    qualifying: bool = Field(default=False, description="Whether they count for tiers.")


class PointsReinstate(Contract):
    """A person gives back expired points of an award."""

    model_config = ConfigDict(json_schema_extra=_needs_reason)

    reinstate_id: Id = Field(description="The reinstatement's id: it counts once.", examples=["ri-4"])
    award: Id = Field(description="The award whose points had expired: the id of its order.")
    points: PointsGiven = Field(description="Points given back; at most what had expired of the award.")
    reason: Reasoned = Field("", validate_default=True, description="Why: a code or a few words, no personal data.")
    expires_at: Instant | None = Field(
        None, description="First instant at which they can't be spent; 30 days on, where not said."
    )


class BalanceImport(Contract):
    """A member's points come from another system."""

    batch_id: Id = Field(description="The import.", examples=["import-2026-01"])
    row: Row = Field(description='The row within the import, by number or id; 7 and `"7"` are the same row.')
    points: PointsHeld = Field(description="Points to spend.")
    expires_at: Instant | None = Field(None, description="First instant at which they can't be spent; else by program.")
    tier: Id | None = Field(None, description="The tier held there.")
    lifetime_points: PointsHeld | None = Field(None, description="Points ever earned there; they count for tiers.")


class ImportRevert(Contract):
    """A member's rows of an import are taken out again."""

    batch_id: Id = Field(description="The import.")
    keep_spent: bool = Field(default=False, description="Whether the member keeps what is spent already.")


class TierAssigned(Contract):
    """A person gives a member a tier."""

    tier: Id = Field(description="The tier's id in the program document.", examples=["gold"])
    until: Instant | None = Field(None, description="Held at least until then; else to the end of the next window.")
