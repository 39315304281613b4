"""`arena backtest`: a contest in one process, on virtual time, from specification to report.

The code that trades is the code of a contest over Kafka: the same processes, with the same options,
exchange the same records over a bus in memory. Needs no broker and no port. Writes
`<home>/runs/<time>/` as `arena compete run` does.

Exit codes: 0 complete, 1 a dead agent, 2 wrong usage, 130 after Ctrl-C, 143 after SIGTERM.
"""

import os
import shutil
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
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
from operations.backtest.counts import Counts, counts_line, fold_progress
from operations.backtest.point import Point, edit_of
from operations.backtest.prepare import prepare, setup_of
from operations.backtest.run import Backtest, Stopped
from operations.commands.backtest_flags import (
    CallsPerDay,
    End,
    FeeRate,
    InitialCash,
    Pairs,
    Start,
    specification,
)
from operations.commands.compete_end import finish_contest
from operations.commands.compete_health import ContestHealth
from operations.commands.compete_monitor import ContestEnd, EndReason
from operations.commands.compete_progress import ContestProgress
from operations.commands.compete_start import Contest, new_contest, split_arguments
from operations.commands.contest_flags import (
    CurrencyFlag,
    JsonFile,
    PricesFlag,
    PromptsFlag,
    SetFlag,
    SnapshotsFlag,
    SpecFiles,
)
from operations.commands.env_setup import load_env_beside
from operations.commands.live_line import LiveLine
from operations.commands.messages_text import file_lines, fills_lines, models_text, prices_text
from operations.commands.numbered_steps import NumberedSteps
from operations.commands.supervised_run import (
    RunSetup,
    exit_with_code_of,
    signal_exit_code,
)
from operations.processes.stop_signals import StopSignals
from operations.specs.arena_spec import ArenaSpec
from operations.specs.backtest_shortcuts import Shortcuts, shortcut_values
from operations.specs.competition import BASELINES
from operations.specs.set_values import single_values

PROCESSES = "processes"
SNAPSHOTS = "snapshots"
STEPS = (PROCESSES, SNAPSHOTS, "records", "report")
LOOK_EVERY = 256
"""Rounds of the loop between two looks at the clock of the machine."""


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
    books: Annotated[bool, typer.Option("--books", help="Also keep the books, in SQLite.")] = False,
    json_file: JsonFile = None,
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
    given = Shortcuts(tuple(pair or ()), start, end, initial_cash, fee_rate, llm_calls_per_day)
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
    exit_with_code_of(lambda stack: _run(contest, json_file, stack, books=books))


def _run(contest: Contest, json_file: Path | None, stack: ExitStack, *, books: bool) -> int:
    print(f" arena {arena.__version__}   a backtest: the arena in one process, on virtual time")
    steps = NumberedSteps(sys.stdout, first=1, names=STEPS)
    try:
        setup, test = _prepare(contest, steps, books=books)
        stack.callback(test.close)
        with StopSignals() as signals:
            ended = _play(setup, contest, test, signals)
            if ended is None:
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
        more={"bars": counts.bars, "jobs": 1},
    )
    return EXIT_NO if ended.ending.dead else 0


@dataclass(frozen=True, slots=True)
class _Ended:
    """A backtest that was played to its end.

    Attributes:
        began_at: Wall time at which it began.
        progress: Its counts.
        ending: How it ended.
    """

    began_at: datetime
    progress: ContestProgress
    ending: ContestEnd


def _prepare(contest: Contest, steps: NumberedSteps, *, books: bool) -> tuple[RunSetup, Backtest]:
    settings = Settings()
    if "ARENA_LOG_LEVEL" not in os.environ:
        settings = settings.override(log_level="WARNING")
    setup = setup_of(contest, settings)
    test = prepare(contest, setup, books=books)
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


def _play(setup: RunSetup, contest: Contest, test: Backtest, signals: StopSignals) -> _Ended | None:
    """Play to the end; None if a signal stopped it."""
    spec, competition = setup.spec, setup.spec.competition
    assert competition is not None, "a backtest is a contest"
    planned = competition.snapshot_count(spec.arena.interval_s)
    line = LiveLine(sys.stdout)
    began_at, began_s, rounds = datetime.now(UTC), time.monotonic(), 0

    def on_round() -> bool:
        nonlocal rounds
        rounds += 1
        if rounds % LOOK_EVERY == 0:
            counts = Counts.of(test.cluster)
            line.show(counts_line(counts, planned, time.monotonic() - began_s))
        return signals.received is not None

    test.on_round = on_round
    try:
        test.play()
    except Stopped:
        counts = Counts.of(test.cluster)
        line.end(counts_line(counts, planned, time.monotonic() - began_s))
        print(" Stopped; a backtest keeps nothing until it ends.")
        return None
    elapsed_s = time.monotonic() - began_s
    line.end(counts_line(Counts.of(test.cluster), planned, elapsed_s))
    names = [agent.name for agent in spec.agents]
    baselines = [agent.name for agent in spec.agents if agent.chat_node == BASELINES]
    progress = ContestProgress(planned, names, health=ContestHealth(names, baselines))
    fold_progress(test.cluster, progress)
    dead = progress.health.dead_at_end(progress.snapshots)
    ending = ContestEnd(EndReason.DONE, "", elapsed_s, dead)
    return _Ended(began_at, progress, ending)


def _export(test: Backtest, spec: ArenaSpec, setup: RunSetup, progress: Progress) -> Manifest:
    names = [topic.name for topic in (*topics.fixed_topics(), *spec.topics())]
    return test.export(setup.directory / RECORDS, names, progress)


def _record(setup: RunSetup, contest: Contest, ended: _Ended) -> RunRecord:
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
