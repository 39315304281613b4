"""Prepares the environment of a command: its `.env` file, and other names of variables.

Changes the environment of this process, and so of its children. Processes of a supervisor get
their environment from it, without the keys of others, and read no file.
"""

import os
from collections.abc import Collection, MutableMapping
from pathlib import Path

from arena.alert_settings import RECEIVERS_VARIABLE
from arena.command_exit import SUPERVISED_VARIABLE
from arena.environment import HISTORY, KEY, KEY_ALIAS, SECRETS, named_variables
from arena.errors import UsageError
from arena.output import print_note
from arena.plural import counted
from arena.toml_files import read_toml
from arena.unknown_names import listed
from operations.env_file import FILE_NAME, read_env_file

READ_VARIABLE = "ARENA_ENV_READ"
"""Set after a command has read its `.env`: the commands that it starts do not read it again."""
KEY_COMMANDS = ("chat-node", "audit")
"""Commands without an ARENA.toml that use the keys of models."""


def load_env_here(command: str) -> None:
    """Read the `.env` of the current folder, for a command without an ARENA.toml.

    Raises:
        UsageError: The file or a variable cannot be used.
    """
    named = (RECEIVERS_VARIABLE,) if command == "alerts" else ()
    load_env(Path(), named, keys=command in KEY_COMMANDS)


def load_env_beside(path: Path, folder: Path | None = None) -> None:
    """Read the `.env` beside an ARENA.toml.

    Args:
        path: The ARENA.toml.
        folder: The folder to which its paths are relative, if it is not the file's own.

    Raises:
        UsageError: The file or a variable cannot be used.
    """
    try:
        named = frozenset(named_variables(read_toml(path)))
    except (ValueError, UsageError):
        named = frozenset()  # the reader of the specification reports the error
    load_env(folder or path.resolve().parent, named | SECRETS, note_ignored=True)


def load_env(
    folder: Path, named: Collection[str] = (), *, keys: bool = False, note_ignored: bool = False
) -> None:
    """Read the `.env` of a folder, once; then apply the other names of variables.

    Args:
        folder: The folder of the file.
        named: Variables that the ARENA.toml names.
        keys: True if the process may use any model key.
        note_ignored: Print which variables of the file are ignored.
    """
    if SUPERVISED_VARIABLE in os.environ:
        return
    if READ_VARIABLE not in os.environ:
        found = read_env_file(folder, os.environ, named, keys=keys)
        if found is not None:
            os.environ.update(found.new, **{READ_VARIABLE: "1"})
            path, count = folder / FILE_NAME, counted(len(found.new), "variable")
            if found.new:
                print_note(f"read {path}: {count}: {listed(found.new)}")
            if found.ignored and (note_ignored or keys):
                names = listed(found.ignored)
                print_note(f"{path}: {names} not read, because no setting has that name; export it")
    apply_aliases(os.environ)


def apply_aliases(environ: MutableMapping[str, str]) -> None:
    """Apply the key's other name, and check the minutes of history.

    Raises:
        UsageError: HISTORICAL_MINUTES is not a number of minutes, or too large.
    """
    if not environ.get(KEY, "").strip() and environ.get(KEY_ALIAS, "").strip():
        environ[KEY] = environ[KEY_ALIAS]
    if environ.get(HISTORY, "").strip():
        from operations.specs.environment_defaults import history_minutes

        history_minutes(environ)
