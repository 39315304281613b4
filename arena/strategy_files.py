"""What a strategy's file says of its name and kind, without running it.

Reads `.toml` and `.py` files. The arena imports no room, and a specification is checked before
anything starts, so a `.py` file is parsed and not executed: only a name and a kind that are
written as plain text are found. The router loads the file and has the last word.
"""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from arena.baselines import BASELINES, strategy_key
from arena.bounded_files import read_text_file
from arena.errors import UsageError
from arena.toml_files import parse_toml

FILE_BYTES_MAX = 1_000_000
SUFFIXES = (".toml", ".py")


class Described(NamedTuple):
    """A strategy as its file describes it.

    Attributes:
        name: As in the standings. kind: "agent" or "baseline".
    """

    name: str
    kind: str


Describe = Callable[[str], Described | None]
"""From a strategy as an ARENA.toml writes it to what it is; None if that is not known."""


def describe_shipped(strategy: str) -> Described | None:
    """A shipped strategy; None for a file."""
    if strategy.endswith(SUFFIXES):
        return None
    name = strategy_key(strategy)
    return Described(name, "baseline" if name in BASELINES else "agent")


def describe_in(folder: Path) -> Describe:
    """Describe shipped strategies, and files relative to a folder."""

    def describe(strategy: str) -> Described | None:
        return describe_shipped(strategy) or _read(folder / strategy)

    return describe


def _read(path: Path) -> Described | None:
    try:
        text = read_text_file(path, FILE_BYTES_MAX)
        found = parse_toml(text, str(path)) if path.suffix == ".toml" else _keywords(text)
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError, UsageError):
        return None
    name, kind = found.get("name"), found.get("kind", "agent")
    return Described(name, kind) if isinstance(name, str) and isinstance(kind, str) else None


def _keywords(source: str) -> dict[str, object]:
    """The plain arguments of the `Strategy(...)` that a module calls STRATEGY."""
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="STRATEGY")], value=ast.Call() as call):
                pass
            case ast.AnnAssign(target=ast.Name(id="STRATEGY"), value=ast.Call() as call):
                pass
            case _:
                continue
        plain = [(k.arg, k.value.value) for k in call.keywords if isinstance(k.value, ast.Constant)]
        return {name: value for name, value in plain if name is not None}
    return {}
