"""`arena strategies list|new|check`: list strategies, write a new one, check files."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from arena.atomic_files import write_atomic
from arena.baselines import has_rules
from arena.errors import EXIT_NO, UsageError
from arena.gate_settings import gates_text
from arena.ids import check_name
from arena.messages import SINGLE
from arena.options import AsJson
from arena.plugin_options import FolderFlag, folder_to_write, plugins_of
from arena.plugins import plugin_paths, read_plugin
from arena.settings import Settings
from arena.strategy_files import SUFFIXES, shipped_strategies
from arena.visible_text import visible_line
from routers.strategy import Strategy, load_shipped, load_strategy, shipped_names

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

EXAMPLE_STRATEGY = """\
+++
# What the agent may call, and how often it decides: 1 is every snapshot. It may also wait for
# every = "25s" of market time, or on_move_pct = 0.5; calls_per_hour_max = 60 bounds its calls.
# With "set_exit" among the tools its orders can have a stop, a take-profit and other exits.
tools = ["execute_trade", "get_portfolio", "calculator"]
cadence = 1
# What its prompts show besides tickers and candles: "context" is news, sentiment and token facts,
# "indicators" are RSI, ATR and others.
shows = []
+++
You buy only after a fall of two percent within an hour, a tenth of your cash at a time.

- You sell a position when it is up by more than twice the cost of buying and selling it.
- You hold at most two products. A market that goes sideways is not yours: holding is a decision.
"""


@app.command("list")
def list_strategies(plugins: FolderFlag = None, as_json: AsJson = False) -> None:
    """List the strategies that agents can use by name, with their sources.

    Example: arena strategies list --json
    """
    found = plugins_of(plugins, Settings())
    strategies = [load_shipped(name) for name in shipped_names()]
    faults = []
    for name in found.names:
        try:
            strategies.append(load_strategy(name, found))
        except UsageError as error:
            faults.append(str(error))
    if as_json:
        print(json.dumps([_document(one) for one in strategies], indent=2))
    else:
        print("\n".join(map(_line, strategies)))
    for fault in faults:
        print(visible_line(f"note: left out: {fault}"), file=sys.stderr)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the strategy, such as patient.")],
    plugins: FolderFlag = None,
) -> None:
    """Write a working example strategy into the plugin folder.

    Example: arena strategies new patient --plugins plugins
    """
    check_name("strategy", name)
    if name.replace("-", "_") in shipped_strategies():
        raise UsageError(f"{name!r} is a built-in strategy", remedy="choose another name")
    folder = folder_to_write(plugins, Settings())
    candidates = [folder / f"{name}{suffix}" for suffix in SUFFIXES]
    if existing := next((path for path in candidates if path.exists()), None):
        raise UsageError(f"{existing} exists", remedy="choose another name, or edit that file")
    path = folder / f"{name}.md"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(path, EXAMPLE_STRATEGY)
    print(f"wrote {path}\n  check it:  arena strategies check {path}")
    print(f'  use it:    strategy = "{name}" in an ARENA.toml, and --plugins {folder};')
    print(f"             or arena router --name {name} --chat-node-name NODE --strategy {path}")


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files or folders.")],
    as_json: AsJson = False,
) -> None:
    """Load strategy files, and show what each one is or what is wrong.

    Example: arena strategies check plugins/patient.md
    """
    document: list[dict[str, object]] = []
    for path in files:
        if path.is_dir():
            inside = [p for p in plugin_paths(path) if read_plugin(p)[-1].kind == "strategy"]
            document += [_check_file(one) for one in inside]
        else:
            document.append(_check_file(path))
    if not document:
        names = ", ".join(map(str, files))
        raise UsageError(
            f"no strategy file in {names}", remedy=f"name a {', '.join(SUFFIXES)} file"
        )
    if as_json:
        shown = [{k: v for k, v in one.items() if k != "line"} for one in document]
        print(json.dumps(shown, indent=2))
    else:
        for one in document:
            text = f"wrong  {one['error']}" if "error" in one else f"ok     {one['line']}"
            print("\n".join(map(visible_line, text.splitlines())))
    if any("error" in one for one in document):
        sys.exit(EXIT_NO)


def _check_file(path: Path) -> dict[str, object]:
    if not path.name.endswith(SUFFIXES):
        raise UsageError(f"{path} is not a strategy", remedy=f"name a {', '.join(SUFFIXES)} file")
    if not path.exists():
        raise UsageError(f"no file {path}", remedy="`arena strategies new NAME` writes one")
    try:
        found = load_strategy(str(path))
    except UsageError as error:
        return {"file": str(path), "error": str(error)}
    return {"file": str(path), **_document(found), "line": _line(found)}


def _document(one: Strategy) -> dict[str, object]:
    return {
        "name": one.name,
        "kind": one.kind,
        **({} if one.turn_kind == SINGLE else {"turn_kind": one.turn_kind}),
        "tools": list(one.tools),
        "shows": list(one.shows),
        "cadence": one.cadence,
        "gates": gates_text(one.gates),
        "prompt_sha256": one.prompt_sha256,
        "prompt_bytes": len(one.prompt.encode()),
        "scripted_rules": has_rules(one.name),
        "source": one.source,
        "source_sha256": one.source_sha256,
    }


def _line(one: Strategy) -> str:
    """A strategy as a line of text."""
    every = "every snapshot" if one.cadence == 1 else f"one snapshot in {one.cadence}"
    every += "" if one.gates is None else f", gates: {gates_text(one.gates)}"
    rules = ", also scripted rules" if has_rules(one.name) else ""
    kind = one.kind if one.turn_kind == SINGLE else f"{one.kind}, turns of kind {one.turn_kind}"
    source = f"\n              {one.source}, SHA-256 {one.source_sha256}" if one.source else ""
    tools = ", ".join(one.tools) or "no tools"
    tools += f"; shows {' and '.join(one.shows)}" if one.shows else ""
    return f"{one.name:<13} {kind}, {every}{rules}; {tools}{source}"
