"""Settings every process shares, from environment variables (a flag of a command overrides one)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from arena.prefix import MARK, check_prefix, valid_prefix

Prefix = Annotated[str, AfterValidator(valid_prefix)]
"""A prefix of topics and groups (`arena.prefix`)."""

DEFAULT_BOOTSTRAP_SERVERS = "localhost:9092"
SECONDS_MAX = 86_400.0
"""A day: the longest time that a variable may set."""

BOOTSTRAP_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"


class KafkaAccess(BaseSettings):
    """How a process proves to the brokers who it is; secrets never show when this is printed.

    Attributes:
        security_protocol: Of the brokers' listener. `KAFKA_SECURITY_PROTOCOL`.
        sasl_mechanism: How a login is proved. `KAFKA_SASL_MECHANISM`.
        sasl_username: Who this process is. `KAFKA_SASL_USERNAME`.
        sasl_password: Its password, or `sasl_password_file` for a file that holds it.
            `KAFKA_SASL_PASSWORD`, `KAFKA_SASL_PASSWORD_FILE`.
        ssl_cafile: PEM of the authorities to trust; the system's where none is given.
            `KAFKA_SSL_CAFILE`.
        ssl_ca: The same PEM itself, as base64 on one line; such a line fits every kind of
            environment file. `KAFKA_SSL_CA`.
        ssl_certfile: PEM of this process's own certificate, with `ssl_keyfile` for its key where
            that is another file. `KAFKA_SSL_CERTFILE`, `KAFKA_SSL_KEYFILE`.
        ssl_key_password: Of that key, or `ssl_key_password_file` for a file that holds it.
            `KAFKA_SSL_KEY_PASSWORD`, `KAFKA_SSL_KEY_PASSWORD_FILE`.
    """

    model_config = SettingsConfigDict(
        env_prefix="KAFKA_", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    sasl_username: str = ""
    sasl_password: SecretStr | None = None
    sasl_password_file: Path | None = None
    ssl_cafile: Path | None = None
    ssl_ca: str = ""
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    ssl_key_password: SecretStr | None = None
    ssl_key_password_file: Path | None = None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "KafkaAccess":
        """What these variables say, before those of the process."""
        prefix = str(cls.model_config["env_prefix"])
        values = {key.removeprefix(prefix).lower(): value for key, value in environ.items()}
        return cls.model_validate(values)


class Settings(BaseSettings):
    """What a process needs to know before it can join an arena.

    Attributes:
        bootstrap_servers: Kafka addresses, comma-separated. `KAFKA_BOOTSTRAP_SERVERS`.
        prefix: Put before every topic and group name, so arenas can share a broker. `ARENA_PREFIX`.
        log_level: DEBUG, INFO, WARNING or ERROR. `ARENA_LOG_LEVEL`.
        log_format: "auto" is pretty on a terminal and JSON elsewhere. `ARENA_LOG_FORMAT`.
        home: Where local state lies: broker data, runs, logs. `ARENA_HOME`.
        heartbeat_interval_s: Seconds between a process's heartbeats. `ARENA_HEARTBEAT_INTERVAL_S`.
        stuck_s: Seconds after which a process ends whose reader asks for records that are in the
            log, and gets none. `ARENA_STUCK_S`.
        idempotence: False for brokers that refuse idempotent producers; the account log stays exact
            without them, a retry may then leave a duplicate that the fold ignores.
            `ARENA_IDEMPOTENCE`.
        fetch_wait_ms: How long a broker may hold a fetch that finds nothing; Kafka answers at once
            when a record comes, other brokers may not. `ARENA_FETCH_WAIT_MS`.
        checkpoint_events: Events of a shard between two checkpoints of it; so many are folded again
            at most when an executor starts. `ARENA_CHECKPOINT_EVENTS`.
        plugins: Folders of tools and strategies outside the source tree, separated as in PATH
            (`arena.plugins`). `ARENA_PLUGINS`.
        access: How to log in to the brokers. `KAFKA_SECURITY_PROTOCOL` and others.
    """

    model_config = SettingsConfigDict(
        env_prefix="ARENA_", extra="ignore", frozen=True, populate_by_name=True
    )

    bootstrap_servers: str = Field(
        default=DEFAULT_BOOTSTRAP_SERVERS, validation_alias="KAFKA_BOOTSTRAP_SERVERS"
    )
    prefix: Prefix = ""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "pretty", "json"] = "auto"
    home: Path = Path(".arena")
    heartbeat_interval_s: float = Field(default=5.0, gt=0, le=SECONDS_MAX)
    stuck_s: float = Field(default=120.0, gt=0, le=SECONDS_MAX)
    idempotence: bool = True
    fetch_wait_ms: int = Field(default=500, ge=1, le=5_000)
    checkpoint_events: int = Field(default=50_000, ge=1)
    plugins: str = ""
    access: KafkaAccess = Field(default_factory=KafkaAccess)

    @property
    def checkpoints(self) -> Path:
        """The folder of this arena's checkpoints; no other prefix has it."""
        return self.home / "checkpoints" / (self.prefix or MARK)

    def override(self, **changes: object) -> "Settings":
        """A copy with the given fields changed; `None` leaves a field as it is.

        Raises:
            UsageError: The prefix is none that an arena may have.
        """
        if isinstance(prefix := changes.get("prefix"), str):
            check_prefix(prefix)
        return self.model_copy(update={k: v for k, v in changes.items() if v is not None})
