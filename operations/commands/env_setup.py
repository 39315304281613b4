"""Before a command begins: the `.env` file, and the names other arenas use for the same things.

Changes the environment of this process, and so of its children. Processes of a supervisor have
theirs already, without the keys of others, and read no file.
"""

import os
import re
from collections.abc import Collection, MutableMapping
from pathlib import Path

from arena.command_exit import SUPERVISED_VARIABLE
from arena.environment import HISTORY, KEY, KEY_ALIAS, MODEL_KEYS, named_variables
from arena.errors import UsageError
from arena.plural import counted
from arena.run_lookup import say
from arena.toml_files import read_toml
from arena.unknown_names import listed
from operations.env_file import NAME, read_env_file

READ_VARIABLE = "ARENA_ENV_READ"
"""Set once a command has looked for its `.env`: the commands that it starts do not look again."""
HISTORY_MINUTES = 299
"""Of candles, which a connector loads at its start; prompts show 4 h of them."""
KEY_COMMANDS = ("chat-node", "audit")
"""Commands without an ARENA.toml that use keys of models."""


def load_env_here(command: str) -> None:
    """For a command without an ARENA.toml: read the `.env` of the current folder.

    Raises:
        UsageError: The file or a variable cannot be used.
    """
    prepare(Path(), keys=command in KEY_COMMANDS)


def load_env_beside(path: Path, folder: Path | None = None) -> None:
    """For a command with an ARENA.toml: read the `.env` beside it.

    Args:
        path: The ARENA.toml.
        folder: What its paths are relative to, if that is another folder than its own.

    Raises:
        UsageError: The file or a variable cannot be used.
    """
    try:
        named = frozenset(named_variables(read_toml(path)))
    except (ValueError, UsageError):
        named = frozenset()  # the reader of the specification says what is wrong with it
    prepare(folder or path.resolve().parent, named | MODEL_KEYS, told=True)


def prepare(
    folder: Path, named: Collection[str] = (), *, keys: bool = False, told: bool = False
) -> None:
    """Read the `.env` of a folder, once; then take other names of variables.

    Args:
        folder: Where the file may be.
        named: Variables that the ARENA.toml names.
        keys: True for a process that asks a model whose key nothing names.
        told: Say also which variables of the file are not taken.
    """
    if SUPERVISED_VARIABLE in os.environ:
        return
    if READ_VARIABLE not in os.environ:
        found = read_env_file(folder, os.environ, named, keys=keys)
        if found is not None:
            os.environ.update(found.taken, **{READ_VARIABLE: "1"})
            place = folder / NAME
            if found.taken:
                say(f"read {place}: {counted(len(found.taken), 'variable')}: {listed(found.taken)}")
            if found.left and (told or keys):
                say(f"left {listed(found.left)} of {place} out: not of this arena; export them")
    apply_aliases(os.environ)


def apply_aliases(environ: MutableMapping[str, str]) -> None:
    """Take a key by its other name, and look at the minutes of history.

    Raises:
        UsageError: HISTORICAL_MINUTES is not a number of minutes.
    """
    if not environ.get(KEY, "").strip() and environ.get(KEY_ALIAS, "").strip():
        environ[KEY] = environ[KEY_ALIAS]
    if minutes := environ.get(HISTORY, "").strip():
        if not re.fullmatch(r"[0-9]{1,6}", minutes) or int(minutes) < 1:
            raise UsageError(
                f"{HISTORY} is {minutes[:40]!r}", remedy="set whole minutes, such as 60"
            )
        if int(minutes) > HISTORY_MINUTES:
            say(f"{HISTORY} is {minutes}: {HISTORY_MINUTES} minutes are loaded, prompts show 240")
