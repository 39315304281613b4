"""Turns the planned processes of a contest into members of one loop.

Each member is what its command would have run: the command itself parses its flags and prepares
its options. Starts nothing; reads what the commands read (strategies, price files).
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Final

import typer

from arena.process_kinds import (
    ALERTS,
    COMMANDS,
    CONNECTOR,
    DASHBOARD,
    JUDGE,
    LEDGER,
    TRIALS,
    WEB,
    command_of,
)
from arena.taken_commands import take_work
from operations.one_process import Member
from operations.processes.child import ProcessSpec

LEFT_OUT: Final = frozenset(kind.name for kind in (ALERTS, DASHBOARD, TRIALS, WEB))
"""Kinds that a backtest has no use for: they show or try things while an arena runs."""
OPTIONAL: Final = frozenset(kind.name for kind in (JUDGE, LEDGER))
"""Kinds that no decision depends on, unless the judge coaches."""


def members_of(processes: Sequence[ProcessSpec], *, left_out: frozenset[str]) -> list[Member]:
    """The members of a run, the connector first: the run ends with it.

    Args:
        processes: The planned processes, without a launcher before their commands.
        left_out: Names of kinds that are not run.

    Raises:
        ArenaError: A command refuses its flags or files.
    """
    members = [_member(process) for process in processes if process.kind not in left_out]
    return sorted(members, key=lambda member: member.kind != CONNECTOR.name)


def _member(process: ProcessSpec) -> Member:
    words = list(process.argv)
    command = command_of(words)
    main = _command(command)
    rest = words[len(command.split()) :]
    with _environment(process.environ, process.without):
        work = take_work(lambda: main(rest))
    return Member(process.kind, work.name, work.options)


def _command(name: str) -> Callable[[list[str]], object]:
    """The command with a name, to be called with the words after it."""
    module, _, attribute = COMMANDS[name].entry.partition(":")
    entry = getattr(import_module(module), attribute)
    app = entry
    if not isinstance(entry, typer.Typer):
        app = typer.Typer()
        app.command()(entry)
    command = typer.main.get_command(app)
    return lambda words: command.main(words, prog_name=f"arena {name}", standalone_mode=False)


@contextmanager
def _environment(added: Mapping[str, str], without: frozenset[str]) -> Iterator[None]:
    """Within the block, the environment of a process that the supervisor would start."""
    before = dict(os.environ)
    try:
        for name in without:
            os.environ.pop(name, None)
        os.environ.update(added)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
