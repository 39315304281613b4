"""Loads specifications with plugins for `arena up`, `arena compete run` and `arena demo`.

--plugins, ARENA_PLUGINS or `[plugins]` of an ARENA.toml name the folders. Code that a file names
runs only with --allow-plugins, because the file may be a stranger's. The command itself imports no
plugin: `arena tools list` checks the tools in its own process.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from arena.baselines import strategy_key
from arena.errors import ArenaError, UsageError
from arena.output import print_note
from arena.plugin_options import FLAG, PluginChoice, plugins_of
from arena.plugins import PluginFile, Plugins, find_plugins, read_plugin
from arena.settings import Settings
from arena.strategy_files import describe_in, is_file_name, shipped_strategies
from arena.toml_files import parse_toml
from arena.unknown_names import listed
from operations.commands.env_setup import load_env_beside
from operations.commands.gate_check import gate_faults
from operations.commands.supervised_run import LAUNCHER, process_environment
from operations.specs.arena_spec import ArenaSpec, parse_spec
from operations.specs.environment_defaults import environment_notes, with_environment_defaults
from operations.specs.errors import line_of
from operations.specs.risk import share_notes
from operations.supervisor.plan import secret_variables

ALLOW = "--allow-plugins"
CHECK_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class LoadedSpec:
    """A specification that is ready for a run.

    Attributes:
        spec: The specification with the values of variables. text: The text of its file.
        folder: The folder to which its paths are relative.
        plugins: The plugins that may be loaded. files: The files of plugins that will be loaded.
    """

    spec: ArenaSpec
    text: str
    folder: Path
    plugins: Plugins
    files: tuple[PluginFile, ...]


def load_spec_for_run(text: str, path: Path, folder: Path, choice: PluginChoice) -> LoadedSpec:
    """Return an ARENA.toml with its `.env`, the values of variables, and plugins.

    Args:
        text: The text of the file.
        path: The file's path, for errors.
        folder: The folder to which its paths are relative, and of its `.env`.
        choice: The plugin flags.

    Raises:
        UsageError: A value is invalid, or a plugin is not allowed.
    """
    load_env_beside(path, folder.resolve())
    plugins = _plugins(text, path, folder, choice)
    describe = describe_in(folder, plugins.strategy_paths)
    spec = parse_spec(text, path=str(path), describe=describe)
    _check_strategies(spec, plugins, path, folder, allow=choice.allow)
    own_limits = (agent.risk for agent in spec.agents)
    for note in (*environment_notes(spec, os.environ), *share_notes(spec.risk, own_limits)):
        print_note(note)
    spec = with_environment_defaults(spec, os.environ)
    return LoadedSpec(spec, text, folder, plugins, plugin_files(spec, plugins, folder))


def load_built_in_spec(text: str, folder: Path, plugins: Plugins) -> LoadedSpec:
    """Return a specification that the arena generates, such as the demo's, with plugins."""
    describe = describe_in(folder, plugins.strategy_paths)
    spec = parse_spec(text, path="the demo", describe=describe)
    return LoadedSpec(spec, text, folder, plugins, plugin_files(spec, plugins, folder))


def _plugins(text: str, path: Path, folder: Path, choice: PluginChoice) -> Plugins:
    """Return the plugins of the flag or the environment, and those that the file names."""
    found = plugins_of(choice.folders, Settings())
    named = named_folders(text, str(path))
    if not named:
        return found
    if not choice.allow:
        line = line_of(text, ("plugins", "folders"))
        position = f"{path}, line {line}" if line else str(path)
        raise UsageError(
            f"{position}: [plugins] names {listed(named)}, and its code would run here",
            remedy=f"read the code, then add {ALLOW}; or remove [plugins]",
        )
    inside = [folder.resolve() / name for name in named]
    return find_plugins([*found.folders, *inside], named_by=f"{path}, [plugins] or {FLAG}")


def named_folders(text: str, path: str) -> tuple[str, ...]:
    """The folders that `[plugins]` of an ARENA.toml names; empty if the table is invalid."""
    table = parse_toml(text, path).get("plugins")
    folders = table.get("folders") if isinstance(table, dict) else None
    known = isinstance(folders, list) and all(isinstance(one, str) for one in folders)
    return tuple(folders) if known and folders else ()


def _check_strategies(
    spec: ArenaSpec, plugins: Plugins, path: Path, folder: Path, *, allow: bool
) -> None:
    """Require that every strategy exists, may run if it is code, and agrees with its gates."""
    for agent in spec.agents:
        name = agent.strategy
        if not is_file_name(name):
            if strategy_key(name) not in shipped_strategies() and plugins.strategy(name) is None:
                known = listed([*sorted(shipped_strategies()), *plugins.names])
                raise UsageError(
                    f"{path}: agent {agent.name}: strategy {name!r} is not known",
                    remedy=f"choose from {known}, or give the path of a .toml, .md, .txt or .py "
                    "file",
                )
        elif not (folder / name).is_file():
            raise UsageError(
                f"{path}: agent {agent.name}: the strategy file {name} does not exist",
                remedy=f"paths are relative to {folder}",
            )
        elif name.endswith(".py") and not allow:
            raise UsageError(
                f"{path}: agent {agent.name} plays {name}, and its code would run here",
                remedy=f"read the code, then add {ALLOW}; .toml, .md and .txt files need no flag",
            )
    if faults := gate_faults(spec, folder, plugins):
        raise UsageError(f"{path}: {faults[0]}")


def plugin_files(spec: ArenaSpec, plugins: Plugins, folder: Path) -> tuple[PluginFile, ...]:
    """The files outside the source tree that a run loads: tools, and strategies of its agents."""
    found = list(plugins.tools)
    for name in dict.fromkeys(agent.strategy for agent in spec.agents):
        path = folder / name if is_file_name(name) else plugins.strategy(name)
        if path is not None:
            found += [one for one in read_plugin(path) if one.kind == "strategy"]
    return tuple(found)


def print_plugin_files(files: tuple[PluginFile, ...]) -> None:
    """Print each file with its hash, before any of its code runs."""
    for one in files:
        what = "tools" if one.kind == "tools" else f"strategy {one.name}"
        print(f" Plugin: {what}, {one.path}\n   SHA-256 {one.sha256}")


def check_plugins(loaded: LoadedSpec, settings: Settings) -> None:
    """Print the files that will be loaded; test-load the tools in their own process.

    Args:
        loaded: The specification of the run.
        settings: The settings of the arena.

    Raises:
        UsageError: A tool has the name of another tool.
        ArenaError: The check does not end.
    """
    print_plugin_files(loaded.files)
    plugins, secrets = loaded.plugins, secret_variables(loaded.spec)
    if not plugins.tools:
        return
    command = [*LAUNCHER, "tools", "list", "--json"]
    for folder in plugins.folders:
        command += [FLAG, str(folder)]
    environ: Mapping[str, str] = {k: v for k, v in os.environ.items() if k not in secrets}
    try:
        ended = subprocess.run(
            command,
            env={**environ, **process_environment(settings)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CHECK_DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        names = listed(file.label for file in plugins.tools)
        raise ArenaError(
            f"plugins did not load within {CHECK_DEADLINE_S:.0f} s: {names}",
            remedy="`arena tools check FILE` shows which one blocks",
        ) from None
    errors = ended.stderr.strip().splitlines()
    if ended.returncode:
        error = errors[-1].removeprefix("arena: ") if errors else "the tools cannot be listed"
        what, _, remedy = error.partition("; ")
        raise UsageError(what, remedy=remedy)
    for line in errors:
        if line.startswith("note: "):
            print_note(line.removeprefix("note: "))
    names_of_tools = [tool["name"] for tool in json.loads(ended.stdout) if tool["source"]]
    print(f" Tools of plugins: {listed(names_of_tools)}.")
