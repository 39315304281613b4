"""The `.env` file of a folder: read if it is there, and never over a variable that is set.

Only the file of that name, beside the ARENA.toml or in the current folder; a specification cannot
name one. Which variables it may set is in `arena.environment`. Values are never shown.
"""

import io
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from arena.bounded_files import read_text_file
from arena.environment import may_set
from arena.errors import UsageError

NAME = ".env"
BYTES_MAX = 64 << 10
VALUE_CHARS_MAX = 16 << 10


class EnvFile(NamedTuple):
    """What a `.env` comes to.

    Attributes:
        taken: Variables to set. kept: names that are set already and stay as they are.
        left: Names that such a file does not set.
    """

    taken: dict[str, str]
    kept: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def read_env_file(
    folder: Path, environ: Mapping[str, str], named: Collection[str] = (), *, keys: bool = False
) -> EnvFile | None:
    """The `.env` of a folder, or None if it has no such file.

    Args:
        folder: Where it may be.
        environ: What is set already.
        named: Variables that the ARENA.toml names.
        keys: True for a process that asks a model whose key nothing names.

    Raises:
        UsageError: It cannot be read, or a line of it is not NAME=VALUE.
    """
    path = folder / NAME
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
    taken = {n: v for n, v in usable.items() if may_set(n, named, keys=keys)}
    return EnvFile(
        {name: value for name, value in taken.items() if name not in environ},
        tuple(name for name in taken if name in environ),
        tuple(name for name in usable if name not in taken),
    )


def parse_env(text: str, path: str) -> dict[str, str]:
    """The variables in the text of a `.env`, by the rules of python-dotenv, without `${...}`.

    Raises:
        UsageError: A line is not NAME=VALUE; it is named by its number, because it may hold a
            secret.
    """
    from dotenv.parser import parse_stream

    found: dict[str, str] = {}
    for one in parse_stream(io.StringIO(text)):
        skipped = len(one.original.string) - len(one.original.string.lstrip())
        line = one.original.line + one.original.string[:skipped].count("\n")
        if one.error or (one.key is not None and one.value is None):
            raise UsageError(
                f"{path}, line {line} is not NAME=VALUE",
                remedy="write one variable a line; put a value with # or quotes in single quotes",
            )
        if one.key is None or one.value is None:
            continue
        if "\0" in one.value or len(one.value) > VALUE_CHARS_MAX:
            raise UsageError(
                f"{path}, line {line}: the value of {one.key} cannot be a variable",
                remedy=f"a value is text of at most {VALUE_CHARS_MAX:,} characters",
            )
        found[one.key] = one.value
    return found
