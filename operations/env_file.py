"""Reads the `.env` file of a folder; it never replaces a variable that is set.

The file is beside the ARENA.toml or in the current folder; a specification cannot name another.
`arena.environment` lists the variables that it may set. Values are never shown.
"""

import io
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from arena.bounded_files import read_text_file
from arena.environment import may_set
from arena.errors import UsageError

FILE_NAME = ".env"
BYTES_MAX = 64 << 10
VALUE_CHARS_MAX = 16 << 10


class EnvFile(NamedTuple):
    """The variables of a `.env`.

    Attributes:
        new: Variables to set. unchanged: Names that are set already.
        ignored: Names that such a file may not set.
    """

    new: dict[str, str]
    unchanged: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def read_env_file(
    folder: Path, environ: Mapping[str, str], named: Collection[str] = (), *, keys: bool = False
) -> EnvFile | None:
    """Read the `.env` of a folder; None if there is no such file.

    Args:
        folder: The folder of the file.
        environ: The variables that are set already.
        named: Variables that the ARENA.toml names.
        keys: True if the process may use any model key.

    Raises:
        UsageError: The file cannot be read, or a line of it is not NAME=VALUE.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    try:
        text = read_text_file(path, BYTES_MAX)
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", remedy="make it readable, or remove it"
        ) from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8", remedy="save it as UTF-8") from None
    found = parse_env(text, str(path))
    usable = {name: value for name, value in found.items() if value}
    allowed = {n: v for n, v in usable.items() if may_set(n, named, keys=keys)}
    return EnvFile(
        {name: value for name, value in allowed.items() if name not in environ},
        tuple(name for name in allowed if name in environ),
        tuple(name for name in usable if name not in allowed),
    )


def parse_env(text: str, path: str) -> dict[str, str]:
    """Parse the text of a `.env` by the rules of python-dotenv, without `${...}`.

    Raises:
        UsageError: A line is not NAME=VALUE. The error has its number, not its text, which may be a
            secret.
    """
    from dotenv.parser import parse_stream

    found: dict[str, str] = {}
    for entry in parse_stream(io.StringIO(text)):
        skipped = len(entry.original.string) - len(entry.original.string.lstrip())
        line = entry.original.line + entry.original.string[:skipped].count("\n")
        if entry.error or (entry.key is not None and entry.value is None):
            raise UsageError(
                f"{path}, line {line} is not NAME=VALUE",
                remedy="write one variable per line; put a value with # or quotes in single quotes",
            )
        if entry.key is None or entry.value is None:
            continue
        if "\0" in entry.value or len(entry.value) > VALUE_CHARS_MAX:
            raise UsageError(
                f"{path}, line {line}: the value of {entry.key} is too long or has a NUL character",
                remedy=f"shorten it to {VALUE_CHARS_MAX:,} characters of text",
            )
        found[entry.key] = entry.value
    return found
