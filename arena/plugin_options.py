"""The command line options for plugins, and the plugins that they select."""

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
        help=f"Load tools and strategies from FOLDER as well; repeatable. [{VARIABLE}]",
        show_default=False,
    ),
]
AllowFlag = Annotated[
    bool,
    typer.Option(
        "--allow-plugins",
        help="Allow code that the ARENA.toml names: folders of [plugins], strategies in .py files.",
    ),
]


@dataclass(frozen=True, slots=True)
class PluginChoice:
    """The plugin options of a run.

    Attributes:
        folders: Folders of --plugins.
        allow: True if code that the ARENA.toml names may run.
    """

    folders: tuple[Path, ...] = ()
    allow: bool = False


NO_CHOICE = PluginChoice()


def plugin_choice(flag: list[Path] | None, *, allow: bool) -> PluginChoice:
    """Combine the options into one value."""
    return PluginChoice(tuple(flag or ()), allow)


def plugins_of(flag: Sequence[Path] | None, settings: Settings) -> Plugins:
    """Find plugins in the flag's folders, else in the environment's; none is run.

    Raises:
        UsageError: A folder cannot be used.
    """
    if flag:
        return find_plugins(flag, named_by=FLAG)
    return find_plugins(split_folders(settings.plugins))


def folder_to_write(flag: Sequence[Path] | None, settings: Settings) -> Path:
    """The folder for a new plugin: the flag's, else the environment's first, else `plugins`.

    Raises:
        UsageError: The flag names several folders.
    """
    if flag and len(flag) > 1:
        raise UsageError(f"{FLAG} is given twice", remedy="give the one folder to write to")
    return (flag or split_folders(settings.plugins) or [DEFAULT_FOLDER])[0].expanduser()
