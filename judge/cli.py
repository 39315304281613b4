"""`arena judge`: the command line of the judge."""

import sys
from typing import Annotated

import typer

from arena import logs
from arena.messages import Evaluation
from arena.options import Prefix, Run, Servers
from arena.run_lookup import find_arena
from arena.visible_text import visible_json


def judge(
    bootstrap_servers: Servers = None,
    prefix: Prefix = None,
    run_name: Run = None,
    once: Annotated[
        bool,
        typer.Option(
            "--once", help="Read to the end of the topics, print the leaderboard and exit."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the evaluation as JSON; implies --once.")
    ] = False,
    confidence: Annotated[
        float,
        typer.Option("--confidence", help="Confidence of every interval.", min=0.5, max=0.99),
    ] = 0.90,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the resampling.", min=0)] = 1,
    resamples: Annotated[
        int,
        typer.Option("--resamples", help="Number of bootstrap replications.", min=200, max=100_000),
    ] = 2_000,
) -> None:
    """Rank the agents, with confidence intervals, and report which differences are more than luck.

    Folds the topics of a run and publishes an evaluation after each settled snapshot, less often as
    the season grows; the dashboard shows the newest one. Claims during a season are marked as
    interim and are false in at most 5 seasons of 100, however often you look. Two judges with the
    same flags publish the same evaluations, whenever they were started. --once prints the
    leaderboard and exits.

    Example: arena judge --once
    """
    from arena.node import run_async, run_node
    from judge.checkpoints import SeasonCheckpoint
    from judge.leaderboard import with_dead_of_run
    from judge.leaderboard_text import render_leaderboard
    from judge.process import serve
    from judge.service import JudgeOptions, judge_once

    options = JudgeOptions(confidence=confidence, seed=seed, resamples=resamples)
    live = not once and not as_json
    with find_arena(
        bootstrap_servers, prefix, run_name, start_broker=not live, offline=not live
    ) as location:
        if live:
            run_node("judge", "judge", location.settings, serve, options)

        async def print_once() -> None:
            bus = location.bus("arena-judge-once")
            await bus.start()
            try:
                checkpoint = SeasonCheckpoint(location.settings, logs.get("judge"))
                ended = location.run is not None and not location.run.is_running()
                evaluation = await judge_once(bus, options, checkpoint=checkpoint, stopped=ended)
            finally:
                await bus.close()
            evaluation = with_dead_of_run(evaluation, location.run.dead if location.run else ())
            sys.stdout.write(
                (_json(evaluation) if as_json else render_leaderboard(evaluation)) + "\n"
            )

        logs.configure(location.settings, node="judge")
        run_async(print_once)


def _json(evaluation: Evaluation) -> str:
    return visible_json(evaluation.model_dump_json(indent=2))
