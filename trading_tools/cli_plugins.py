"""`arena tools new` and `arena tools check`: write and check tools in plugin files."""

import json
import keyword
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from arena.atomic_files import write_atomic
from arena.errors import EXIT_NO, UsageError
from arena.options import AsJson
from arena.plugin_options import FolderFlag, folder_to_write
from arena.plugins import read_plugin
from arena.settings import Settings
from arena.visible_text import visible_line

TEXT = '''\
"""A tool of this folder: models read the function's type hints and docstring.

    arena tools check {path}
    arena tools call {name} '{{"values": ["101.5", "99"]}}' --plugins {folder}

Name it in the `tools` of a strategy, and start the arena with --plugins {folder}.
"""

from decimal import Decimal

from trading_tools import tool


@tool
def {name}(values: list[Decimal], days: int = 1) -> str:
    """Compute the mean of values, and how far the last one is above it.

    Args:
        values: Prices or volumes, oldest first.
        days: How many days they span.
    """
    if not values or days < 1:
        return "Give at least one value, and days of 1 or more."
    mean = sum(values) / len(values)
    return f"mean {{mean:.8g}} over {{days}} d, last is {{values[-1] - mean:+.8g}}"


# With a parameter `ctx` a tool gets the caller and the time; models never see it.
#
# from trading_tools import ToolContext
#
# @tool
# def {name}_for(ctx: ToolContext, values: list[Decimal]) -> str:
#     """Compute the mean of values, and name the caller."""
#     return f"{{ctx.agent}} at {{ctx.now:%H:%M}}: {{sum(values) / len(values)}}"
#
# A `MarketContext` has the closed minutes up to the agent's snapshot, too.
#
# from trading_tools import MarketContext
#
# @tool
# def {name}_of(ctx: MarketContext, product_id: str, minutes: int = 20) -> float:
#     """Compute the mean of the last closes."""
#     closes = [bar.close for bar in ctx.candles.minutes(product_id)[-minutes:]]
#     return sum(closes) / len(closes)
'''


def new(
    name: Annotated[str, typer.Argument(help="Name of the tool, such as mean_price.")],
    plugins: FolderFlag = None,
) -> None:
    """Write a small working tool into the plugin folder.

    Example: arena tools new mean_price --plugins plugins
    """
    from trading_tools.registry import load_catalogue
    from trading_tools.schema import NAME_PATTERN

    if not re.fullmatch(NAME_PATTERN, name) or keyword.iskeyword(name) or name.startswith("_"):
        raise UsageError(
            f"tool name {name!r} is not the name of a Python function",
            remedy="write letters, digits and _, such as mean_price",
        )
    if name in load_catalogue():
        raise UsageError(f"{name!r} is a built-in tool", remedy="choose another name")
    folder = folder_to_write(plugins, Settings())
    path = folder / f"{name}.py"
    if path.exists():
        raise UsageError(f"{path} exists", remedy="choose another name, or edit that file")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(path, TEXT.format(name=name, path=path, folder=folder))
    print(f"wrote {path}\n  check it:  arena tools check {path}")
    print(f"  use it:    name {name} in the tools of a strategy, and start with --plugins {folder}")


def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files or folders.")],
    as_json: AsJson = False,
) -> None:
    """Load tool files, and show what each one offers or what is wrong.

    Example: arena tools check plugins/mean_price.py
    """
    from arena.plugin_code import PluginFault
    from arena.plugins import plugin_paths
    from trading_tools.plugin_tools import tools_in
    from trading_tools.registry import load_catalogue

    paths = [p for f in files for p in (plugin_paths(f) if f.is_dir() else [f])]
    read = [one for path in paths for one in read_plugin(path) if one.kind == "tools"]
    if not read:
        names = ", ".join(map(str, files))
        raise UsageError(f"no tool file in {names}", remedy="name .py files with @tool functions")
    taken = dict.fromkeys(load_catalogue(), "a built-in tool")
    document: list[dict[str, object]] = []
    for file in read:
        for found in tools_in(Path(file.path)):
            if not isinstance(found, PluginFault) and (other := taken.get(found.name)):
                text = f"tool {found.name!r} has the name of {other}; rename the function"
                found = PluginFault(file.path, None, text)
            if isinstance(found, PluginFault):
                document.append({"file": file.path, "line": found.line, "error": found.error})
                continue
            taken[found.name] = f"that of {file.path}"
            document.append(
                {
                    "file": file.path,
                    "sha256": file.sha256,
                    "tool": found.name,
                    "description": found.signature.description,
                    "parameters": found.signature.parameters,
                    "undescribed": found.signature.undescribed,
                    "takes_ctx": bool(found.signature.context),
                }
            )
    print(json.dumps(document, indent=2) if as_json else "\n".join(map(_lines, document)))
    if any("error" in one for one in document):
        sys.exit(EXIT_NO)


def _lines(one: dict[str, object]) -> str:
    """The result of a check as text."""
    if "error" in one:
        place = one["file"] if one["line"] is None else f"{one['file']}, line {one['line']}"
        return visible_line(f"wrong  {place}: {one['error']}")
    parameters = one["parameters"]
    assert isinstance(parameters, dict), "a schema is an object"
    takes = ", ".join(
        f"{name}{'' if name in parameters['required'] else '?'}: {_type(schema)}"
        for name, schema in parameters["properties"].items()
    )
    lines = [f"ok     {one['tool']}({takes})", f"       {one['description']}"]
    lines.append(f"       {one['file']}, SHA-256 {one['sha256']}")
    undescribed = one["undescribed"]
    if isinstance(undescribed, list) and undescribed:
        names = ", ".join(f"`{name}`" for name in undescribed)
        lines.append(f"       {names} has no description for models: write a line under `Args:`")
    return "\n".join(map(visible_line, lines))


def _type(schema: object) -> str:
    """A parameter's type in one word."""
    if not isinstance(schema, dict):
        return "any"
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    found = schema.get("type") or [_type(one) for one in schema.get("anyOf", ())] or "object"
    return " | ".join(dict.fromkeys(found)) if isinstance(found, list) else str(found)
