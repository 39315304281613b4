"""`arena judge`: the command line of the judge."""

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from arena import logs
from arena.durations import duration_option
from arena.errors import UsageError
from arena.messages import Evaluation
from arena.options import Prefix, Run, Servers
from arena.run_lookup import ArenaLocation, find_arena
from arena.visible_text import visible_json
from judge.cli_calibrate import calibrate
from judge.cli_compare import compare
from judge.cli_evaluations import evaluate, evaluations
from judge.evaluations.llm.sampling import CALLS_PER_DAY, SHARE

if TYPE_CHECKING:
    from judge.service import JudgeOptions

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog="Example: arena judge --once",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("evaluate")(evaluate)
app.command("evaluations")(evaluations)
app.command("calibrate")(calibrate)
app.command("compare")(compare)

Once = Annotated[
    bool,
    typer.Option("--once", help="Read to the end of the topics, print the leaderboard and exit."),
]
AsJsonOnce = Annotated[
    bool, typer.Option("--json", help="Print the evaluation as JSON; implies --once.")
]
Confidence = Annotated[
    float, typer.Option("--confidence", help="Confidence of every interval.", min=0.5, max=0.99)
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the resampling.", min=0)]
Resamples = Annotated[
    int,
    typer.Option("--resamples", help="Number of bootstrap replications.", min=200, max=100_000),
]
EvaluateAfter = Annotated[
    str,
    typer.Option(
        "--evaluate-after",
        metavar="TIME",
        help="Market time from an agent's first turn to its first evaluation.",
    ),
]
ChatNode = Annotated[
    str | None,
    typer.Option(
        "--chat-node", help="Chat node whose model judges a sample of the turns. [none does]"
    ),
]
Share = Annotated[
    float, typer.Option("--share", min=0.0, max=1.0, help="Share of the turns that it judges.")
]
CallsPerDay = Annotated[
    int,
    typer.Option(
        "--calls-per-day",
        min=1,
        max=100_000,
        help="Its most calls per day of market time, for all agents together.",
    ),
]
CoachMode = Annotated[
    Literal["off", "propose", "auto"],
    typer.Option("--coach", help="Propose better texts; auto approves them, too."),
]
CoachCooldown = Annotated[
    str,
    typer.Option(
        "--coach-cooldown", metavar="TIME", help="Market time between two changes of an agent."
    ),
]
CoachExpires = Annotated[
    str,
    typer.Option(
        "--coach-expires", metavar="TIME", help="Market time until an unconfirmed text is undone."
    ),
]
CoachScaleRisk = Annotated[
    str | None,
    typer.Option(
        "--coach-scale-risk",
        metavar="TIME",
        help="Scale limits of exposure for this market time after a drawdown. [never]",
    ),
]
CoachRiskFactor = Annotated[
    str, typer.Option("--coach-risk-factor", help="What they are multiplied by.")
]
CoachTrials = Annotated[
    bool,
    typer.Option("--coach-trials", help="auto approves only what a trial promotes."),
]

LockStep = Annotated[
    bool,
    typer.Option("--lock-step", help="Evaluate and coach when a snapshot is answered by all."),
]


@app.callback(invoke_without_command=True)
def judge(
    context: typer.Context,
    bootstrap_servers: Servers = None,
    prefix: Prefix = None,
    run_name: Run = None,
    once: Once = False,
    as_json: AsJsonOnce = False,
    confidence: Confidence = 0.90,
    seed: Seed = 1,
    resamples: Resamples = 2_000,
    evaluate_after: EvaluateAfter = "10m",
    chat_node: ChatNode = None,
    share: Share = SHARE,
    calls_per_day: CallsPerDay = CALLS_PER_DAY,
    coach: CoachMode = "off",
    coach_cooldown: CoachCooldown = "1h",
    coach_expires: CoachExpires = "4h",
    coach_scale_risk: CoachScaleRisk = None,
    coach_risk_factor: CoachRiskFactor = "0.5",
    coach_trials: CoachTrials = False,
    lock_step: LockStep = False,
) -> None:
    """Rank the agents, with confidence intervals, and report which differences are more than luck.

    Folds the topics of a run and publishes an evaluation after each settled snapshot, less often as
    the season grows; the dashboard shows the newest one. Claims during a season are marked as
    interim and are false in at most 5 seasons of 100, however often you look. Two judges with the
    same flags publish the same evaluations, whenever they were started. --once prints the
    leaderboard and exits. It also scores every agent on a cadence (`evaluate`, `evaluations`),
    which the ranking does not use; with --chat-node, a model judges a sample of the turns for it,
    and with --coach it proposes other texts for agents that do badly.

    Example: arena judge --once
    """
    from arena.node import run_async, run_node
    from judge.evaluations.evaluate import EvaluationOptions
    from judge.evaluations.llm.service import turn_judge_options
    from judge.process import serve
    from judge.prompts.coach import coach_settings
    from judge.service import JudgeOptions

    if context.invoked_subcommand is not None:
        _refuse_options_before(context)
        return
    first_after_s = duration_option("--evaluate-after", evaluate_after)
    times = coach_cooldown, coach_expires, coach_scale_risk
    options = JudgeOptions(
        confidence=confidence,
        seed=seed,
        resamples=resamples,
        turns=turn_judge_options(chat_node, share, calls_per_day),
        evaluations=EvaluationOptions(first_after_s=first_after_s),
        coach=coach_settings(coach, *times, coach_risk_factor, trials=coach_trials),
        lock_step=lock_step,
    )
    live = not once and not as_json
    with find_arena(
        bootstrap_servers,
        prefix,
        run_name,
        start_broker=not live,
        offline=not live,
        principal="judge" if live else "cli",
    ) as location:
        if live:
            run_node("judge", "judge", location.settings, serve, options)
        logs.configure(location.settings, node="judge")
        run_async(lambda: _print_once(location, options, as_json=as_json))


def _refuse_options_before(context: typer.Context) -> None:
    """Refuse options before a command of `arena judge`, which would do nothing.

    Raises:
        UsageError: There is one.
    """
    command = context.invoked_subcommand
    sources = (context.get_parameter_source(name) for name in context.params)
    if any(source is not None and source.name == "COMMANDLINE" for source in sources):
        raise UsageError(
            f"an option is before {command}, where it does nothing",
            remedy=f"write it after: arena judge {command} --json",
        )


async def _print_once(location: ArenaLocation, options: "JudgeOptions", *, as_json: bool) -> None:
    from judge.checkpoints import SeasonCheckpoint
    from judge.leaderboard import with_dead_of_run
    from judge.leaderboard_text import render_leaderboard
    from judge.service import judge_once

    bus = location.bus("arena-judge-once")
    await bus.start()
    try:
        checkpoint = SeasonCheckpoint(location.settings, logs.get("judge"))
        ended = location.run is not None and not location.run.is_running()
        evaluation = await judge_once(bus, options, checkpoint=checkpoint, stopped=ended)
    finally:
        await bus.close()
    evaluation = with_dead_of_run(evaluation, location.run.dead if location.run else ())
    sys.stdout.write((_json(evaluation) if as_json else render_leaderboard(evaluation)) + "\n")


def _json(evaluation: Evaluation) -> str:
    return visible_json(evaluation.model_dump_json(indent=2))
