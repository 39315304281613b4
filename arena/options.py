"""Options that several commands have, with one help text each."""

from enum import StrEnum
from typing import Annotated

import typer

Servers = Annotated[
    str | None,
    typer.Option(
        "--bootstrap-servers",
        help="Kafka, host:port. [KAFKA_BOOTSTRAP_SERVERS, else the newest run's]",
    ),
]
ProcessServers = Annotated[
    str | None,
    typer.Option(
        "--bootstrap-servers",
        help="Kafka addresses. [KAFKA_BOOTSTRAP_SERVERS, else localhost:9092]",
    ),
]
"""For a process of the arena, which does not look for a run."""
Prefix = Annotated[
    str | None,
    typer.Option("--prefix", help="Topic prefix. [ARENA_PREFIX, else the newest run's]"),
]
Run = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="RUN",
        help="A run: its name or the beginning of it, its path, last or last~1. [the newest]",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


class LogLevelName(StrEnum):
    """The levels of `--log-level`."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


LogLevel = Annotated[
    LogLevelName | None,
    typer.Option("--log-level", case_sensitive=False, help="How much to log. [ARENA_LOG_LEVEL]"),
]
