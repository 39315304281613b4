"""`arena compete new`: a commented specification to start from."""

from pathlib import Path
from typing import Annotated

import typer

from arena.commands.compete_spec import competition_toml
from arena.commands.session import typed
from arena.errors import UsageError


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
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists", remedy="name another file, or add --force") from None
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}", remedy="name a file in a folder that exists"
        ) from None
    print(f"{path} is written; run it: {typed()} compete run {path}")
