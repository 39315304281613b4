"""`arena demo`: a whole arena on this machine, from nothing to a standings table.

Starts a broker with its own data and the processes of `examples/demo.toml`, shows the dashboard on
a terminal and progress lines elsewhere, stops everything, prints the standings. Writes
`<home>/runs/<time>/` with the broker's data, so the records can be read again.

Exit codes: 0, 1 if a process was given up, 130 after Ctrl-C, 143 after SIGTERM, 141 if the reader
of its output closed the pipe. A stopped demo prints the standings so far; a second Ctrl-C skips
them.
"""

import json
import re
import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import Annotated

import typer

from arena.atomic_files import require_writable, write_atomic
from arena.baselines import strategy_key
from arena.errors import (
    EXIT_INTERRUPTED,
    EXIT_NO,
    EXIT_TERMINATED,
    ArenaError,
    DependencyMissing,
    UsageError,
)
from arena.plugin_options import FolderFlag, plugins_of
from arena.plugins import Plugins
from arena.progress import Step
from arena.risk_flags import with_spec_risk_flags
from arena.risk_report import RiskReport
from arena.risk_settings import RiskValues
from arena.runs import ProcessRecord, new_run_directory
from arena.settings import Settings
from operations.commands import demo_context, demo_spec, messages_text
from operations.commands.compete_spec import with_risk
from operations.commands.demo_report import demo_document
from operations.commands.export_run import export_or_note
from operations.commands.local_llm import install_local_llm
from operations.commands.numbered_steps import NumberedSteps, print_title
from operations.commands.plugins import check_plugins, load_built_in_spec
from operations.commands.risk_standings import read_risk_report, risk_lines
from operations.commands.run_standings import (
    DEADLINE_S,
    STOPPED_DEADLINE_S,
    given_up_lines,
    interim_lines,
    read_standings,
)
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
    supervise,
)
from operations.commands.web_page import WebFlag, WebPage, WebPort, choose_page
from operations.localbroker.broker_lookup import find_or_start_broker
from operations.processes.child import ProcessSpec
from operations.processes.stop_signals import StopSignals
from operations.supervisor.plan import DASHBOARD
from operations.supervisor.running import ArenaRun
from operations.supervisor.supervisor import Change

PROCESSES = "processes"
STEPS = ("Apache Kafka", "broker", PROCESSES)
LINE_INTERVAL_S = 8.0
FIRST_SNAPSHOT = re.compile(r"snapshot [1-9]")
"""In the dashboard's lines from the first snapshot on."""
DASHBOARD_SPARE_S = 10.0
STOPPED_CODES = (0, None, -SIGTERM, -SIGINT, EXIT_INTERRUPTED, EXIT_TERMINATED)
"""Exit codes of a dashboard that was stopped, also while it was starting; others are a crash."""


@with_spec_risk_flags
def demo(
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds", help="Length of the run in seconds, from its first snapshot.", min=1
        ),
    ] = 90.0,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Also write the standings to FILE as JSON.", metavar="FILE"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed for the simulated prices.", min=0)] = 7,
    speed: Annotated[
        float | None,
        typer.Option(
            "--speed",
            help=f"Seconds of market time per second. [{demo_spec.SPEED:g}, with --local-llm "
            f"{demo_spec.LOCAL_SPEED:g}]",
            min=1,
            max=600,
        ),
    ] = None,
    agents: Annotated[
        str | None,
        typer.Option(
            "--agents", help=f"Strategies to run, of {','.join(demo_spec.PLAYERS)}. [all]"
        ),
    ] = None,
    local_llm: Annotated[
        bool,
        typer.Option(
            "--local-llm",
            help="Add two agents on a real 135 M model that trades at random (130 MB download).",
        ),
    ] = False,
    plugins: FolderFlag = None,
    web: WebFlag = None,
    web_port: WebPort = None,
    *,
    risk_values: RiskValues,
) -> None:
    """Run a whole arena here: simulated exchange, agents, executor, dashboard, standings.

    Needs no key, no Docker and no account. Ctrl-C stops all processes at any moment.

    Example: arena demo --seconds 45 --json demo.json
    """
    require_writable(json_file, "--json")
    chosen = [a.strip().replace("-", "_") for a in agents.split(",")] if agents else None
    speed = speed or (demo_spec.LOCAL_SPEED if local_llm else demo_spec.SPEED)
    found = plugins_of(plugins, Settings())
    others = [strategy_key(name) for name in found.names]
    text = demo_spec.demo_toml(
        seed=seed, speed=speed, strategies=chosen, local=local_llm, others=others
    )
    text = with_risk(text, risk_values)
    if local_llm:
        install_local_llm()

    def run(stack: ExitStack) -> int:
        return _demo(text, seconds, json_file, stack, found, web=web, web_port=web_port)

    exit_with_code_of(run)


def _demo(
    text: str,
    seconds: float,
    json_file: Path | None,
    stack: ExitStack,
    plugins: Plugins,
    *,
    web: bool | None,
    web_port: int | None,
) -> int:
    home = Settings().home
    directory = new_run_directory(home, datetime.now().astimezone())
    steps = print_title(STEPS)
    try:
        (directory / demo_context.NAME).write_text(demo_context.demo_context(), encoding="utf-8")
        loaded = load_built_in_spec(text, directory, plugins)
        check_plugins(loaded, Settings())
        page = choose_page(loaded.spec.web, web, web_port)
        broker = stack.enter_context(find_or_start_broker(directory, progress=steps.show))
    except (KeyboardInterrupt, UsageError):
        shutil.rmtree(directory, ignore_errors=True)  # nothing ran, so there is nothing to read
        raise
    except DependencyMissing:
        if not _has_logs(directory):
            shutil.rmtree(directory, ignore_errors=True)
        raise
    spec = loaded.spec
    settings = broker_settings(broker, Settings().override(prefix=f"demo-{directory.name}."))
    ensure_topics(spec, settings)
    setup = RunSetup(
        command="demo",
        spec=spec,
        text=text,
        folder=directory,
        settings=settings,
        broker=broker,
        broker_home=directory if broker.data_dir else None,
        directory=directory,
        files=loaded.files,
    )
    demo_run = _DemoRun(setup, seconds, plugins, page, terminal=on_terminal())
    with StopSignals() as signals:
        document = demo_run.run(steps, signals)
    if document is not None:
        demo_run.risk = read_risk_report(settings)
    stopped = signal_exit_code(signals)
    if stopped is None and document is not None:
        demo_run.print_end(document)
    else:
        demo_run.print_stopped(document)
    given_up = given_up_lines(demo_run.processes)
    for line in given_up:
        print(f" {line}", flush=True)
    if json_file is not None and document is not None:
        content = json.dumps(
            demo_document(document, setup, demo_run.elapsed_s, demo_run.risk), indent=2
        )
        write_atomic(json_file, content + "\n")
        print(f" Written: {json_file}")
    if stopped is None:
        export_or_note(setup)
    return stopped or (EXIT_NO if given_up else 0)


def _has_logs(directory: Path) -> bool:
    """True if a broker was started and has written logs that say why it failed."""
    return any(path.stat().st_size for path in directory.rglob("*.log"))


@dataclass
class _DemoRun:
    """One demo from its first process to its last."""

    setup: RunSetup
    seconds: float
    plugins: Plugins
    page: WebPage | None
    terminal: bool
    elapsed_s: float = 0.0
    lines_printed: int = 0
    deferred: list[str] = field(default_factory=list)
    processes: tuple[ProcessRecord, ...] = ()
    risk: RiskReport = field(default_factory=RiskReport)

    def run(self, steps: NumberedSteps, signals: StopSignals) -> messages_text.Document | None:
        """Start, watch and stop; return the standings, or None if it was stopped without any."""
        spec, settings = self.setup.spec, self.setup.settings
        dashboard = ["--title", "arena demo"]
        if self.terminal:
            dashboard += ["--seconds", f"{self.seconds:g}"]
        processes = planned_processes(
            spec,
            settings,
            self.setup.folder,
            dashboard=tuple(dashboard),
            terminal=self.terminal,
            page=self.page,
            run_directory=self.setup.directory,
            own_broker=True,
            plugins=self.plugins,
        )
        run = prepare_run(self.setup, processes, self._print_change)
        try:
            self._print_introduction(steps, processes)
            run.start(lambda: signals.received is not None)
            started_s = time.monotonic()
            # On a terminal the dashboard ends by itself, later by the time that it took to start.
            spare_s = DASHBOARD_SPARE_S if self.terminal else 0.0
            supervise(
                run,
                signals,
                seconds=self.seconds + spare_s,
                has_begun=lambda: self.terminal or self._shows_a_snapshot(run),
                on_tick=partial(self._progress, run),
            )
            self.elapsed_s = time.monotonic() - started_s
        finally:
            run.stop(lambda: signals.hurried)
        self.processes = run.record.processes
        for text in self.deferred:
            print(text)
        self._print_dashboard_crash(run)
        return self._standings(signals)

    def _standings(self, signals: StopSignals) -> messages_text.Document | None:
        if signals.hurried:
            return None
        stopped = signals.received is not None
        if stopped:
            print("\n Stopped; reading the standings so far (Ctrl-C skips them)", flush=True)
        deadline_s = STOPPED_DEADLINE_S if stopped else DEADLINE_S
        try:
            return read_standings(
                self.setup.settings,
                deadline_s=deadline_s,
                cancelled=lambda: signals.hurried,
                remedy=f"read the logs in {self.setup.directory}/logs and the broker's log",
            )
        except ArenaError as error:
            if signals.received is None:
                raise
            print(f" {error}")
            return None

    def _print_introduction(self, steps: NumberedSteps, processes: list[ProcessSpec]) -> None:
        spec = self.setup.spec
        what = messages_text.processes_text(processes, len(spec.agents))
        detail = f"{len(processes)}, which communicate only through Kafka topics"
        steps.show(Step(PROCESSES, detail, finished=True))
        print(f"       {what}\n")
        print(f" {messages_text.prices_text(spec)}\n {messages_text.models_text(spec)}")
        print(" Nothing here trades real money. Ctrl-C stops everything.")
        if self.page is not None:
            print(f" {self.page.line}")
        if self.setup.broker.note:
            print(f" Note: {self.setup.broker.note}.")
        print("" if self.terminal else "\n", end="", flush=True)

    def _print_change(self, change: Change) -> None:
        text = f" {change.name} {change.text}"
        if self.terminal:
            self.deferred.append(text)  # the dashboard has the screen
        else:
            print(text, flush=True)

    def _print_dashboard_crash(self, run: ArenaRun) -> None:
        """Print the log's end if the dashboard crashed; the screen is empty then."""
        for process in run.record.processes:
            if process.name == DASHBOARD and process.exit_code not in STOPPED_CODES:
                print(f" the dashboard ended with {process.exit_code}:")
                print(run.supervisor.log_tail(DASHBOARD))

    def _progress(self, run: ArenaRun, elapsed_s: float, counted_s: float) -> None:
        """Print the dashboard's newest line at intervals if there is no terminal."""
        if self.terminal or elapsed_s < (self.lines_printed + 1) * LINE_INTERVAL_S:
            return
        self.lines_printed += 1
        left_s = max(0.0, self.seconds - counted_s)
        print(f" {self._dashboard_line(run) or 'starting'}   {left_s:.0f} s left", flush=True)

    def _shows_a_snapshot(self, run: ArenaRun) -> bool:
        return FIRST_SNAPSHOT.search(self._dashboard_line(run)) is not None

    def _dashboard_line(self, run: ArenaRun) -> str:
        """The dashboard's newest line, without a terminal; its log messages are JSON."""
        lines = run.supervisor.log_tail(DASHBOARD).splitlines()
        return next((line for line in reversed(lines) if not line.startswith("{")), "")

    def _records(self, arena: str) -> list[str]:
        directory = self.setup.directory
        if not self.setup.broker.durable:
            return [f"Records: none; they were in the broker's memory. Logs: {directory}/logs"]
        return [
            f"Records: {directory}",
            f"  in a browser:     {arena} web --run last",
            f"  read them:        {arena} tail account.events",
            f"  the books:        {arena} ledger trial-balance",
            f"  verify them:      {arena} audit verify   and   {arena} audit trace --random",
        ]

    def print_stopped(self, document: messages_text.Document | None) -> None:
        """Print the standings of a stopped demo, and where its records are."""
        lines = [] if document is None else ["", *interim_lines(document), ""]
        lines.append("Stopped; no process of the arena is left.")
        print(
            "\n".join(f" {line}".rstrip() for line in [*lines, *self._records(arena_command())]),
            flush=True,
        )

    def print_end(self, document: messages_text.Document) -> None:
        """Print the standings, where the records are, and what to try next."""
        spec = self.setup.spec
        arena = arena_command()
        lines = [
            "",
            *messages_text.standings_title(document, self.elapsed_s, spec.arena.interval_s),
            *messages_text.standings_table(document),
            "",
            *risk_lines(self.risk),
            *messages_text.too_few_lines(document, self.elapsed_s),
            messages_text.prices_text(spec),
            messages_text.models_text(spec),
            "",
            *self._records(arena),
            "Next:",
            f"  the live market:  {arena} up examples/live.toml",
            f"  a real model:     OPENAI_API_KEY=... {arena} up examples/single-model.toml",
            f"  your own arena:   {arena} up ARENA.toml, a copy of one in examples/",
            f"  a contest:        {arena} compete run examples/competition.toml",
        ]
        print("\n".join(f" {line}".rstrip() for line in lines), flush=True)
