"""What `arena up`, `arena compete run` and `arena demo` do about code from outside the source tree.

Folders are named by --plugins, by ARENA_PLUGINS, or by `[plugins]` of an ARENA.toml. What a file
names is run only with --allow-plugins: the file may be a stranger's. No plugin is imported in the
command itself: its tools are looked at by `arena tools list` in a process of their own.
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
from operations.commands.supervised_run import LAUNCHER, process_environment
from operations.specs.arena_spec import ArenaSpec, parse_spec
from operations.specs.environment_defaults import environment_notes, with_environment_defaults
from operations.specs.errors import line_of
from operations.supervisor.plan import secrets_of

ALLOW = "--allow-plugins"
CHECK_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class LoadedSpec:
    """What a run is started from.

    Attributes:
        spec: With what variables add to it. text: of its file. folder: its paths' base.
        plugins: That may be loaded. files: from outside the source tree, that will be.
    """

    spec: ArenaSpec
    text: str
    folder: Path
    plugins: Plugins
    files: tuple[PluginFile, ...]


def load_spec_for_run(text: str, path: Path, folder: Path, choice: PluginChoice) -> LoadedSpec:
    """An ARENA.toml with what its surroundings add to it: `.env`, variables, plugins.

    Args:
        text: Of the file.
        path: The file, for errors.
        folder: What its paths are relative to, and where its `.env` is.
        choice: What the flags say of plugins.

    Raises:
        UsageError: Something cannot be used, or is not allowed.
    """
    load_env_beside(path, folder.resolve())
    plugins = _plugins(text, path, folder, choice)
    describe = describe_in(folder, plugins.strategy_paths)
    spec = parse_spec(text, path=str(path), describe=describe)
    _check_strategies(spec, plugins, path, folder, allow=choice.allow)
    for words in environment_notes(spec, os.environ):
        print_note(words)
    spec = with_environment_defaults(spec, os.environ)
    return LoadedSpec(spec, text, folder, plugins, plugin_files(spec, plugins, folder))


def load_built_in_spec(text: str, folder: Path, plugins: Plugins) -> LoadedSpec:
    """An arena of the arena's own making, such as the demo, with plugins beside it."""
    describe = describe_in(folder, plugins.strategy_paths)
    spec = parse_spec(text, path="the demo", describe=describe)
    return LoadedSpec(spec, text, folder, plugins, plugin_files(spec, plugins, folder))


def _plugins(text: str, path: Path, folder: Path, choice: PluginChoice) -> Plugins:
    """The plugins of the flag or the environment, and those the file names."""
    outside = plugins_of(choice.folders, Settings())
    named = named_folders(text, str(path))
    if not named:
        return outside
    if not choice.allow:
        line = line_of(text, ("plugins", "folders"))
        place = f"{path}, line {line}" if line else str(path)
        raise UsageError(
            f"{place}: [plugins] names {listed(named)}, and the code in it would run here",
            remedy=f"read it, then add {ALLOW}; or leave [plugins] out",
        )
    inside = [folder.resolve() / name for name in named]
    return find_plugins([*outside.folders, *inside], named_by=f"{path}, [plugins] or {FLAG}")


def named_folders(text: str, path: str) -> tuple[str, ...]:
    """The folders that `[plugins]` of an ARENA.toml names; none if the table cannot be used."""
    table = parse_toml(text, path).get("plugins")
    folders = table.get("folders") if isinstance(table, dict) else None
    known = isinstance(folders, list) and all(isinstance(one, str) for one in folders)
    return tuple(folders) if known and folders else ()


def _check_strategies(
    spec: ArenaSpec, plugins: Plugins, path: Path, folder: Path, *, allow: bool
) -> None:
    """See that every strategy exists, and that code which the file names may run."""
    for agent in spec.agents:
        name = agent.strategy
        if not is_file_name(name):
            if strategy_key(name) not in shipped_strategies() and plugins.strategy(name) is None:
                known = listed([*sorted(shipped_strategies()), *plugins.names])
                raise UsageError(
                    f"{path}: agent {agent.name}: strategy {name!r} is not known",
                    remedy=f"take one of {known}, or the path of a .toml, .md, .txt or .py file",
                )
        elif not (folder / name).is_file():
            raise UsageError(
                f"{path}: agent {agent.name}: no strategy file {name}",
                remedy=f"paths are relative to {folder}",
            )
        elif name.endswith(".py") and not allow:
            raise UsageError(
                f"{path}: agent {agent.name} plays {name}, and a .py file is code that would run",
                remedy=f"read it, then add {ALLOW}; a .toml, .md or .txt file needs no flag",
            )


def plugin_files(spec: ArenaSpec, plugins: Plugins, folder: Path) -> tuple[PluginFile, ...]:
    """The files from outside the source tree that a run loads: tools, and strategies played."""
    found = list(plugins.tools)
    for name in dict.fromkeys(agent.strategy for agent in spec.agents):
        path = folder / name if is_file_name(name) else plugins.strategy(name)
        if path is not None:
            found += [one for one in read_plugin(path) if one.kind == "strategy"]
    return tuple(found)


def print_plugin_files(files: tuple[PluginFile, ...]) -> None:
    """Print each file with its hash, before anything of it runs."""
    for one in files:
        what = "tools" if one.kind == "tools" else f"strategy {one.name}"
        print(f" From outside: {what}, {one.path}\n   SHA-256 {one.sha256}")


def check_plugins(loaded: LoadedSpec, settings: Settings) -> None:
    """Say what will be loaded; load the tools once, in a process of their own, to see if it works.

    Args:
        loaded: What the run is started from.
        settings: Of the arena.

    Raises:
        UsageError: A tool has the name of another one.
        ArenaError: The check does not end.
    """
    print_plugin_files(loaded.files)
    plugins, secrets = loaded.plugins, secrets_of(loaded.spec)
    if not plugins.tools:
        return
    words = [*LAUNCHER, "tools", "list", "--json"]
    for folder in plugins.folders:
        words += [FLAG, str(folder)]
    environ: Mapping[str, str] = {k: v for k, v in os.environ.items() if k not in secrets}
    try:
        ended = subprocess.run(
            words,
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
            f"plugins were not loaded in {CHECK_DEADLINE_S:.0f} s: {names}",
            remedy="`arena tools check FILE` shows which one waits",
        ) from None
    errors = ended.stderr.strip().splitlines()
    if ended.returncode:
        said = errors[-1].removeprefix("arena: ") if errors else "the tools cannot be listed"
        what, _, remedy = said.partition("; ")
        raise UsageError(what, remedy=remedy)
    for line in errors:
        if line.startswith("note: "):
            print_note(line.removeprefix("note: "))
    own = [one["name"] for one in json.loads(ended.stdout) if one["source"]]
    print(f" Tools of plugins: {listed(own)}.")
