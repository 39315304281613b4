"""`arena compete new`: a commented specification to start from."""

from pathlib import Path
from typing import Annotated

import typer

from arena.atomic_files import write_atomic, write_new
from arena.errors import UsageError
from operations.commands.compete_spec import competition_toml
from operations.commands.supervised_run import arena_command


def compete_new(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="File to write.")] = Path(
        "competition.toml"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a commented specification of a contest that runs as it is.

    Example: arena compete new my-contest.toml
    """
    text = competition_toml(path=str(path))
    try:
        if force:
            write_atomic(path, text)
        else:
            write_new(path, text.encode())
    except FileExistsError:
        raise UsageError(f"{path} exists", remedy="choose another file, or add --force") from None
    print(f"wrote {path}; run it:  {arena_command()} compete run {path}")
