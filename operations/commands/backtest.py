"""`arena backtest`: a contest in one process, on virtual time, from specification to report.

The code that trades is the code of a contest over Kafka: the same processes, with the same options,
exchange the same records over a bus in memory. Needs no broker and no port. Writes
`<home>/runs/<time>/` as `arena compete run` does.

Exit codes: 0 complete, 1 a dead agent or a spent budget, 2 wrong usage, 130 after Ctrl-C, 143 after
SIGTERM.
"""

import os
import shutil
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

import arena
from arena import logs, topics
from arena.atomic_files import require_writable, write_atomic
from arena.errors import EXIT_NO
from arena.exports import Manifest
from arena.plugin_options import AllowFlag, FolderFlag, plugin_choice
from arena.processes import started_at
from arena.progress import Progress, Step
from arena.risk_flags import with_spec_risk_flags
from arena.risk_settings import RiskValues
from arena.runs import RECORDS, SPEC_FILE, RunRecord, write_run
from arena.settings import Settings
from operations.backtest.counts import Counts
from operations.backtest.point import Point, edit_of
from operations.backtest.prepare import prepare, setup_of
from operations.backtest.run import Backtest, peak_memory_mib
from operations.backtest.watch import asked_nodes
from operations.commands.backtest_flags import (
    CallsPerDay,
    End,
    FeeRate,
    InitialCash,
    Jobs,
    MaxDecisions,
    Pairs,
    Start,
    jobs_text,
    specification,
)
from operations.commands.backtest_play import Ended, play
from operations.commands.compete_end import (
    contest_document,
    finish_contest,
    write_contest_document,
)
from operations.commands.compete_health import dead_lines
from operations.commands.compete_monitor import ContestEnd, EndReason
from operations.commands.compete_start import Contest, new_contest, split_arguments
from operations.commands.contest_flags import (
    CurrencyFlag,
    DryRunFlag,
    JsonFile,
    PricesFlag,
    PromptsFlag,
    SetFlag,
    SnapshotsFlag,
    SpecFiles,
)
from operations.commands.dry_run import print_estimate
from operations.commands.env_setup import load_env_beside
from operations.commands.messages_text import file_lines, fills_lines, models_text, prices_text
from operations.commands.numbered_steps import NumberedSteps
from operations.commands.preflight import NoCheck, preflight_contest
from operations.commands.supervised_run import (
    RunSetup,
    exit_with_code_of,
    signal_exit_code,
)
from operations.processes.stop_signals import StopSignals
from operations.specs.arena_spec import ArenaSpec
from operations.specs.backtest_shortcuts import Shortcuts, shortcut_values
from operations.specs.set_values import single_values
from operations.supervisor.plan import require_keys

PROCESSES = "processes"
SNAPSHOTS = "snapshots"
STEPS = (PROCESSES, SNAPSHOTS, "records", "report")


@with_spec_risk_flags
def backtest(
    spec: SpecFiles = None,
    prices: PricesFlag = None,
    snapshots: SnapshotsFlag = None,
    currency: CurrencyFlag = None,
    prompts: PromptsFlag = None,
    sets: SetFlag = None,
    pair: Pairs = None,
    start: Start = None,
    end: End = None,
    initial_cash: InitialCash = None,
    fee_rate: FeeRate = None,
    llm_calls_per_day: CallsPerDay = None,
    max_decisions: MaxDecisions = None,
    books: Annotated[bool, typer.Option("--books", help="Also keep the books, in SQLite.")] = False,
    jobs: Jobs = 1,
    json_file: JsonFile = None,
    no_check: NoCheck = False,
    dry_run: DryRunFlag = False,
    plugins: FolderFlag = None,
    allow_plugins: AllowFlag = False,
    *,
    risk_values: RiskValues,
) -> None:
    """Run a contest in this process, on virtual time, then print the report and the leaderboard.

    SPEC is a contest or an ARENA.toml; one that is not in lock-step is run in lock-step. The result
    is that of `arena compete run` on the same file, without Kafka. Without SPEC, --pair, --start
    and --end name cached candles of Coinbase. The run keeps the specification with all flags.

    Example: arena backtest examples/backtest.toml
    """
    require_writable(json_file, "--json")
    files, more_prices = split_arguments(spec or [])
    path = specification(files, pairs=bool(pair))
    load_env_beside(path)
    price_files = (*(prices or ()), *more_prices)
    given = Shortcuts(
        tuple(pair or ()), start, end, initial_cash, fee_rate, llm_calls_per_day, max_decisions
    )
    values = shortcut_values(given) | single_values(sets or ())
    point = Point(0, path, values, price_files, snapshots)
    contest = new_contest(
        path,
        prices=price_files,
        snapshots=snapshots,
        settings=Settings(),
        choice=plugin_choice(plugins, allow=allow_plugins),
        currency=currency,
        risk=risk_values,
        prompts=prompts,
        edit=edit_of(point),
    )
    if dry_run:
        exit_with_code_of(lambda _: print_estimate(contest, json_file))
        return
    if jobs > 1:
        print(f" {jobs_text(jobs)}")
    check = not no_check
    exit_with_code_of(lambda stack: _run(contest, json_file, stack, books=books, check=check))


def _run(
    contest: Contest, json_file: Path | None, stack: ExitStack, *, books: bool, check: bool
) -> int:
    print(f" arena {arena.__version__}   a backtest: the arena in one process, on virtual time")
    steps = NumberedSteps(sys.stdout, first=1, names=STEPS)
    try:
        if check and asked_nodes(contest.spec):
            require_keys(contest.spec, os.environ)
            preflight_contest(contest.spec, contest.directory, json_file)
        setup, test = _prepare(contest, steps, books=books)
        stack.callback(test.close)
        with StopSignals() as signals:
            ended = play(setup.spec, test, signals)
            if not ended.ending.is_complete:
                _print_stopped(contest, ended.ending)
                write_run(setup.directory, _record(setup, contest, ended))
                document = contest_document(setup, ended.progress, ended.ending, None)
                write_contest_document(document, json_file)
                shutil.rmtree(contest.directory, ignore_errors=True)
                return signal_exit_code(signals) or EXIT_NO
    except BaseException:
        if not (contest.directory / RECORDS).exists():
            shutil.rmtree(contest.directory, ignore_errors=True)
        raise
    write_run(setup.directory, _record(setup, contest, ended))
    write_atomic(setup.directory / SPEC_FILE, contest.text)
    counts = Counts.of(test.cluster)
    finish_contest(
        setup,
        ended.progress,
        ended.ending,
        steps,
        json_file,
        export=partial(_export, test, contest.spec),
        more={"bars": counts.bars, "jobs": 1, "peak_memory_mib": peak_memory_mib()},
    )
    return 0 if ended.ending.reason is EndReason.DONE and not ended.ending.dead else EXIT_NO


def _prepare(contest: Contest, steps: NumberedSteps, *, books: bool) -> tuple[RunSetup, Backtest]:
    settings = Settings()
    if "ARENA_LOG_LEVEL" not in os.environ:
        settings = settings.override(log_level="WARNING")
    setup = setup_of(contest, settings)
    test = prepare(contest, setup, books=books, asks_models=True)
    logs.configure(setup.settings, node="backtest")
    steps.show(Step(PROCESSES, f"{len(test.members)}, in this process", finished=True))
    spec = contest.spec
    fills = fills_lines(spec, contest.prices)
    for line in (prices_text(spec), *file_lines(contest.prices), *fills, models_text(spec)):
        print(f" {line}")
    print(
        " Nothing here trades real money, and no time passes between two decisions.\n", flush=True
    )
    return setup, test


def _print_stopped(contest: Contest, ending: ContestEnd) -> None:
    """Print why a backtest has no result, and what is left of it."""
    colon = ":" if ending.reason is EndReason.DEAD else ""
    print(f" Stopped{colon} {ending.text}; a backtest keeps nothing until it ends.")
    competition = contest.spec.competition
    if competition is not None and competition.replies == "record" and asked_nodes(contest.spec):
        print(" The recorded replies are kept: the next run asks only for the others.")
    for line in dead_lines(ending.dead):
        print(f" {line}")


def _export(test: Backtest, spec: ArenaSpec, setup: RunSetup, progress: Progress) -> Manifest:
    names = [topic.name for topic in (*topics.fixed_topics(), *spec.topics())]
    return test.export(setup.directory / RECORDS, names, progress)


def _record(setup: RunSetup, contest: Contest, ended: Ended) -> RunRecord:
    return RunRecord(
        command=setup.command,
        name=setup.spec.arena.name,
        folder=str(setup.folder.resolve()),
        prefix=setup.settings.prefix,
        bootstrap=setup.broker.bootstrap,
        broker_kind=setup.broker.kind,
        durable=False,
        simulated=True,
        pid=os.getpid(),
        pid_started_at=started_at(os.getpid()) or 0.0,
        started_at=ended.began_at,
        ended_at=datetime.now(UTC),
        dead=ended.ending.dead,
        agents=tuple(agent.name for agent in setup.spec.agents),
        version=arena.__version__,
        plugins=setup.files,
    )
