"""Settings both services read: where Kafka and Postgres are, and where to answer HTTP."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Connections(BaseSettings):
    """Where the servers are; the names are those that operators know from elsewhere."""

    model_config = SettingsConfigDict(frozen=True)

    kafka_bootstrap_servers: str = Field(description="host:port, comma separated")
    postgres_dsn: str = Field(description="postgresql://user:password@host:port/database")


class Http(BaseSettings):
    """Where a service answers health checks and metrics."""

    model_config = SettingsConfigDict(env_prefix="HTTP_", frozen=True)

    host: str = Field(default="127.0.0.1", description="address to listen on; 0.0.0.0 in a container")
    port: int = Field(default=0, ge=0, le=65_535, description="0: a free one, told in the log line `listening`")
