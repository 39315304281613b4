"""Options of commands that print the records of a topic."""

from typing import Annotated

import typer

From = Annotated[
    str,
    typer.Option(
        "--from", help="Where to start: earliest, latest, an offset, '20 ago' or '10m ago'."
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Stop after N records.", metavar="N")]
Follow = Annotated[
    bool | None,
    typer.Option(
        "--follow/--no-follow",
        "-f",
        help="Wait for new records at the end. [on with --from latest]",
        show_default=False,
    ),
]
