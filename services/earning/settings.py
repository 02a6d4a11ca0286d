"""Settings of earning from the environment: each `EARNING_…`, beside those of `shared.settings` and `shared.topics`."""

from __future__ import annotations

import os
import socket
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Role = Literal["decide", "relay", "sweep"]


class EarningSettings(BaseSettings):
    """What this process does, and in which portions."""

    model_config = SettingsConfigDict(env_prefix="EARNING_", frozen=True)

    roles: Annotated[frozenset[Role], NoDecode] = Field(
        default=frozenset({"decide", "relay", "sweep"}),
        description="comma separated: `decide` facts, `relay` the journal to Kafka, `sweep` members whose points are "
        "due; by default this process does all of it",
    )
    group: str = Field(default="earning", description="consumer group; workers of one group share the partitions")
    instance: str | None = Field(
        default=None,
        description="a name for this process that no other has and that it keeps over restarts: with it, it gets its "
        "partitions back at once after a crash, instead of after the group's session timeout",
    )
    lanes: int = Field(default=2, ge=1, le=16, description="batches decided side by side, each with its own session")
    batch: int = Field(default=4000, ge=1, le=20_000, description="records a transaction at most")
    relay_records: int = Field(default=4000, ge=1, le=50_000, description="journal rows published at a time at most")
    relay_poll_ms: int = Field(default=50, ge=1, le=5000, description="how often to look for rows of other processes")
    sweep_poll_ms: int = Field(default=2000, ge=10, le=600_000, description="how often to look for members who are due")
    inbox_poll_ms: int = Field(
        default=100, ge=5, le=60_000, description="how often to look for what one member's facts mean for another"
    )
    idle_s: float = Field(
        default=60,
        gt=0,
        le=3600,
        description="after how long without a record an input partition that was read to its end is as late as now",
    )
    lease_s: float = Field(default=10, gt=1, le=300, description="term of a lease; its holder renews it after a third")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="from which level on to log"
    )

    @field_validator("roles", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("roles")
    @classmethod
    def _some(cls, value: frozenset[Role]) -> frozenset[Role]:
        if not value:
            raise ValueError("name at least one of: decide, relay, sweep")
        return value

    @property
    def owner(self) -> str:
        """This process's name in leases: one that keeps its name over a restart has its leases back at once, too."""
        return self.instance or f"{socket.gethostname()}:{os.getpid()}"
