"""Loads the tools of plugin folders besides those of the catalogue. Runs the folders' files.

A plugin's tool touches no account: it runs in the tool server, never in the executor.
"""

import inspect
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from arena.errors import UsageError
from arena.plugin_code import LoadedPlugin, PluginFault, run_file
from arena.plugins import Plugins
from trading_tools.registry import (
    MARK,
    Catalogue,
    Tool,
    ToolFunction,
    line_of,
    read_catalogue,
    tool_of,
)

NO_TOOL = "it has no tool; write @tool above a function (from trading_tools import tool)"


def load_tools(plugins: Plugins) -> Catalogue:
    """Load the tools of the catalogue and of plugins, and list the faults of their files.

    Raises:
        UsageError: A tool of a plugin has the name of another tool.
    """
    built_in = read_catalogue()
    tools = dict(built_in.tools)
    faults = list(built_in.faults)
    for file in plugins.tools:
        for found in tools_in(Path(file.path)):
            if isinstance(found, PluginFault):
                faults.append(found)
                continue
            if (other := tools.get(found.name)) is not None:
                whose = f"that of {other.source}" if other.source else "a built-in tool"
                raise UsageError(
                    f"plugin {file.path}: tool {found.name!r} has the name of {whose}",
                    remedy="rename the function",
                )
            tools[found.name] = found
    return Catalogue(dict(sorted(tools.items())), tuple(faults))


def tools_in(path: Path) -> Iterator[Tool | PluginFault]:
    """The tools of one file, and the faults of the file and its functions."""
    loaded = run_file(path)
    if isinstance(loaded, PluginFault):
        yield loaded
        return
    marked = list(_marked(loaded))
    if not marked and not hasattr(loaded.module, "STRATEGY"):
        yield PluginFault(str(path), None, NO_TOOL)
    for function in marked:
        try:
            yield _plugin_tool(function, loaded)
        except UsageError as error:
            yield PluginFault(str(path), line_of(function), str(error))


def _marked(loaded: LoadedPlugin) -> Iterator[ToolFunction]:
    """The functions marked with `@tool` that the file itself defines."""
    seen: set[int] = set()
    for value in vars(loaded.module).values():
        own = getattr(value, "__module__", "") == loaded.module.__name__
        own = own and callable(value) and not inspect.isclass(value)
        if own and hasattr(value, MARK) and id(value) not in seen:
            seen.add(id(value))
            yield value


def _plugin_tool(function: ToolFunction, loaded: LoadedPlugin) -> Tool:
    if getattr(function, MARK):
        raise UsageError(
            f"tool {function.__name__} touches accounts, which a plugin's tool cannot",
            remedy="write @tool alone; execute_trade and get_portfolio are there for the account",
        )
    return replace(tool_of(function), source=loaded.label, source_sha256=loaded.sha256)
