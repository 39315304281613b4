"""`arena compete run`: a contest from its specification to its report.

Starts a broker with data of its own (or uses that of `KAFKA_BOOTSTRAP_SERVERS`) and every process
of the contest, keeps them up, shows how far it is, and ends with the records, the report and the
leaderboard. Writes `<home>/runs/<time>/`. What was stopped, or killed with -9, goes on with
`--resume`: the topics are the only state.

Exit codes: 0 held to its end, 1 cut short or with a dead agent, 2 wrong usage, 3 broker missing,
130 after Ctrl-C, 143 after SIGTERM, 141 where the reader of its output went away.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from arena import __version__
from arena.atomic_files import require_writable
from arena.errors import EXIT_NO, UsageError
from arena.model_prices import load_prices
from arena.plugin_options import AllowFlag, FolderFlag, choice_of
from arena.pricefiles.facts import PriceFacts
from arena.progress import Step
from arena.run_lookup import mute_output
from arena.settings import Settings
from operations.commands.compete_end import contest_document, finish_contest, write_contest_document
from operations.commands.compete_health import dead_lines
from operations.commands.compete_monitor import ContestEnd, ContestMonitor, End
from operations.commands.compete_start import (
    Contest,
    contest_broker,
    new_contest,
    record_not_started,
    resume_contest,
    split_arguments,
)
from operations.commands.env_setup import load_env_beside
from operations.commands.live_line import LiveLine
from operations.commands.local_llm import require_local_llm
from operations.commands.messages_text import file_lines, models_text, prices_text, processes_text
from operations.commands.numbered_steps import NumberedSteps
from operations.commands.plugins import check_plugins
from operations.commands.preflight import NoCheck, PreflightFailed, preflight_contest
from operations.commands.run_standings import so_far
from operations.commands.supervised_run import (
    RunSetup,
    arena_command,
    broker_settings,
    ensure_topics,
    on_terminal,
    planned_processes,
    prepare_run,
    signal_exit_code,
)
from operations.localbroker.launch import BrokerHandle
from operations.processes.child import ProcessSpec
from operations.processes.stop_signals import StopSignals, Terminated, terminate_as_interrupt
from operations.supervisor.plan import require_keys, require_prices
from operations.supervisor.running import ArenaRun
from operations.supervisor.supervisor import Change

PROCESSES = "processes"
STEPS = ("Apache Kafka", "broker", PROCESSES, "records", "report")
EXIT_TERMINATED = 143
EXIT_PIPE = 141
STEP_VARIABLE = "ARENA_STEP"


def run(
    spec: Annotated[
        list[Path] | None, typer.Argument(metavar="[SPEC]", help="The contest's TOML.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="Stop after so many; --resume goes on.", min=1)
    ] = None,
    resume: Annotated[
        str | None, typer.Option("--resume", help="Go on with this run.", metavar="RUN")
    ] = None,
    prices: Annotated[
        list[Path] | None,
        typer.Option("--prices", help="Candle files, or their folder, instead of SPEC's prices."),
    ] = None,
    snapshots: Annotated[
        int | None, typer.Option("--snapshots", help="Decisions of each agent.", min=1)
    ] = None,
    currency: Annotated[
        str | None,
        typer.Option("--currency", help="What accounts hold: what the products are quoted in."),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Also write how it ended to FILE.", metavar="FILE"),
    ] = None,
    dashboard: Annotated[
        bool, typer.Option("--dashboard", help="Show the dashboard meanwhile; q stops.")
    ] = False,
    no_check: NoCheck = False,
    plugins: FolderFlag = None,
    allow_plugins: AllowFlag = False,
) -> None:
    """Hold a contest: every process, to the last snapshot, the report and the leaderboard.

    Example: arena compete run examples/competition.toml
    """
    require_writable(json_file, "--json")
    files, more = split_arguments(spec or [])
    if (len(files) != 1) == (resume is None) or (
        resume and (prices or more or snapshots or currency)
    ):
        raise UsageError(
            "give one specification, or --resume and a run, which keeps what it began with",
            remedy="`arena compete new` writes a specification",
        )
    choice = choice_of(plugins, allow=allow_plugins)
    if resume is not None:
        contest = resume_contest(resume, Settings(), choice)
    else:
        load_env_beside(files[0])
        given = [*(prices or ()), *more]
        contest = new_contest(
            files[0],
            prices=given,
            snapshots=snapshots,
            settings=Settings(),
            choice=choice,
            currency=currency,
        )
    try:
        with terminate_as_interrupt(), ExitStack() as stack:
            code = _compete(
                contest, seconds, json_file, stack, dashboard=dashboard, check=not no_check
            )
    except Terminated:
        code = EXIT_TERMINATED
    except BrokenPipeError:
        mute_output()
        code = EXIT_PIPE
    sys.exit(code)


def _compete(
    contest: Contest,
    seconds: float | None,
    json_file: Path | None,
    stack: ExitStack,
    *,
    dashboard: bool,
    check: bool,
) -> int:
    steps = _begin()
    try:
        require_keys(contest.spec, os.environ)
        require_prices(contest.spec, load_prices())
        if check:
            preflight_contest(contest.spec, contest.directory, json_file)
        require_local_llm(contest.spec)
        check_plugins(contest.loaded, Settings())
        broker = stack.enter_context(contest_broker(contest, steps.show))
    except BaseException as error:
        dead = error.dead if isinstance(error, PreflightFailed) else ()
        if dead:
            record_not_started(contest, dead)
        elif contest.before is None:  # nothing was run, nothing is to be read
            shutil.rmtree(contest.directory, ignore_errors=True)
        raise
    begin = _beginning(contest, broker)
    ensure_topics(contest.spec, begin.settings)
    terminal = on_terminal() and dashboard
    words = ("--title", contest.spec.arena.name) if terminal else None
    processes = planned_processes(
        contest.spec,
        begin.settings,
        contest.folder,
        dashboard=words,
        terminal=terminal,
        run_directory=begin.directory,
        own_broker=True,
        plugins=contest.loaded.plugins,
    )
    line = LiveLine(sys.stdout, hidden=terminal)
    with StopSignals() as signals:
        run = prepare_run(begin, processes, lambda change: _tell(line, change))
        try:
            run.start(lambda: signals.received is not None)
            _introduce(begin, processes, steps, contest.prices)
            holder = ContestMonitor(run, contest.spec, line, seconds=seconds)
            ending = asyncio.run(holder.hold(begin.settings, signals))
        finally:
            run.stop(lambda: signals.hurried)
        if not ending.over:
            standings = so_far(begin.settings, signals)
            stack.close()
            write_contest_document(contest_document(begin, holder.tally, ending, None), json_file)
            _say_stopped(contest, run, ending, standings, durable=broker.durable)
            return signal_exit_code(signals) or EXIT_NO
        finish_contest(begin, holder.tally, ending, steps, json_file)
    return 0 if ending.why is End.DONE and not ending.dead else EXIT_NO


def _begin() -> NumberedSteps:
    """The first line; steps are numbered behind those of `scripts/setup`, where it ran."""
    print(f" arena {__version__}   a contest between trading agents, on real Kafka", flush=True)
    first = 2 if STEP_VARIABLE in os.environ else 1
    return NumberedSteps(sys.stdout, first=first, names=STEPS)


def _beginning(contest: Contest, broker: BrokerHandle) -> RunSetup:
    own = broker.data_dir is not None or not broker.durable
    before = contest.before
    home = Path(before.broker_home) if before and before.broker_home else contest.directory
    return RunSetup(
        command="compete",
        spec=contest.spec,
        text=contest.text,
        folder=contest.folder,
        settings=broker_settings(broker, Settings().override(prefix=contest.prefix)),
        broker=broker,
        broker_home=home if own and broker.durable else None,
        directory=contest.directory,
        files=contest.loaded.files,
    )


def _introduce(
    begin: RunSetup,
    processes: list[ProcessSpec],
    steps: NumberedSteps,
    prices: Sequence[PriceFacts],
) -> None:
    spec = begin.spec
    detail = f"{len(processes)}, which share nothing but Kafka topics"
    steps.show(Step(PROCESSES, detail, finished=True))
    print(f"       {processes_text(processes, len(spec.agents))}\n")
    for line in (prices_text(spec), *file_lines(prices), models_text(spec)):
        print(f" {line}")
    print(" Nothing here trades real money.")
    print(f" Ctrl-C stops; to go on: {_resume_words(begin.directory)}")
    if begin.broker.note:
        print(f" Note: {begin.broker.note}.")
    print(flush=True)


def _tell(line: LiveLine, change: Change) -> None:
    line.say(f"{change.name} {change.text}")


def _say_stopped(
    contest: Contest, run: ArenaRun, ending: ContestEnd, standings: list[str], *, durable: bool
) -> None:
    """What remains of a contest that is not over."""
    for line in ["", *standings, "A contest has a verdict at its end."] if standings else []:
        print(f" {line}".rstrip())
    colon = ":" if ending.why in (End.FAILED, End.DEAD) else ""
    print(f"\n Stopped{colon} {ending.text}; no process is left.")
    for line in dead_lines(ending.dead):
        print(f" {line}")
    if durable:
        print(f" Records: {run.directory}\n To go on: {_resume_words(contest.directory)}")
    else:
        print(" Its records were in memory only, and are gone.")
    sys.stdout.flush()


def _resume_words(directory: Path) -> str:
    return f"{arena_command()} compete run --resume {directory.name}"
