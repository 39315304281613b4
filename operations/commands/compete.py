"""`arena compete run`: a contest from its specification to its report.

Starts a broker with its own data (or uses that of `KAFKA_BOOTSTRAP_SERVERS`) and every process of
the contest, restarts those that crash, shows progress, and ends with the records, the report and
the leaderboard. Writes `<home>/runs/<time>/`. A contest that was stopped, or killed with -9,
continues with `--resume`: the topics are the only state.

Exit codes: 0 complete, 1 cut short or with a dead agent, 2 wrong usage, 3 broker missing, 130 after
Ctrl-C, 143 after SIGTERM, 141 if the reader of its output closed the pipe.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from arena.atomic_files import require_writable
from arena.bus.kafka import KafkaBus
from arena.errors import EXIT_NO, UsageError
from arena.model_prices import load_prices
from arena.plugin_options import AllowFlag, FolderFlag, plugin_choice
from arena.pricefiles.facts import PriceFacts
from arena.progress import Step
from arena.risk_flags import with_spec_risk_flags
from arena.risk_settings import RiskValues
from arena.settings import Settings
from operations.commands.compete_end import contest_document, finish_contest, write_contest_document
from operations.commands.compete_health import dead_lines
from operations.commands.compete_monitor import ContestEnd, ContestMonitor, EndReason
from operations.commands.compete_start import (
    Contest,
    contest_broker,
    new_contest,
    record_not_started,
    resume_contest,
    split_arguments,
)
from operations.commands.contest_flags import (
    CurrencyFlag,
    DryRunFlag,
    JsonFile,
    PricesFlag,
    PromptsFlag,
    SnapshotsFlag,
    SpecFiles,
)
from operations.commands.dry_run import edit_for_estimate, print_estimate
from operations.commands.env_setup import load_env_beside
from operations.commands.live_line import LiveLine
from operations.commands.local_llm import require_local_llm
from operations.commands.messages_text import (
    file_lines,
    fills_lines,
    models_text,
    prices_text,
    processes_text,
)
from operations.commands.numbered_steps import NumberedSteps, print_title
from operations.commands.plugins import check_plugins
from operations.commands.preflight import NoCheck, PreflightFailed, preflight_contest
from operations.commands.resume_check import require_snapshots
from operations.commands.run_standings import interim_standings
from operations.commands.supervised_run import (
    RunSetup,
    arena_command,
    broker_settings,
    ensure_topics,
    exit_with_code_of,
    on_terminal,
    planned_processes,
    prepare_run,
    signal_exit_code,
)
from operations.commands.web_page import WebFlag, WebPage, WebPort, choose_page
from operations.localbroker.broker_spec import BrokerHandle
from operations.processes.child import ProcessSpec
from operations.processes.stop_signals import StopSignals
from operations.supervisor.plan import require_keys, require_prices
from operations.supervisor.running import ArenaRun
from operations.supervisor.supervisor import Change

PROCESSES = "processes"
STEPS = ("Apache Kafka", "broker", PROCESSES, "records", "report")


@with_spec_risk_flags
def compete_run(
    spec: SpecFiles = None,
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", help="Stop after N seconds; continue with --resume.", min=1),
    ] = None,
    resume: Annotated[
        str | None, typer.Option("--resume", help="Continue this run.", metavar="RUN")
    ] = None,
    prices: PricesFlag = None,
    snapshots: SnapshotsFlag = None,
    currency: CurrencyFlag = None,
    prompts: PromptsFlag = None,
    json_file: JsonFile = None,
    dashboard: Annotated[
        bool, typer.Option("--dashboard", help="Show the dashboard during the contest; q stops.")
    ] = False,
    no_check: NoCheck = False,
    dry_run: DryRunFlag = False,
    plugins: FolderFlag = None,
    allow_plugins: AllowFlag = False,
    web: WebFlag = None,
    web_port: WebPort = None,
    *,
    risk_values: RiskValues,
) -> None:
    """Run a contest to its last snapshot, then print the report and the leaderboard.

    Example: arena compete run examples/competition.toml
    """
    require_writable(json_file, "--json")
    files, more_prices = split_arguments(spec or [])
    if (len(files) != 1) == (resume is None) or (
        resume
        and (dry_run or prices or more_prices or snapshots or currency or prompts or risk_values)
    ):
        raise UsageError(
            "give one specification, or --resume and a run, which keeps its specification",
            remedy="`arena compete new` writes a specification",
        )
    choice = plugin_choice(plugins, allow=allow_plugins)
    if resume is not None:
        contest = resume_contest(resume, Settings(), choice)
    else:
        load_env_beside(files[0])
        price_paths = [*(prices or ()), *more_prices]
        contest = new_contest(
            files[0],
            prices=price_paths,
            snapshots=snapshots,
            settings=Settings(),
            choice=choice,
            currency=currency,
            risk=risk_values,
            prompts=prompts,
            edit=edit_for_estimate(files[0], price_paths, snapshots) if dry_run else str,
        )
    if dry_run:
        exit_with_code_of(lambda _: print_estimate(contest, json_file))
        return
    check = not no_check
    view = _ViewFlags(dashboard, web, web_port)
    exit_with_code_of(lambda stack: _compete(contest, seconds, json_file, stack, view, check=check))


@dataclass(frozen=True, slots=True)
class _ViewFlags:
    """The flags of the screens.

    Attributes:
        dashboard: Show the dashboard in this terminal.
        web: Serve the page; None for what the specification says.
        web_port: Its port; None likewise.
    """

    dashboard: bool
    web: bool | None
    web_port: int | None


def _compete(
    contest: Contest,
    seconds: float | None,
    json_file: Path | None,
    stack: ExitStack,
    view: _ViewFlags,
    *,
    check: bool,
) -> int:
    steps = print_title(STEPS)
    try:
        require_keys(contest.spec, os.environ)
        require_prices(contest.spec, load_prices())
        if check:
            preflight_contest(contest.spec, contest.directory, json_file)
        require_local_llm(contest.spec)
        check_plugins(contest.loaded, Settings())
        page = choose_page(contest.spec.web, view.web, view.web_port)
        broker = stack.enter_context(contest_broker(contest, steps.show))
    except BaseException as error:
        dead = error.dead if isinstance(error, PreflightFailed) else ()
        if dead:
            record_not_started(contest, dead)
        elif contest.resumed is None:  # nothing ran, so there is nothing to read
            shutil.rmtree(contest.directory, ignore_errors=True)
        raise
    setup = _run_setup(contest, broker)
    ensure_topics(contest.spec, setup.settings)
    competition = contest.spec.competition
    if contest.resumed is not None and competition is not None and competition.lock_step:
        asyncio.run(_require_snapshots(setup))
    terminal = on_terminal() and view.dashboard
    dashboard_args = ("--title", contest.spec.arena.name) if terminal else None
    processes = planned_processes(
        contest.spec,
        setup.settings,
        contest.folder,
        dashboard=dashboard_args,
        terminal=terminal,
        page=page,
        run_directory=setup.directory,
        own_broker=True,
        plugins=contest.loaded.plugins,
    )
    line = LiveLine(sys.stdout, hidden=terminal)
    with StopSignals() as signals:
        run = prepare_run(setup, processes, lambda change: _print_change(line, change))
        try:
            run.start(lambda: signals.received is not None)
            _print_introduction(setup, processes, steps, contest.prices, page)
            monitor = ContestMonitor(run, contest.spec, line, seconds=seconds)
            ending = asyncio.run(monitor.follow(setup.settings, signals))
        finally:
            run.stop(lambda: signals.hurried)
        asyncio.run(monitor.read_rest(setup.settings))
        if not ending.is_complete:
            standings = interim_standings(setup.settings, signals)
            stack.close()
            write_contest_document(
                contest_document(setup, monitor.progress, ending, None), json_file
            )
            _print_stopped(contest, run, ending, standings, durable=broker.durable)
            return signal_exit_code(signals) or EXIT_NO
        finish_contest(setup, monitor.progress, ending, steps, json_file)
    return 0 if ending.reason is EndReason.DONE and not ending.dead else EXIT_NO


async def _require_snapshots(setup: RunSetup) -> None:
    bus = KafkaBus(setup.settings, client_id="arena-compete")
    await bus.start()
    try:
        await require_snapshots(bus, setup.directory)
    finally:
        await bus.close()


def _run_setup(contest: Contest, broker: BrokerHandle) -> RunSetup:
    is_own = broker.data_dir is not None or not broker.durable
    earlier = contest.resumed
    home = Path(earlier.broker_home) if earlier and earlier.broker_home else contest.directory
    return RunSetup(
        command="compete",
        spec=contest.spec,
        text=contest.text,
        folder=contest.folder,
        settings=broker_settings(broker, Settings().override(prefix=contest.prefix)),
        broker=broker,
        broker_home=home if is_own and broker.durable else None,
        directory=contest.directory,
        files=contest.loaded.files,
    )


def _print_introduction(
    setup: RunSetup,
    processes: list[ProcessSpec],
    steps: NumberedSteps,
    prices: Sequence[PriceFacts],
    page: WebPage | None,
) -> None:
    spec = setup.spec
    detail = f"{len(processes)}, which communicate only through Kafka topics"
    steps.show(Step(PROCESSES, detail, finished=True))
    print(f"       {processes_text(processes, len(spec.agents))}\n")
    fills = fills_lines(spec, prices)
    for line in (prices_text(spec), *file_lines(prices), *fills, models_text(spec)):
        print(f" {line}")
    print(" Nothing here trades real money.")
    if page is not None:
        print(f" {page.line}")
    print(f" Ctrl-C stops; to continue: {_resume_command(setup.directory)}")
    if setup.broker.note:
        print(f" Note: {setup.broker.note}.")
    print(flush=True)


def _print_change(line: LiveLine, change: Change) -> None:
    line.print_above(f"{change.name} {change.text}")


def _print_stopped(
    contest: Contest, run: ArenaRun, ending: ContestEnd, standings: list[str], *, durable: bool
) -> None:
    """Print the standings so far, why the contest stopped, and how to continue."""
    for line in (
        ["", *standings, "A verdict follows when the contest is complete."] if standings else []
    ):
        print(f" {line}".rstrip())
    colon = ":" if ending.reason in (EndReason.FAILED, EndReason.DEAD) else ""
    print(f"\n Stopped{colon} {ending.text}; no process is left.")
    for line in dead_lines(ending.dead):
        print(f" {line}")
    if durable:
        print(f" Records: {run.directory}\n To continue: {_resume_command(contest.directory)}")
    else:
        print(" Its records were in memory only and are lost.")
    sys.stdout.flush()


def _resume_command(directory: Path) -> str:
    return f"{arena_command()} compete run --resume {directory.name}"
