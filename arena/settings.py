"""Settings every process shares, from environment variables (a flag of a command overrides one)."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_BOOTSTRAP_SERVERS = "localhost:9092"


class Settings(BaseSettings):
    """What a process needs to know before it can join an arena.

    Attributes:
        bootstrap_servers: Kafka addresses, comma-separated. `KAFKA_BOOTSTRAP_SERVERS`.
        prefix: Put before every topic and group name, so arenas can share a broker. `ARENA_PREFIX`.
        log_level: DEBUG, INFO, WARNING or ERROR. `ARENA_LOG_LEVEL`.
        log_format: "auto" is pretty on a terminal and JSON elsewhere. `ARENA_LOG_FORMAT`.
        home: Where local state lies: broker data, runs, logs. `ARENA_HOME`.
        heartbeat_interval_s: Seconds between a process's heartbeats. `ARENA_HEARTBEAT_INTERVAL_S`.
        idempotence: False for brokers that refuse idempotent producers; the account log stays exact
            without them, a retry may then leave a duplicate that the fold ignores.
            `ARENA_IDEMPOTENCE`.
        fetch_wait_ms: How long a broker may hold a fetch that finds nothing; Kafka answers at once
            when a record comes, other brokers may not. `ARENA_FETCH_WAIT_MS`.
    """

    model_config = SettingsConfigDict(
        env_prefix="ARENA_", extra="ignore", frozen=True, populate_by_name=True
    )

    bootstrap_servers: str = Field(
        default=DEFAULT_BOOTSTRAP_SERVERS, validation_alias="KAFKA_BOOTSTRAP_SERVERS"
    )
    prefix: str = Field(default="", pattern=r"^[A-Za-z0-9._-]{0,64}$")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "pretty", "json"] = "auto"
    home: Path = Path(".arena")
    heartbeat_interval_s: float = Field(default=5.0, gt=0)
    idempotence: bool = True
    fetch_wait_ms: int = Field(default=500, ge=1, le=5_000)

    def override(self, **changes: object) -> "Settings":
        """A copy with the given fields changed; `None` leaves a field as it is."""
        return self.model_copy(update={k: v for k, v in changes.items() if v is not None})
