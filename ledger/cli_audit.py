"""`arena audit`: flags and words. What is checked is in `ledger.audit`.

Exit codes: 0, 1 where something is wrong, 2 usage, 3 where the broker does not answer.
"""

import json
import os
import sys
from typing import Annotated

import typer

from arena.errors import EXIT_NO

SECRET_VARIABLES = (
    "OPENAI_API_KEY",
    "KAFKA_SASL_PASSWORD",
    "KAFKA_SSL_KEY_PASSWORD",
)
"""Variables whose values are searched for in every record, where they are set."""

audit_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Where = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN|DIR]",
        help="A run's name or directory, last~1, a folder of records, or a sealed bundle. "
        "[the newest run]",
    ),
]
Live = Annotated[bool, typer.Option("--live", help="Read the topics as they are now.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Servers = Annotated[
    str | None,
    typer.Option("--bootstrap-servers", help="For --live. [KAFKA_BOOTSTRAP_SERVERS, else the run]"),
]
Prefix = Annotated[
    str | None, typer.Option("--prefix", help="For --live. [ARENA_PREFIX, else the run's]")
]


@audit_app.command(epilog="Example: arena audit verify last")
def verify(
    where: Where = None,
    live: Live = False,
    secret_env: Annotated[
        list[str] | None,
        typer.Option(
            "--secret-env",
            metavar="NAME",
            help=f"A variable whose value no record may hold. [{', '.join(SECRET_VARIABLES)}]",
        ),
    ] = None,
    as_json: AsJson = False,
    servers: Servers = None,
    prefix: Prefix = None,
) -> None:
    """Check the invariants of the design on records, and say what was looked at and how much."""
    from arena.commands.progress import draw_progress
    from ledger.audit.sources import open_source
    from ledger.audit.verify import after_quiet, audit, lines

    names = (*SECRET_VARIABLES, *(secret_env or ()))
    secrets = {name: os.environ[name] for name in names if os.environ.get(name)}
    with (
        draw_progress() as progress,
        open_source(
            where, live=live, servers=servers, prefix=prefix, progress=after_quiet(progress)
        ) as source,
    ):
        found = audit(source, secrets=secrets, progress=progress)
    print(json.dumps(found.document(), indent=2) if as_json else "\n".join(lines(found)))
    if found.failed:
        sys.exit(EXIT_NO)
