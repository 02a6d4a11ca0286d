"""The topics: their names (settings), who writes them, and the settings each is created with."""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict


class Topics(BaseSettings):
    """Names of all topics, each a setting `TOPIC_…`; the defaults are what the documents use."""

    model_config = SettingsConfigDict(env_prefix="TOPIC_", frozen=True)

    orders: str = "commerce.orders"
    reviews: str = "commerce.reviews"
    referrals: str = "commerce.referrals"
    activities: str = "commerce.activities"
    commands: str = "loyalty.commands"
    programs: str = "loyalty.programs"
    points: str = "loyalty.points"
    dead_letters: str = "loyalty.dead-letters"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The topics earning consumes, in their rank: facts of one member and instant are decided in this order."""
        return (self.commands, self.orders, self.reviews, self.referrals, self.activities)

    @property
    def all(self) -> tuple[str, ...]:
        """Every topic of an installation."""
        return (*self.inputs, self.programs, self.points, self.dead_letters)
