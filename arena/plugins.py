"""Tools and strategies in folders outside the source tree: found and hashed here, never run.

A plugin folder holds `.py` files with `@tool` functions, and strategies: `.toml`, `.md`, `.txt`, or
`.py` with a STRATEGY. Names that begin with `_` or `.` and the usual papers (README, LICENSE) are
skipped. Reads those files; `arena.plugin_code` runs the `.py` ones, in the processes that need
them: the tool server and the routers. The executor, the audit and the reports run none.
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
        path: Where it is on this machine. label: folder and file name, for topics.
        sha256: Of its bytes.
        kind: "tools" if it is run by the tool server, "strategy" if it is played by agents.
        name: Of the strategy, as its file says it; "" for tools.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    label: str
    sha256: str
    kind: Literal["tools", "strategy"]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Plugins:
    """What the plugin folders hold.

    Attributes:
        folders: Absolute, in the order in which they were named.
        tools: Files that the tool server loads. strategies: files that agents can play.
    """

    folders: tuple[Path, ...] = ()
    tools: tuple[PluginFile, ...] = ()
    strategies: tuple[PluginFile, ...] = ()
    _by_key: Mapping[str, PluginFile] = field(default_factory=dict)

    def strategy(self, name: str) -> Path | None:
        """The file of a strategy by its name, or None if no folder has it."""
        found = self._by_key.get(strategy_key(name))
        return None if found is None else Path(found.path)

    @property
    def strategy_paths(self) -> dict[str, Path]:
        """Key of a strategy's name (`strategy_key`) -> its file."""
        return {key: Path(file.path) for key, file in self._by_key.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the strategies, sorted."""
        return tuple(sorted(file.name for file in self.strategies))


NO_PLUGINS = Plugins()


def split_folders(text: str) -> tuple[Path, ...]:
    """The folders in a text such as ARENA_PLUGINS: separated as PATH is on this machine."""
    return tuple(Path(part) for part in text.split(os.pathsep) if part.strip())


def find_plugins(folders: Iterable[Path], *, named_by: str = VARIABLE) -> Plugins:
    """The plugin files in folders; none of them is run.

    Args:
        folders: Relative ones are relative to the current folder; "~" is the user's home.
        named_by: What names the folders, for errors: "--plugins", or "ARENA_PLUGINS".

    Raises:
        UsageError: A folder does not exist, holds too many files, or two strategies of the same
            name, or one of a built-in's name.
    """
    found = list(dict.fromkeys(_folder(folder, named_by) for folder in folders))
    if len(found) > FOLDERS_MAX:
        raise UsageError(f"{named_by} names {len(found)} folders", remedy=f"at most {FOLDERS_MAX}")
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
        UsageError: It holds too many files, or cannot be read.
    """
    try:
        inside = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))
    except OSError as error:
        raise UsageError(f"plugin folder {folder}: {error.strerror}") from None
    paths = [p for p in inside if p.is_file() and not p.name.startswith(("_", "."))]
    paths = [path for path in paths if path.stem.lower() not in PAPERS]
    if len(paths) > FILES_MAX:
        raise UsageError(
            f"plugin folder {folder} holds {len(paths)} files", remedy=f"at most {FILES_MAX}"
        )
    return paths


def read_plugin(path: Path) -> tuple[PluginFile, ...]:
    """What a file is to the arena: tools, a strategy, or both.

    A `.py` file without a STRATEGY is one of tools, also if it cannot be parsed: the process that
    loads it says what is wrong with it.

    Raises:
        UsageError: It cannot be read.
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
    """The bytes of a plugin file.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        return read_regular(path, FILE_BYTES_MAX)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def label_of(path: Path) -> str:
    """A file as topics name it: its folder and its name, and nothing of the machine's paths."""
    return f"{path.resolve().parent.name}/{path.name}"


def has_tools(source: str) -> bool:
    """True if a module's text has a function under `@tool`; it is parsed, not run."""
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
            remedy="name a folder that holds tools or strategies; `arena tools new NAME` makes one",
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
            f"plugins {other.path} and {one.path} hold two strategies called {one.name!r}",
            remedy="rename one of them",
        )
    found[key] = one
