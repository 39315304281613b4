"""`arena connector context`: its flags and help."""

from pathlib import Path
from typing import Annotated

import typer

from arena.errors import UsageError
from arena.options import LogLevel, Prefix, Run, Servers
from arena.output import print_note
from arena.prefix import prefix_text
from arena.run_lookup import running_settings

FILES_MAX = 1_000
CONTEXT_EXAMPLE = "Example: arena connector context --file examples/context.jsonl"

ContextFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--context",
        metavar="FILE",
        help="File of dated news and facts, published before the first snapshot; repeatable.",
    ),
]


def context(
    files: Annotated[
        list[Path] | None,
        typer.Option("--file", metavar="FILE", help="File to publish; repeatable."),
    ] = None,
    watch: Annotated[
        Path | None,
        typer.Option("--watch", metavar="DIR", help="Follow the .jsonl files of a folder."),
    ] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of a line; needs no broker.")
    ] = False,
    bootstrap_servers: Servers = None,
    prefix: Prefix = None,
    run_name: Run = None,
    log_level: LogLevel = None,
) -> None:
    """Publish dated news, sentiment and token facts, one JSON object per line.

    With --file it publishes the files and exits with the counts; with --watch it follows a folder.
    Items that were published before are not published again. A line that cannot be used becomes a
    dead letter, and the command ends with exit code 1. docs/context.md describes the lines.
    """
    if schema:
        from arena.context.schema import schema_text

        print(schema_text())
        return
    if not files and watch is None:
        raise UsageError("nothing to publish", remedy="give --file FILE or --watch DIR")
    if len(files or ()) > FILES_MAX:
        raise UsageError(f"{len(files or ()):,} files", remedy=f"give at most {FILES_MAX:,}")
    from arena.node import run_node
    from connectors.market.context.service import ContextOptions, require_folder
    from connectors.process import serve

    if watch is not None:
        require_folder(watch)
    settings = running_settings(bootstrap_servers, prefix, run_name, principal="connector")
    settings = settings.override(log_level=log_level)
    at = f"{settings.bootstrap_servers}, {prefix_text(settings.prefix)}"
    print_note(f"publishing to the arena at {at}")
    name = "files" if watch is None else "watch"
    run_node("context", name, settings, serve, ContextOptions(tuple(files or ()), watch))
