"""The contract of member facts: enrolled, updated, closed."""

from __future__ import annotations

from pydantic import Field

from services.earning.source_events.contract.fields import Contract, Id, Ids, Instant, Labels


class MemberEnrolled(Contract):
    """A customer joined the program."""

    segments: Ids = Field((), description="Groups the member belongs to; rules can ask for them.")
    joined_at: Instant | None = Field(None, description="When they joined, if not at the event's time.")
    attributes: Labels = Field(default_factory=dict, description="Further properties; no personal data.")


class MemberUpdated(Contract):
    """What is known of a member changed. What is left out stays as it was."""

    segments: Ids | None = Field(None, description="All groups the member belongs to from now on.")
    attributes: Labels | None = Field(None, description="All further properties from now on; no personal data.")


class MemberClaimed(Contract):
    """Another id is this member, too: a guest who enrolled, or a second account. All it has moves here, for ever."""

    guest: Id = Field(
        alias="from", description="The id that is claimed; facts under it count for the subject from now on."
    )


class MemberClosed(Contract):
    """A membership ended: all its points expire."""
