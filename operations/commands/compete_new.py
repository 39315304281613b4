"""`arena compete new`: a commented specification to start from."""

from pathlib import Path
from typing import Annotated

import typer

from arena.atomic_files import write_atomic, write_new
from arena.errors import UsageError
from operations.commands.compete_spec import competition_toml
from operations.commands.supervised_run import arena_command


def new(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="What to write.")] = Path(
        "competition.toml"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Write a commented specification of a contest; it runs as it is.

    Example: arena compete new my-contest.toml
    """
    text = competition_toml(path=str(path))
    try:
        if force:
            write_atomic(path, text)
        else:
            write_new(path, text.encode())
    except FileExistsError:
        raise UsageError(f"{path} exists", remedy="name another file, or add --force") from None
    print(f"{path} is written; run it: {arena_command()} compete run {path}")
