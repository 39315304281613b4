"""Reads the fields of a strategy from its file, such as its name and kind, without running it.

Reads `.toml`, `.md`, `.txt` and `.py` files. A specification is checked before anything starts, so
a `.py` file is parsed and not executed: only fields that are literals are found. The
router loads the file and decides.

A `.md` or `.txt` file is a prompt, and its name is the strategy's name. It may start with fields of
a strategy, as TOML between two lines of `+++`:

    +++
    tools = ["execute_trade", "get_portfolio"]
    cadence = 3
    +++
    You buy only after a fall of two percent within an hour.
"""

import ast
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from arena.baselines import BASELINES, strategy_key
from arena.bounded_files import read_text_file
from arena.errors import UsageError
from arena.toml_files import Tables, parse_toml

FILE_BYTES_MAX = 1_000_000
PROMPT_SUFFIXES = (".md", ".txt")
SUFFIXES = (".toml", ".py", *PROMPT_SUFFIXES)
"""Suffixes of strategy files."""
FENCE = "+++"
PROMPT_TOOLS = ("execute_trade", "get_portfolio", "calculator")
"""Tools of an agent whose prompt file names none."""


class StrategyInfo(NamedTuple):
    """Name and kind of a strategy.

    Attributes:
        name: Name in the standings.
        kind: "agent" or "baseline".
    """

    name: str
    kind: str


DescribeStrategy = Callable[[str], StrategyInfo | None]
"""Looks up a strategy as an ARENA.toml names it; None if it is unknown."""


def is_file_name(strategy: str) -> bool:
    """True if a strategy is given as a file, not as a name."""
    return strategy.endswith(SUFFIXES)


@cache
def shipped_strategies() -> frozenset[str]:
    """Keys of the strategies in `routers/strategies`, from its file names; none is loaded."""
    folder = Path(__file__).resolve().parents[1] / "routers" / "strategies"
    return frozenset(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def describe_shipped(strategy: str) -> StrategyInfo | None:
    """Describe a shipped strategy; None for a file."""
    if is_file_name(strategy):
        return None
    name = strategy_key(strategy)
    return StrategyInfo(name, "baseline" if name in BASELINES else "agent")


def describe_in(folder: Path, plugins: Mapping[str, Path] | None = None) -> DescribeStrategy:
    """Describe shipped strategies, those of plugins, and files relative to a folder.

    Args:
        folder: Folder of the ARENA.toml.
        plugins: Key of a strategy's name -> its file.
    """
    own = plugins or {}

    def describe(strategy: str) -> StrategyInfo | None:
        if not is_file_name(strategy) and (path := own.get(strategy_key(strategy))) is not None:
            return describe_file(path)
        return describe_shipped(strategy) or describe_file(folder / strategy)

    return describe


def describe_file(path: Path) -> StrategyInfo | None:
    """Describe a strategy's file; None if it cannot be read, or name and kind are not literals."""
    found = fields_of_file(path)
    name, kind = found.get("name"), found.get("kind", "agent")
    return StrategyInfo(name, kind) if isinstance(name, str) and isinstance(kind, str) else None


def fields_of_file(path: Path) -> Mapping[str, object]:
    """The fields of a strategy's file, those of a `.py` file if they are literals.

    Returns:
        Field -> value; empty if the file cannot be read.
    """
    try:
        text = read_text_file(path, FILE_BYTES_MAX)
        if path.suffix == ".py":
            return python_strategy(text) or {}
        return strategy_tables(path, text)
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError, UsageError):
        return {}


def strategy_tables(path: Path, text: str) -> Tables:
    """Parse the fields of a strategy in a `.toml`, `.md` or `.txt` file.

    Args:
        path: The file; the name of a prompt file is the strategy's name.
        text: Its content.

    Raises:
        UsageError: The file, or the part between the `+++` lines, is not TOML.
    """
    if path.suffix not in PROMPT_SUFFIXES:
        return parse_toml(text, str(path))
    fields, prompt = _split_fields(path, text)
    found = parse_toml(fields, str(path))
    if "prompt" in found:
        raise UsageError(
            f"{path}: the fields between {FENCE} and {FENCE} have a prompt",
            remedy=f"write the prompt after the second {FENCE}",
        )
    return {"name": path.stem, "tools": [*PROMPT_TOOLS], **found, "prompt": prompt}


def _split_fields(path: Path, text: str) -> tuple[str, str]:
    """Split a prompt file into the TOML at its start and the prompt."""
    lines = text.splitlines(keepends=True)
    first = lines[0].strip() if lines else ""
    if first == "---":
        raise UsageError(
            f"{path} starts with ---", remedy=f"write its fields as TOML between two lines {FENCE}"
        )
    if first != FENCE:
        return "", text
    end = next((n for n, line in enumerate(lines) if n and line.strip() == FENCE), None)
    if end is None:
        raise UsageError(f"{path}: the fields after {FENCE} have no end", remedy=f"add {FENCE}")
    # The fields keep their line numbers, so that errors name the line of the file.
    return "\n" + "".join(lines[1:end]), "".join(lines[end + 1 :]).lstrip("\r\n")


def python_strategy(source: str) -> dict[str, object] | None:
    """The literal arguments of the `Strategy(...)` that a module assigns to STRATEGY.

    Returns:
        None if the module has no STRATEGY, or is not Python.
    """
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in body:
        match node:
            case ast.Assign(targets=[ast.Name(id="STRATEGY")], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id="STRATEGY"), value=value):
                pass
            case _:
                continue
        keywords = value.keywords if isinstance(value, ast.Call) else []
        plain = [(k.arg, k.value.value) for k in keywords if isinstance(k.value, ast.Constant)]
        return {name: value for name, value in plain if name is not None}
    return None
