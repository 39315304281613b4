"""Defines and loads strategies.

A strategy is a prompt, the tools it may use and how often it decides. The shipped ones are the
modules of `routers/strategies`. A user's own is a `.toml`, `.md`, `.txt` or `.py` file, given by
its path, or by its name if it is in a plugin folder. Reads those files, runs `.py` files, writes
nothing.
"""

import hashlib
import pkgutil
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from arena.error_causes import error_message
from arena.errors import UsageError
from arena.gate_settings import KEYS, GateFault, gates_of
from arena.ids import check_name
from arena.messages import SINGLE, Gates, Sampling
from arena.plugin_code import PluginFault, run_file
from arena.plugins import NO_PLUGINS, Plugins, label_of, read_plugin_bytes
from arena.strategy_files import is_file_name, strategy_tables
from arena.unknown_names import listed
from arena.visible_text import one_line
from routers.prompt_text import SHOWN_PARTS

PACKAGE = "routers.strategies"
KINDS_PACKAGE = "routers.kinds"
PROMPT_BYTES_MAX = 20_000
TOOLS_MAX = 32
CADENCE_MAX = 10_000
FAULT_CHARS_MAX = 300


@dataclass(frozen=True, slots=True)
class Strategy:
    """How an agent trades.

    Attributes:
        name: Its name in the standings; letters, digits, '-' and '_'.
        prompt: The system prompt; `routers.prompt.render_system` adds the rules all agents share.
        tools: Names of the tools that the agent may use.
        cadence: Every how many snapshots it decides.
        kind: "agent" competes, "baseline" is for comparison.
        turn_kind: How a turn proceeds: the name of a module in `routers/kinds`.
        sampling: Settings for the model; None fields leave the provider's default.
        prompt_version: Increased by the author with every change of the prompt.
        shows: Parts of the snapshot that its prompts show besides tickers and candles:
            "indicators", "context" (news, sentiment and token facts).
        source: Folder and name of the file it was read from; "" for a shipped strategy.
        source_sha256: SHA-256 of that file.
        every, on_move_pct, quiet_max, calls_per_hour_max, calls_per_day_max, decisions_max,
            wake_on: What holds the agent back from decisions, as in `arena.gate_settings`; None
            and () are off.
    """

    name: str
    prompt: str
    tools: tuple[str, ...] = ()
    cadence: int = 1
    kind: Literal["agent", "baseline"] = "agent"
    sampling: Sampling = field(default_factory=Sampling)
    prompt_version: int = 1
    source: str = ""
    source_sha256: str = ""
    turn_kind: str = SINGLE
    shows: tuple[str, ...] = ()
    every: str | None = None
    on_move_pct: float | None = None
    quiet_max: str | None = None
    calls_per_hour_max: int | None = None
    calls_per_day_max: int | None = None
    decisions_max: int | None = None
    wake_on: tuple[str, ...] = ()

    @property
    def gate_settings(self) -> dict[str, Any]:
        """The settings of its gates by key, for `arena.gate_settings.gates_of`."""
        return {key: getattr(self, key) for key in KEYS}

    @property
    def gates(self) -> Gates | None:
        """Its gates, or None if they are off.

        Raises:
            GateFault: A setting cannot be used.
        """
        return gates_of(self.gate_settings)

    @property
    def prompt_sha256(self) -> str:
        """Hash of the prompt's text."""
        return hashlib.sha256(self.prompt.encode()).hexdigest()


def shipped_names() -> tuple[str, ...]:
    """Names of the strategies in `routers/strategies`, sorted."""
    return _module_names(PACKAGE)


def turn_kinds() -> tuple[str, ...]:
    """Names of the kinds of turns in `routers/kinds`, sorted."""
    return _module_names(KINDS_PACKAGE)


def _fault_of_kind(name: str) -> str:
    """Why the module of a kind cannot be used, or ""; better now than in an agent's first turn."""
    try:
        module = import_module(f"{KINDS_PACKAGE}.{name}")
    except Exception as error:  # Whatever its code does.
        return one_line(f"{type(error).__name__}: {error}", FAULT_CHARS_MAX)
    return "" if callable(getattr(module, "create_turn", None)) else "it has no create_turn"


def _module_names(package: str) -> tuple[str, ...]:
    found = (module.name for module in pkgutil.iter_modules(import_module(package).__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


def load_strategy(name_or_path: str, plugins: Plugins = NO_PLUGINS) -> Strategy:
    """Load a strategy: a shipped one or a plugin's by name, or a file by path.

    Args:
        name_or_path: "momentum", "buy-and-hold", or a path that ends in `.toml`, `.md`, `.txt` or
            `.py`.
        plugins: Plugin strategies by name.

    Raises:
        UsageError: It does not exist, or cannot be used; the message says what to change.
    """
    if is_file_name(name_or_path):
        return _from_file(Path(name_or_path))
    if (path := plugins.strategy(name_or_path)) is not None:
        return _from_file(path)
    if name_or_path.replace("-", "_") not in shipped_names():
        known = listed([*shipped_names(), *plugins.names])
        raise UsageError(
            f"there is no strategy {name_or_path!r}",
            remedy=f"choose one of {known}, or give the path of a .toml, .md, .txt or .py file",
        )
    return load_shipped(name_or_path)


def load_shipped(name: str) -> Strategy:
    """Load a shipped strategy; never a file, whatever the name is.

    Raises:
        UsageError: No shipped strategy has this name.
    """
    module = name.replace("-", "_")
    if module not in shipped_names():
        raise UsageError(f"there is no shipped strategy {name!r}")
    return _check(import_module(f"{PACKAGE}.{module}").STRATEGY, name)


def _from_file(path: Path) -> Strategy:
    if path.suffix == ".py":
        return _check(_from_python(path), str(path))
    content = read_plugin_bytes(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: {error_message(error)}", remedy="save it as UTF-8") from None
    found = _from_tables(path, text)
    digest = hashlib.sha256(content).hexdigest()
    return _check(replace(found, source=label_of(path), source_sha256=digest), str(path))


def _from_tables(path: Path, text: str) -> Strategy:
    table = strategy_tables(path, text)
    known = {f.name for f in fields(Strategy)} - {"source", "source_sha256"}
    if unknown := sorted(set(table) - known):
        raise UsageError(
            f"{path}: unknown key {', '.join(unknown)}",
            remedy=f"a strategy has the keys {', '.join(sorted(known))}",
        )
    if missing := sorted({"name", "prompt"} - set(table)):
        raise UsageError(f"{path} lacks {' and '.join(missing)}")
    sampling = table.pop("sampling", {})
    tools = table.pop("tools", [])
    if not isinstance(tools, list):
        raise UsageError(f'{path}: tools is {tools!r}; write a list such as ["execute_trade"]')
    shows = table.pop("shows", [])
    if not isinstance(shows, list):
        raise UsageError(f'{path}: shows is {shows!r}; write a list such as ["context"]')
    table |= {"tools": tuple(tools), "shows": tuple(shows)}
    try:
        return Strategy(**table, sampling=Sampling.model_validate(sampling))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(["sampling", *map(str, first["loc"])])
        raise UsageError(f"{path}: {place}: {first['msg']}") from None


def _from_python(path: Path) -> Strategy:
    loaded = run_file(path)
    if isinstance(loaded, PluginFault):
        raise UsageError(f"{loaded.path} cannot be loaded: {_place(loaded)}{loaded.error}")
    found = getattr(loaded.module, "STRATEGY", None)
    if not isinstance(found, Strategy):
        raise UsageError(
            f"{path} has no STRATEGY",
            remedy="set STRATEGY = Strategy(name=..., prompt=..., tools=(...)) at its top level",
        )
    return replace(found, source=loaded.label, source_sha256=loaded.sha256)


def _place(fault: PluginFault) -> str:
    return "" if fault.line is None else f"line {fault.line}: "


def _fault_of_shows(shows: object) -> str:
    """What is wrong with the parts that a strategy shows, or ""."""
    known = f"write a list of {listed(SHOWN_PARTS)}, each once"
    if not isinstance(shows, tuple) or not all(part in SHOWN_PARTS for part in shows):
        return f"shows is {shows!r}; {known}"
    return f"shows is {shows!r}; {known}" if len(set(shows)) != len(shows) else ""


def _gate_fault(strategy: Strategy) -> str:
    """Why the settings of its gates cannot be used, or ""."""
    try:
        gates_of(strategy.gate_settings)
    except GateFault as fault:
        return str(fault)
    return ""


def _check(strategy: Strategy, source: str) -> Strategy:
    """Return the strategy after checking every field."""
    wrong = ""
    if not isinstance(strategy.name, str):
        wrong = f"name is {strategy.name!r}; write a string"
    elif not isinstance(strategy.prompt, str) or not strategy.prompt.strip():
        wrong = "prompt is empty; say how the agent trades"
    elif (size := len(strategy.prompt.encode())) > PROMPT_BYTES_MAX:
        wrong = f"prompt has {size:,} bytes; at most {PROMPT_BYTES_MAX:,}"
    elif len(strategy.tools) > TOOLS_MAX or not all(isinstance(t, str) for t in strategy.tools):
        wrong = f"tools is {strategy.tools!r}; write at most {TOOLS_MAX} names"
    elif type(strategy.cadence) is not int or not 1 <= strategy.cadence <= CADENCE_MAX:
        wrong = f"cadence is {strategy.cadence!r}; write a whole number from 1 to {CADENCE_MAX:,}"
    elif wrong_shows := _fault_of_shows(strategy.shows):
        wrong = wrong_shows
    elif strategy.kind not in ("agent", "baseline"):
        wrong = f"kind is {strategy.kind!r}; write agent or baseline"
    elif strategy.turn_kind not in turn_kinds():
        wrong = f"turn_kind is {strategy.turn_kind!r}; write {listed(turn_kinds())}"
    elif strategy.turn_kind != SINGLE and (fault := _fault_of_kind(strategy.turn_kind)):
        wrong = f"turn_kind {strategy.turn_kind!r} cannot be used: {fault}"
    elif type(strategy.prompt_version) is not int or strategy.prompt_version < 1:
        wrong = f"prompt_version is {strategy.prompt_version!r}; write a whole number from 1"
    else:
        wrong = _gate_fault(strategy)
    if wrong:
        raise UsageError(f"strategy {source}: {wrong}")
    check_name("strategy", strategy.name)
    return strategy
