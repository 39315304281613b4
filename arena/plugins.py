"""Finds and hashes plugins, tools and strategies in folders outside the source tree; runs none.

A plugin folder has `.py` files with `@tool` functions, and strategies: `.toml`, `.md`, `.txt`, or
`.py` with a STRATEGY. Names that start with `_` or `.` and documents (README, LICENSE) are skipped.
Reads those files; `arena.plugin_code` runs the `.py` files in the processes that need them: the
tool server and the routers. The executor, the audit and the reports run none.
"""

import ast
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from arena.baselines import strategy_key
from arena.bounded_files import read_regular
from arena.errors import UsageError
from arena.strategy_files import SUFFIXES, describe_file, python_strategy, shipped_strategies

FOLDERS_MAX = 20
FILES_MAX = 200
FILE_BYTES_MAX = 1_000_000
PAPERS = ("readme", "license", "licence", "changelog", "contributing", "requirements", "notice")
VARIABLE = "ARENA_PLUGINS"


class PluginFile(BaseModel):
    """A file of a plugin folder, as a run records it.

    Attributes:
        path: Path on this machine.
        label: Folder and file name, for topics.
        sha256: SHA-256 of the file.
        kind: "tools" if the tool server runs it, "strategy" if agents play it.
        name: Name of the strategy in the file; "" for tools.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    label: str
    sha256: str
    kind: Literal["tools", "strategy"]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Plugins:
    """The content of the plugin folders.

    Attributes:
        folders: Absolute paths, in the order in which they were given.
        tools: Files that the tool server loads.
        strategies: Files that agents can play.
    """

    folders: tuple[Path, ...] = ()
    tools: tuple[PluginFile, ...] = ()
    strategies: tuple[PluginFile, ...] = ()
    _by_key: Mapping[str, PluginFile] = field(default_factory=dict)

    def strategy(self, name: str) -> Path | None:
        """The file of a strategy by name, or None if no folder has it."""
        found = self._by_key.get(strategy_key(name))
        return None if found is None else Path(found.path)

    @property
    def strategy_paths(self) -> dict[str, Path]:
        """Key of a strategy's name (`strategy_key`) -> its file."""
        return {key: Path(file.path) for key, file in self._by_key.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the strategies, sorted."""
        return tuple(sorted(file.name for file in self.strategies))


NO_PLUGINS = Plugins()


def split_folders(text: str) -> tuple[Path, ...]:
    """Split a value such as ARENA_PLUGINS, which is separated like PATH."""
    return tuple(Path(part) for part in text.split(os.pathsep) if part.strip())


def find_plugins(folders: Iterable[Path], *, named_by: str = VARIABLE) -> Plugins:
    """Find the plugin files in folders; none is run.

    Args:
        folders: Folders; relative ones are relative to the current folder, "~" is the user's home.
        named_by: The option that names them, for errors: "--plugins", or "ARENA_PLUGINS".

    Raises:
        UsageError: A folder does not exist or has too many files, two strategies have the same
            name, or one has the name of a built-in strategy.
    """
    found = list(dict.fromkeys(_folder(folder, named_by) for folder in folders))
    if len(found) > FOLDERS_MAX:
        raise UsageError(
            f"{named_by} names {len(found)} folders", remedy=f"the limit is {FOLDERS_MAX}"
        )
    tools: list[PluginFile] = []
    strategies: dict[str, PluginFile] = {}
    for folder in found:
        for path in plugin_paths(folder):
            for one in read_plugin(path):
                if one.kind == "tools":
                    tools.append(one)
                else:
                    _add_strategy(strategies, one)
    return Plugins(tuple(found), tuple(tools), tuple(strategies.values()), strategies)


def plugin_paths(folder: Path) -> list[Path]:
    """The files of a plugin folder, sorted by name.

    Raises:
        UsageError: It has too many files, or cannot be read.
    """
    try:
        inside = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))
    except OSError as error:
        raise UsageError(f"plugin folder {folder}: {error.strerror}") from None
    paths = [p for p in inside if p.is_file() and not p.name.startswith(("_", "."))]
    paths = [path for path in paths if path.stem.lower() not in PAPERS]
    if len(paths) > FILES_MAX:
        raise UsageError(
            f"plugin folder {folder} has {len(paths)} files", remedy=f"the limit is {FILES_MAX}"
        )
    return paths


def read_plugin(path: Path) -> tuple[PluginFile, ...]:
    """Classify a file: tools, a strategy, or both.

    A `.py` file without a STRATEGY counts as tools, even if it cannot be parsed: the process that
    loads it reports the error.

    Raises:
        UsageError: The file cannot be read.
    """
    content = read_plugin_bytes(path)
    digest = sha256(content).hexdigest()
    path = path.resolve()
    label = label_of(path)
    described = describe_file(path)
    name = described.name if described else path.stem
    as_strategy = PluginFile(path=str(path), label=label, sha256=digest, kind="strategy", name=name)
    as_tools = PluginFile(path=str(path), label=label, sha256=digest, kind="tools")
    if path.suffix != ".py":
        return (as_strategy,)
    source = content.decode("utf-8", errors="replace")
    if python_strategy(source) is None:
        return (as_tools,)
    return (as_tools, as_strategy) if has_tools(source) else (as_strategy,)


def read_plugin_bytes(path: Path) -> bytes:
    """Read the bytes of a plugin file.

    Raises:
        UsageError: The file cannot be read.
    """
    try:
        return read_regular(path, FILE_BYTES_MAX)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def label_of(path: Path) -> str:
    """The name of a file in topics: its folder and file name, without the rest of the path."""
    return f"{path.resolve().parent.name}/{path.name}"


def has_tools(source: str) -> bool:
    """True if a module's source has a function with `@tool`; it is parsed, not run."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    functions = [n for n in body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return any(_is_tool_mark(mark) for each in functions for mark in each.decorator_list)


def _is_tool_mark(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr == "tool"
    return isinstance(node, ast.Name) and node.id == "tool"


def _folder(folder: Path, named_by: str) -> Path:
    found = folder.expanduser()
    if not found.is_dir():
        what = "is a file, not a folder" if found.exists() else "does not exist"
        raise UsageError(
            f"plugin folder {folder} ({named_by}) {what}",
            remedy="give a folder with tools or strategies; `arena tools new NAME` creates one",
        )
    return found.resolve()


def _add_strategy(found: dict[str, PluginFile], one: PluginFile) -> None:
    key = strategy_key(one.name)
    if key in shipped_strategies():
        raise UsageError(
            f"plugin {one.path}: strategy {one.name!r} has the name of a built-in strategy",
            remedy="give it another name",
        )
    if (other := found.get(key)) is not None:
        raise UsageError(
            f"plugins {other.path} and {one.path} both have a strategy named {one.name!r}",
            remedy="rename one of them",
        )
    found[key] = one
