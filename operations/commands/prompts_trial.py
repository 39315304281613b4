"""`arena prompts trial`: tries a text against the one that an agent plays by.

Runs a lock-step contest of three arms (`operations.trials.contest`), or, with --live, shadow agents
in the running arena (`operations.trials.live`). Reads the run's specification, its topic `prompts`,
and `market.snapshots` for the venue time. It changes no text in force: a person approves.

Exit codes: 0 promote, 1 keep or undecided, 2 wrong usage, others as of `arena compete run`.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from arena.errors import EXIT_NO, UsageError
from arena.options import AsJson, Run
from arena.run_lookup import find_arena
from operations.commands.prompts_trial_live import stop_live, try_live, watch_live
from operations.trials.begin import TrialAsked
from operations.trials.contest import try_in_contest

SNAPSHOTS = 120
REPEATS = 3
REPEATS_LIVE = 1
ROOM_OF_TEXTS = "judge.prompts.text_file"
EXCLUSIVE = (
    ("--live", "--stop"),
    ("--live", "--watch"),
    ("--live", "--prices"),
    ("--stop", "--watch"),
    ("--stop", "--prices"),
    ("--watch", "--prices"),
    ("FILE", "--stop"),
)
"""Words of the command that contradict each other."""


def prompts_trial(
    agent: Annotated[
        str | None, typer.Argument(help="Agent whose text is tried.", show_default=False)
    ] = None,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="The other text: a .md, .txt or .toml file. [the pending proposal]",
            show_default=False,
        ),
    ] = None,
    run: Run = None,
    live: Annotated[
        bool, typer.Option("--live", help="Shadow agents try it in the running arena.")
    ] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="End the running live trial, undecided.")
    ] = False,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Try each proposal of coach and optimiser, live."),
    ] = False,
    snapshots: Annotated[
        int,
        typer.Option("--snapshots", min=1, max=10_000, help="Decisions per agent, at least 60."),
    ] = SNAPSHOTS,
    repeats: Annotated[
        int | None,
        typer.Option(
            "--repeats", min=1, max=20, help="Agents per arm, each with its own seed. [3, live 1]"
        ),
    ] = None,
    prices: Annotated[
        list[Path] | None,
        typer.Option("--prices", help="Candle files to replay. [the market of the run]"),
    ] = None,
    bound_pct: Annotated[
        float,
        typer.Option("--bound-pct", min=0, help="Loss of return that must be excluded, percent."),
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Try a text against the one in force: same snapshots, same cash, and a copy as noise.

    The text is promoted if decision quality is clearly better and the return is not worse than the
    bound. Without --live the trial is a contest of its own in lock-step. With --live FILE is
    proposed, and shadow agents with accounts of their own trade beside the agent; run a killed
    command again to continue its trial.

    Example: arena prompts trial momentum careful.md
    """
    given = {"FILE": file, "--live": live, "--stop": stop, "--watch": watch, "--prices": prices}
    _refuse_both(given)
    if watch:
        if agent is not None:
            raise UsageError("--watch tries the proposals of all agents", remedy="name none")
        watch_live(run, snapshots, repeats or REPEATS_LIVE, bound_pct)
    if agent is None:
        raise UsageError("no agent is named", remedy="arena prompts trial AGENT FILE")
    text = None if file is None else import_module(ROOM_OF_TEXTS).read_strategy_text(file)
    if stop:
        stop_live(run, agent)
    if live:
        asked = TrialAsked(agent, text, snapshots, repeats or REPEATS_LIVE, bound_pct)
        try_live(run, asked, as_json=as_json)
    asked = TrialAsked(agent, text, snapshots, repeats or REPEATS, bound_pct)
    with find_arena(None, None, run, offline=True) as location:
        ended = try_in_contest(location, asked, prices or [], quiet=as_json)
    raise typer.Exit(0 if ended.verdict == "promote" else EXIT_NO)


def _refuse_both(given: Mapping[str, object]) -> None:
    """Refuse words that contradict each other.

    Raises:
        UsageError: Two of them are given.
    """
    for one, other in EXCLUSIVE:
        if given[one] and given[other]:
            raise UsageError(f"{one} and {other} are both given", remedy="give one of them")
