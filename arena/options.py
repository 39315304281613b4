"""Options that several commands have, with one help text each."""

from typing import Annotated

import typer

Servers = Annotated[
    str | None,
    typer.Option(
        "--bootstrap-servers",
        help="Kafka, host:port. [KAFKA_BOOTSTRAP_SERVERS, else the newest run's]",
    ),
]
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
