"""Settings of projections, from the environment: each `PROJECTIONS_…`, beside those of `shared.settings`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ProjectionsSettings(BaseSettings):
    """In which portions this process folds."""

    model_config = SettingsConfigDict(env_prefix="PROJECTIONS_", frozen=True)

    group: str = Field(default="projections", description="consumer group; workers of one group share the partitions")
    instance: str | None = Field(
        default=None,
        description="a name for this process that no other has and that it keeps over restarts: with it, it gets its "
        "partitions back at once after a crash, instead of after the group's session timeout",
    )
    lanes: int = Field(default=2, ge=1, le=16, description="batches folded side by side, each with its own session")
    batch: int = Field(default=4000, ge=1, le=20_000, description="records a transaction at most")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="from which level on to log"
    )
