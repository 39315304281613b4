"""Settings of every process, from environment variables; flags of a command override them."""

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
"""The longest time that a variable may set: a day."""

BOOTSTRAP_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"


class KafkaAccess(BaseSettings):
    """Authentication of a process at the brokers; secrets are not shown when this is printed.

    Attributes:
        security_protocol: Protocol of the brokers' listener. `KAFKA_SECURITY_PROTOCOL`.
        sasl_mechanism: Login mechanism. `KAFKA_SASL_MECHANISM`.
        sasl_username: User name of this process. `KAFKA_SASL_USERNAME`.
        sasl_password: Its password, or `sasl_password_file` for a file with the password.
            `KAFKA_SASL_PASSWORD`, `KAFKA_SASL_PASSWORD_FILE`.
        ssl_cafile: PEM file of the certificate authorities to trust; None for the system's.
            `KAFKA_SSL_CAFILE`.
        ssl_ca: The content of that file, as base64 on one line, which fits every kind of
            environment file. `KAFKA_SSL_CA`.
        ssl_certfile: PEM file of this process's certificate, with `ssl_keyfile` if its key is in
            another file. `KAFKA_SSL_CERTFILE`, `KAFKA_SSL_KEYFILE`.
        ssl_key_password: Password of that key, or `ssl_key_password_file` for a file with it.
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
        """Access settings from these variables, which override those of the process."""
        prefix = str(cls.model_config["env_prefix"])
        values = {key.removeprefix(prefix).lower(): value for key, value in environ.items()}
        return cls.model_validate(values)


class Settings(BaseSettings):
    """The settings that a process needs to join an arena.

    Attributes:
        bootstrap_servers: Kafka addresses, comma-separated. `KAFKA_BOOTSTRAP_SERVERS`.
        prefix: Prefix of all topics and groups, so that arenas can share a broker. `ARENA_PREFIX`.
        log_level: DEBUG, INFO, WARNING or ERROR. `ARENA_LOG_LEVEL`.
        log_format: "auto" is pretty on a terminal and JSON elsewhere. `ARENA_LOG_FORMAT`.
        home: Folder of local state: broker data, runs, logs. `ARENA_HOME`.
        candles_home: Home of the cache of candles; None for `home`. `ARENA_CANDLES_HOME`.
        heartbeat_interval_s: Seconds between a process's heartbeats. `ARENA_HEARTBEAT_INTERVAL_S`.
        stuck_s: Seconds after which a process ends if a reader does not receive records that are
            in the log. `ARENA_STUCK_S`.
        idempotence: False for brokers that refuse idempotent producers; a retry may then leave a
            duplicate in the account log, which the fold ignores. `ARENA_IDEMPOTENCE`.
        fetch_wait_ms: How long a broker may hold a fetch without records; Kafka answers at once
            when a record arrives, other brokers may not. `ARENA_FETCH_WAIT_MS`.
        checkpoint_events: Events of a shard between two checkpoints: the most that are folded
            again when an executor starts. `ARENA_CHECKPOINT_EVENTS`.
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
    candles_home: Path | None = None
    heartbeat_interval_s: float = Field(default=5.0, gt=0, le=SECONDS_MAX)
    stuck_s: float = Field(default=120.0, gt=0, le=SECONDS_MAX)
    idempotence: bool = True
    fetch_wait_ms: int = Field(default=500, ge=1, le=5_000)
    checkpoint_events: int = Field(default=50_000, ge=1)
    plugins: str = ""
    access: KafkaAccess = Field(default_factory=KafkaAccess)

    @property
    def cache_home(self) -> Path:
        """The home of the cache of candles; `home` if the variable is empty, too."""
        return self.home if self.candles_home in (None, Path()) else self.candles_home

    @property
    def checkpoints(self) -> Path:
        """The folder of this arena's checkpoints, unique to its prefix."""
        return self.home / "checkpoints" / (self.prefix or MARK)

    def override(self, **changes: object) -> "Settings":
        """A copy with the given fields changed; `None` keeps a field.

        Raises:
            UsageError: An arena cannot have this prefix.
        """
        if isinstance(prefix := changes.get("prefix"), str):
            check_prefix(prefix)
        return self.model_copy(update={k: v for k, v in changes.items() if v is not None})
