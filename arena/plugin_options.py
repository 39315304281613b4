"""The flags that name plugin folders, and what they come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from arena.errors import UsageError
from arena.plugins import VARIABLE, Plugins, find_plugins, split_folders
from arena.settings import Settings

FLAG = "--plugins"
DEFAULT_FOLDER = Path("plugins")

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


@dataclass(frozen=True, slots=True)
class PluginChoice:
    """What the flags of a run say of code from outside the source tree.

    Attributes:
        folders: Of --plugins. allow: True if the code that the ARENA.toml names may run.
    """

    folders: tuple[Path, ...] = ()
    allow: bool = False


NO_CHOICE = PluginChoice()


def plugin_choice(flag: list[Path] | None, *, allow: bool) -> PluginChoice:
    """The flags as one value."""
    return PluginChoice(tuple(flag or ()), allow)


def plugins_of(flag: Sequence[Path] | None, settings: Settings) -> Plugins:
    """The plugins of the flag's folders, else of the environment's; none of them is run.

    Raises:
        UsageError: A folder cannot be used.
    """
    if flag:
        return find_plugins(flag, named_by=FLAG)
    return find_plugins(split_folders(settings.plugins))


def folder_to_write(flag: Sequence[Path] | None, settings: Settings) -> Path:
    """The folder of a new plugin: the flag's, else the environment's first, else `plugins`.

    Raises:
        UsageError: The flag names several.
    """
    if flag and len(flag) > 1:
        raise UsageError(f"{FLAG} is given twice", remedy="name the one folder to write to")
    return (flag or split_folders(settings.plugins) or [DEFAULT_FOLDER])[0].expanduser()
