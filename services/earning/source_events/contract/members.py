"""The contract of member facts: enrolled."""

from __future__ import annotations

from pydantic import Field

from services.earning.source_events.contract.fields import Contract, Ids, Instant, Labels


class MemberEnrolled(Contract):
    """A customer joined the program."""

    segments: Ids = Field((), description="Groups the member belongs to; rules can ask for them.")
    joined_at: Instant | None = Field(None, description="When they joined, if not at the event's time.")
    attributes: Labels = Field(default_factory=dict, description="Further properties; no personal data.")
