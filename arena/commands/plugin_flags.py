"""The flags that name plugin folders, and what they come to."""

from pathlib import Path
from typing import Annotated

import typer

from arena.plugins import VARIABLE, Plugins, find_plugins, split_folders
from arena.settings import Settings

FLAG = "--plugins"

FolderFlag = Annotated[
    list[Path] | None,
    typer.Option(
        FLAG,
        metavar="FOLDER",
        help=f"Also load the tools and strategies of FOLDER; repeatable. [{VARIABLE}]",
        show_default=False,
    ),
]
AllowFlag = Annotated[
    bool,
    typer.Option(
        "--allow-plugins",
        help="Run the code that the file names: folders of [plugins], strategies in .py files.",
    ),
]


def plugins_of(flag: list[Path] | None, settings: Settings) -> Plugins:
    """The plugins of the flag's folders, else of the environment's; none of them is run.

    Raises:
        UsageError: A folder cannot be used.
    """
    if flag:
        return find_plugins(flag, said_by=FLAG)
    return find_plugins(split_folders(settings.plugins))
