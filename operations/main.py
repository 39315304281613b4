"""The composition root: `arena COMMAND`. It names the rooms as strings and loads only one of them.

So `arena --help` is fast, and a router never loads a chat client or a plotting library.
"""

import inspect
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

from arena import __version__
from arena.command_exit import run_command
from arena.process_kinds import COMMANDS as PROCESS_COMMANDS

if TYPE_CHECKING:
    import typer

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("operations.commands.demo:demo", "Run a whole arena here for about 90 seconds."),
    "up": ("operations.commands.up:up", "Run the processes of an ARENA.toml here."),
    "doctor": ("operations.commands.doctor:doctor", "Check this machine, keys and models."),
    "status": ("operations.commands.status:status", "Show the health of every process."),
    "process": (
        "operations.commands.process:app",
        "List, start, stop or restart supervised processes.",
    ),
    "runs": ("operations.commands.runs:app", "List, show or delete the runs of this home."),
    "halt": ("operations.commands.halt:halt", "Refuse new orders until resume."),
    "resume": ("operations.commands.halt:resume", "Take orders again after a halt."),
    "risk": ("trading_tools.cli_risk:app", "Show, set, lift and report limits of accounts."),
    "prompts": ("judge.prompts.cli:app", "Show and change the texts that agents play by."),
    "prompts optimise": (
        "operations.commands.prompts_optimise:prompts_optimise",
        "Search a better text on recorded decisions.",
    ),
    "prefer": ("judge.prompts.cli_owner:prefer", "State what an agent's owner prefers."),
    "feedback": ("judge.prompts.cli_owner:app", "Tell an agent, or the judge, something."),
    "repair": ("operations.commands.repair:repair", "Skip a record that stops the arena."),
    "tail": ("operations.commands.tail:tail", "Print a topic's messages, decoded."),
    "intents": ("operations.commands.intents:intents", "Print approved orders, each once."),
    "compete new": ("operations.commands.compete_new:compete_new", "Write a specification."),
    "compete run": ("operations.commands.compete:compete_run", "Run a contest and report it."),
    "compete report": ("judge.cli_report:report", "Write the report of a contest."),
    "compete verify": ("judge.cli_report:verify", "Recompute every figure of a report."),
    "compete compare": ("judge.cli_report:compare", "Compare two contests."),
    "backtest": ("operations.commands.backtest:backtest", "Run a contest in one process."),
    "backtest sweep": (
        "operations.commands.backtest_sweep:backtest_sweep",
        "Run a grid of settings and judge all of it.",
    ),
    "backtest lookahead": (
        "operations.commands.backtest_lookahead:backtest_lookahead",
        "Check that nothing in a backtest looks ahead.",
    ),
    "candles": ("operations.commands.candles:app", "Fetch, list, check and import candles."),
    "candles fetch": ("connectors.candles.cli:fetch", "Fetch candles of a venue into the cache."),
    "bench": ("operations.commands.bench:bench", "Measure turns per second, latency and memory."),
    "broker": ("operations.commands.broker:app", "Start, stop or show the local Kafka."),
    "topics": (
        "operations.commands.topics:app",
        "Create or show the topics and access rules.",
    ),
    **{name: (command.entry, command.help) for name, command in PROCESS_COMMANDS.items()},
    "strategies": ("routers.cli_strategies:app", "List, write and check strategies."),
    "verdict-check": ("judge.check:verdict_check", "Test the judge on seasons with a known truth."),
    "reconcile run": ("ledger.cli_reconcile:run", "Compare the log's fold, books and dashboard."),
    "router-replay": ("routers.cli_replay:router_replay", "Replay recorded turns."),
    "tools-replay": ("trading_tools.cli_replay:tools_replay", "Replay recorded orders."),
    "audit": ("ledger.cli_audit:audit_app", "Verify, trace, replay and seal the records."),
    "simulate": (
        "operations.simulation.cli:simulate",
        "Run an arena under seeded faults, many times.",
    ),
    "storm": ("operations.storm.cli:storm", "Run a whole arena under faults, and check it."),
}

GROUPS = {
    "compete": "Run a contest between agents, and judge it.",
    "reconcile": "Compare log, books and dashboard.",
}
"""First words of two-word commands such as `compete run`, with their help. A command of two words
whose first is itself a command, such as `prompts trial`, is listed among the commands of that."""

SPEC_COMMANDS = ("up", "doctor", "compete run", "backtest", "backtest sweep", "backtest lookahead")
OTHER_NAMES = ("LLM_API_KEY", "HISTORICAL_MINUTES")
"""Variables of other arenas that this one also reads (`arena.environment`)."""

EXAMPLE = "\n\nExample: "
"""The start of the last paragraph of a command's docstring, which ends its help."""


def main() -> None:
    """Run the command of `sys.argv`; every error is one line on stderr and an exit code."""
    run_command(_run)


def _run() -> int | None:
    app = _new_app()
    arguments = sys.argv[1:]
    first, command = " ".join(arguments[:1]), " ".join(arguments[:2])
    if command not in COMMANDS:
        command = first
    if command in COMMANDS:
        _load_env(command)
        _add(_group(app, command), command, *COMMANDS[command], load=True)
    elif command in GROUPS:
        group = _group(app, f"{command} ")
        for name in (n for n in COMMANDS if n.startswith(f"{command} ")):
            _add(group, name, *COMMANDS[name], load=False)
    else:
        for name, (path, text) in _top_commands().items():
            _add(app, name, path, text, load=False)
    code = _command(app)(prog_name="arena", standalone_mode=False)
    return code if isinstance(code, int) else None


def _load_env(command: str) -> None:
    """Read the `.env` of the current folder, and other names of variables, if there are any.

    Commands with an ARENA.toml read the file beside it later.
    """
    found = os.path.isfile(".env") or any(name in os.environ for name in OTHER_NAMES)
    if not found or command in SPEC_COMMANDS or {"-h", "--help"} & set(sys.argv):
        return
    from operations.commands.env_setup import load_env_here

    load_env_here(command)


def _command(app: "typer.Typer") -> "Callable[..., object]":
    """Return the command of an app; its help shows defaults and variables in one style."""
    import typer

    from operations.help_style import apply_help_style

    command = typer.main.get_command(app)
    apply_help_style(command)
    return command


def _top_commands() -> dict[str, tuple[str, str]]:
    """The commands that `arena --help` lists: a group instead of its commands."""
    found = {}
    for name, entry in COMMANDS.items():
        group = name.partition(" ")[0]
        if group == name or group in GROUPS:
            found[group] = ("", GROUPS[group]) if group in GROUPS else entry
    return found


def _group(app: "typer.Typer", name: str) -> "typer.Typer":
    """Return the app to which a command is added: a group, if the command has two words."""
    import typer

    first, space, _ = name.partition(" ")
    if not space:
        return app
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name=first, help=GROUPS.get(first) or COMMANDS[first][1])
    return group


def _new_app() -> "typer.Typer":
    import typer

    app = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="The first minute: arena demo",
    )

    @app.callback(invoke_without_command=True)
    def root(
        version: Annotated[
            bool, typer.Option("--version", help="Print the version.", is_eager=True)
        ] = False,
    ) -> None:
        """A contest between LLM trading agents on live crypto markets, over Apache Kafka."""
        if version:
            print(f"arena {__version__}")
            raise typer.Exit

    return app


def _add(app: "typer.Typer", name: str, path: str, text: str, *, load: bool) -> None:
    import typer

    found = _find(path) if load else _placeholder
    name = name.rpartition(" ")[2]
    if isinstance(found, typer.Typer):
        own = found.registered_callback.callback if found.registered_callback else None
        what = inspect.cleandoc(own.__doc__ or "").partition(EXAMPLE)[0] if own else ""
        app.add_typer(found, name=name, help=what or text)
        for other in (one for one in COMMANDS if one.startswith(f"{name} ")):
            _add(found, other, *COMMANDS[other], load=False)
    else:
        what, separator, example = inspect.cleandoc(found.__doc__ or "").rpartition(EXAMPLE)
        app.command(
            name,
            help=(what if separator else example) if load else text,
            epilog=f"Example: {example}" if separator else None,
        )(found)


def _find(path: str) -> "Callable[..., object] | typer.Typer":
    module, attribute = path.split(":")
    found: Callable[..., object] | typer.Typer = getattr(import_module(module), attribute)
    return found


def _placeholder() -> None:
    """List a command without loading its room."""
