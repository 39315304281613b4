"""`arena demo`: a whole arena on this machine, from nothing to a standings table.

Starts a broker with data of its own, the processes of `examples/demo.toml` on it, shows the
dashboard on a terminal and progress lines elsewhere, stops everything, prints the standings.
Writes `<home>/runs/<time>/`, the broker's data included: what it printed can be read again.

Exit codes: 0, 1 if a process had to be given up, 130 after Ctrl-C, 143 after SIGTERM,
141 if the reader of its output went away. A demo that is stopped prints the standings so far; a
second Ctrl-C skips them.
"""

import json
import os
import shutil
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from signal import SIGTERM
from typing import Annotated

import typer

from arena import __version__
from arena.atomic_files import require_writable, write_atomic
from arena.baselines import strategy_key
from arena.errors import EXIT_NO, ArenaError, UsageError
from arena.output import discard_output
from arena.plugin_options import FolderFlag, plugins_of
from arena.plugins import Plugins
from arena.progress import Step
from arena.runs import ProcessRecord, new_run_directory
from arena.settings import Settings
from operations.commands import demo_spec
from operations.commands import messages_text as words
from operations.commands.demo_report import report
from operations.commands.export_run import export_or_note
from operations.commands.local_llm import install_local_llm
from operations.commands.numbered_steps import NumberedSteps
from operations.commands.plugins import check_plugins, load_built_in_spec
from operations.commands.run_standings import (
    DEADLINE_S,
    STOPPED_DEADLINE_S,
    given_up,
    interim_lines,
    read_standings,
)
from operations.commands.supervised_run import (
    RunSetup,
    arena_command,
    broker_settings,
    ensure_topics,
    on_terminal,
    planned_processes,
    prepare_run,
    signal_exit_code,
    watch,
)
from operations.localbroker.resolve import resolve_broker
from operations.processes.child import ProcessSpec
from operations.processes.stop_signals import StopSignals, Terminated, terminate_as_interrupt
from operations.supervisor.plan import DASHBOARD
from operations.supervisor.running import ArenaRun
from operations.supervisor.supervisor import Change

PROCESSES = "processes"
LINE_INTERVAL_S = 8.0
DASHBOARD_SPARE_S = 10.0
EXIT_TERMINATED = 143
EXIT_PIPE = 141
STEP_VARIABLE = "ARENA_STEP"


def demo(
    seconds: Annotated[float, typer.Option("--seconds", help="How long it runs.", min=1)] = 90.0,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Also write the standings to FILE.", metavar="FILE"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed for the simulated prices.", min=0)] = 7,
    speed: Annotated[
        float | None,
        typer.Option(
            "--speed",
            help=f"Market speed [{demo_spec.SPEED:g}; {demo_spec.LOCAL_SPEED:g} with --local-llm].",
            min=1,
            max=600,
        ),
    ] = None,
    agents: Annotated[
        str | None,
        typer.Option(
            "--agents", help=f"Who plays, of {','.join(demo_spec.PLAYERS)}. [all of them]"
        ),
    ] = None,
    local_llm: Annotated[
        bool,
        typer.Option(
            "--local-llm",
            help="Two agents more, on a real 135 M model that trades at random; 130 MB, once.",
        ),
    ] = False,
    plugins: FolderFlag = None,
) -> None:
    """Run a whole arena here: simulated exchange, agents, executor, dashboard, standings.

    Needs no key, no Docker and no account. Ctrl-C at any moment leaves no process behind.

    Example: arena demo --seconds 45 --json demo.json
    """
    require_writable(json_file, "--json")
    chosen = [a.strip().replace("-", "_") for a in agents.split(",")] if agents else None
    speed = speed or (demo_spec.LOCAL_SPEED if local_llm else demo_spec.SPEED)
    outside = plugins_of(plugins, Settings())
    others = [strategy_key(name) for name in outside.names]
    text = demo_spec.demo_toml(
        seed=seed, speed=speed, strategies=chosen, local=local_llm, others=others
    )
    if local_llm:
        install_local_llm()
    try:
        with terminate_as_interrupt(), ExitStack() as stack:
            code = _demo(text, seconds, json_file, stack, outside)
    except Terminated:
        code = EXIT_TERMINATED
    except BrokenPipeError:
        discard_output(sys.stdout)
        code = EXIT_PIPE
    sys.exit(code)


def _demo(
    text: str, seconds: float, json_file: Path | None, stack: ExitStack, outside: Plugins
) -> int:
    home = Settings().home
    directory = new_run_directory(home, datetime.now().astimezone())
    steps = _begin()
    try:
        loaded = load_built_in_spec(text, directory, outside)
        check_plugins(loaded, Settings())
        broker = stack.enter_context(resolve_broker(directory, progress=steps.show))
    except (KeyboardInterrupt, UsageError):
        shutil.rmtree(directory, ignore_errors=True)  # nothing was run, nothing is to be read
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
    show = _Show(setup, seconds, outside, terminal=on_terminal())
    with StopSignals() as signals:
        document = show.play(steps, signals)
    stopped = signal_exit_code(signals)
    if stopped is None and document is not None:
        show.print_end(document)
    else:
        show.print_stopped(document)
    lost = given_up(show.processes)
    for line in lost:
        print(f" {line}", flush=True)
    if json_file is not None and document is not None:
        content = json.dumps(report(document, setup, show.elapsed_s), indent=2)
        write_atomic(json_file, content + "\n")
        print(f" Written: {json_file}")
    if stopped is None:
        export_or_note(setup)
    return stopped or (EXIT_NO if lost else 0)


def _begin() -> NumberedSteps:
    """The first line; steps are numbered behind those of `scripts/setup`, where it ran."""
    print(f" arena {__version__}   a contest between trading agents, on real Kafka", flush=True)
    first = 2 if STEP_VARIABLE in os.environ else 1
    return NumberedSteps(sys.stdout, first=first, names=("Apache Kafka", "broker", PROCESSES))


@dataclass
class _Show:
    """One demo from its first process to its last."""

    setup: RunSetup
    seconds: float
    outside: Plugins
    terminal: bool
    elapsed_s: float = 0.0
    told: int = 0
    later: list[str] = field(default_factory=list)
    processes: tuple[ProcessRecord, ...] = ()

    def play(self, steps: NumberedSteps, signals: StopSignals) -> words.Document | None:
        """Start, show, stop; returns the standings, or None if it was stopped without any."""
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
            run_directory=self.setup.directory,
            own_broker=True,
            plugins=self.outside,
        )
        run = prepare_run(self.setup, processes, self._tell)
        try:
            self._introduce(steps, processes)
            run.start(lambda: signals.received is not None)
            started_s = time.monotonic()
            # On a terminal the dashboard leaves by itself, and later by as much as it starts.
            spare_s = DASHBOARD_SPARE_S if self.terminal else 0.0
            watch(
                run,
                signals,
                seconds=self.seconds + spare_s,
                on_tick=lambda elapsed_s: self._progress(run, elapsed_s),
            )
            self.elapsed_s = time.monotonic() - started_s
        finally:
            run.stop(lambda: signals.hurried)
        self.processes = run.record.processes
        for text in self.later:
            print(text)
        self._tell_crash(run)
        return self._standings(signals)

    def _standings(self, signals: StopSignals) -> words.Document | None:
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
                hurried=lambda: signals.hurried,
                remedy=f"read the logs in {self.setup.directory}/logs and of the broker",
            )
        except ArenaError as error:
            if signals.received is None:
                raise
            print(f" {error}")
            return None

    def _introduce(self, steps: NumberedSteps, processes: list[ProcessSpec]) -> None:
        spec = self.setup.spec
        what = words.processes_text(processes, len(spec.agents))
        detail = f"{len(processes)}, which share nothing but Kafka topics"
        steps.show(Step(PROCESSES, detail, finished=True))
        print(f"       {what}\n")
        print(f" {words.prices_text(spec)}\n {words.models_text(spec)}")
        print(" Nothing here trades real money. Ctrl-C stops everything.")
        if self.setup.broker.note:
            print(f" Note: {self.setup.broker.note}.")
        print("" if self.terminal else "\n", end="", flush=True)

    def _tell(self, change: Change) -> None:
        text = f" {change.name} {change.text}"
        if self.terminal:
            self.later.append(text)  # the dashboard has the screen
        else:
            print(text, flush=True)

    def _tell_crash(self, run: ArenaRun) -> None:
        """A dashboard that died took the screen with it: say why."""
        for process in run.record.processes:
            if process.name == DASHBOARD and process.exit_code not in (0, None, -SIGTERM):
                print(f" the dashboard ended with {process.exit_code}:")
                print(run.supervisor.log_tail(DASHBOARD))

    def _progress(self, run: ArenaRun, elapsed_s: float) -> None:
        """Without a terminal: the newest line of the dashboard, now and then."""
        if self.terminal or elapsed_s < (self.told + 1) * LINE_INTERVAL_S:
            return
        self.told += 1
        lines = run.supervisor.log_tail(DASHBOARD).splitlines()
        # Its log holds its own lines and, as JSON, what it has to say of itself.
        newest = next((line for line in reversed(lines) if not line.startswith("{")), "")
        left_s = max(0.0, self.seconds - elapsed_s)
        print(f" {newest or 'starting'}   {left_s:.0f} s left", flush=True)

    def _records(self, arena: str) -> list[str]:
        directory = self.setup.directory
        if not self.setup.broker.durable:
            return [f"Records: none; the broker kept them in memory. Logs: {directory}/logs"]
        return [
            f"Records: {directory}",
            f"  read them:        {arena} tail account.events",
            f"  the books:        {arena} ledger trial-balance",
            f"  prove them:       {arena} audit verify   and   {arena} audit trace --random",
        ]

    def print_stopped(self, document: words.Document | None) -> None:
        """The standings of a demo that was stopped, and where its records are."""
        lines = [] if document is None else ["", *interim_lines(document), ""]
        lines.append("Stopped; no process of the arena is left.")
        print(
            "\n".join(f" {line}".rstrip() for line in [*lines, *self._records(arena_command())]),
            flush=True,
        )

    def print_end(self, document: words.Document) -> None:
        """The standings, where the records are, and what to try next."""
        spec = self.setup.spec
        arena = arena_command()
        lines = [
            "",
            *words.standings_title(document, self.elapsed_s, spec.arena.interval_s),
            *words.standings_table(document),
            "",
            *words.too_few_lines(document, self.elapsed_s),
            words.prices_text(spec),
            words.models_text(spec),
            "",
            *self._records(arena),
            "Next:",
            f"  the live market:  {arena} up examples/live.toml",
            f"  a real model:     OPENAI_API_KEY=... {arena} up examples/single-model.toml",
            f"  your own arena:   {arena} up ARENA.toml, after one of examples/",
            f"  who is better:    {arena} compete run examples/competition.toml",
        ]
        print("\n".join(f" {line}".rstrip() for line in lines), flush=True)
