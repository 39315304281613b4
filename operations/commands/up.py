"""`arena up ARENA.toml`: the processes of an arena on this machine, supervised.

Reads the file; starts a broker if none is given and none runs; writes `<home>/runs/<time>/`. Prints
the standings at the end, which a second Ctrl-C skips. Exit codes: 0 after `--seconds` or SIGTERM,
130 after Ctrl-C, 1 if a process was given up or an agent is dead.
"""

import os
import shlex
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from signal import SIGINT
from typing import Annotated

import typer

from arena.errors import EXIT_INTERRUPTED, EXIT_NO
from arena.plugin_options import AllowFlag, FolderFlag, plugin_choice
from arena.plural import counted
from arena.prefix import MARK, local_name
from arena.risk_flags import with_spec_risk_flags
from arena.risk_settings import RiskValues
from arena.runs import new_run_directory
from arena.settings import Settings
from arena.visible_text import one_line
from operations.commands.compete_spec import with_risk
from operations.commands.env_setup import load_env_beside
from operations.commands.heartbeat_watch import HeartbeatWatch
from operations.commands.local_llm import require_local_llm
from operations.commands.market_time import restore_market_time
from operations.commands.messages_text import file_lines, models_text, prices_text, processes_text
from operations.commands.plugins import LoadedSpec, check_plugins, load_spec_for_run
from operations.commands.preflight import NoCheck, check_context, preflight_arena
from operations.commands.price_check import check_prices
from operations.commands.run_standings import given_up_lines, interim_standings
from operations.commands.status_rows import dead_line
from operations.commands.supervised_run import (
    RunSetup,
    arena_command,
    broker_settings,
    ensure_topics,
    on_terminal,
    planned_processes,
    prepare_run,
    supervise,
)
from operations.commands.untradable_products import without_untradable_products
from operations.commands.up_conflicts import require_free_names
from operations.commands.web_page import WebFlag, WebPage, WebPort, choose_page, planned_page
from operations.localbroker.broker_lookup import find_or_start_broker
from operations.localbroker.broker_spec import BrokerHandle
from operations.processes.child import ProcessSpec
from operations.processes.stop_signals import StopSignals, terminate_as_interrupt
from operations.specs.arena_spec import ArenaSpec, read_spec
from operations.supervisor.plan import CONNECTOR, require_keys
from operations.supervisor.running import ArenaRun
from operations.supervisor.supervisor import Change

LINE_CHARS_MAX = 1_000
DEFAULT_MARKET = "default"


@with_spec_risk_flags
def up(
    path: Annotated[Path, typer.Argument(metavar="ARENA.toml", help="ARENA.toml to run.")],
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="Stop after N seconds.", min=0)
    ] = None,
    dashboard: Annotated[
        bool | None,
        typer.Option(
            "--dashboard/--no-dashboard",
            help="Show the dashboard here; q ends the run. [on, if this is a terminal]",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the commands of the processes; start nothing.")
    ] = False,
    prefix: Annotated[
        str | None, typer.Option(help="Topic prefix. [the file's, else ARENA_PREFIX]")
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Allow names that agents of other strategies or models used."
        ),
    ] = False,
    no_check: NoCheck = False,
    plugins: FolderFlag = None,
    allow_plugins: AllowFlag = False,
    web: WebFlag = None,
    web_port: WebPort = None,
    *,
    risk_values: RiskValues,
) -> None:
    """Run the processes of an ARENA.toml here, and restart those that crash.

    Example: arena up examples/demo.toml --seconds 60
    """
    load_env_beside(path)
    text, folder = with_risk(read_spec(path), risk_values), path.resolve().parent
    choice = plugin_choice(plugins, allow=allow_plugins or dry_run)
    loaded = load_spec_for_run(text, path, folder, choice)
    spec = loaded.spec
    settings = Settings().override(prefix=_prefix(spec, prefix))
    show = dashboard if dashboard is not None else spec.dashboard.show and on_terminal()
    dashboard_args = ("--title", spec.arena.name) if show else None
    if dry_run:
        page = planned_page(spec.web, web, web_port)
        _print_commands(loaded, settings, dashboard_args, page)
        return
    prices = check_prices(spec, folder)
    check_context(spec, folder)
    loaded = without_untradable_products(loaded, text, prices)
    spec = loaded.spec
    require_keys(spec, os.environ)
    require_local_llm(spec)
    preflight_arena(spec, settings.home, skip=no_check)
    check_plugins(loaded, settings)
    for line in file_lines(prices):
        print(f" {line}", flush=True)
    page = choose_page(spec.web, web, web_port)
    quiet = on_terminal() and show
    code = _start(loaded, settings, dashboard_args, page, seconds, replace=replace, quiet=quiet)
    sys.exit(code)


def _start(
    loaded: LoadedSpec,
    settings: Settings,
    dashboard: tuple[str, ...] | None,
    page: WebPage | None,
    seconds: float | None,
    *,
    replace: bool,
    quiet: bool,
) -> int:
    """Run a checked specification on a broker, which is started if needed; return the exit code."""
    spec, folder = loaded.spec, loaded.folder
    with terminate_as_interrupt(), ExitStack() as stack:
        broker = _open_broker(settings.home, stack)
        settings = broker_settings(broker, settings)
        ensure_topics(spec, settings)
        require_free_names(spec, settings, folder, loaded.plugins, replace=replace)
        restore_market_time(spec, settings, market_file(settings))
        setup = RunSetup(
            command="up",
            spec=spec,
            text=loaded.text,
            folder=folder,
            settings=settings,
            broker=broker,
            broker_home=settings.home if broker.data_dir else None,
            directory=new_run_directory(settings.home, datetime.now().astimezone()),
            files=loaded.files,
        )
        processes = planned_processes(
            spec,
            settings,
            folder,
            dashboard=dashboard,
            terminal=on_terminal(),
            page=page,
            run_directory=setup.directory,
            market=market_file(settings),
            replace_names=replace,
            plugins=loaded.plugins,
        )
        return _run(setup, processes, seconds, page, quiet=quiet)


def _prefix(spec: ArenaSpec, flag: str | None) -> str | None:
    if flag is not None:
        return flag
    return spec.arena.prefix if "prefix" in spec.arena.model_fields_set else None


def market_file(settings: Settings) -> Path:
    """The file for the venue time of a simulated market; it belongs to the topics, not the run."""
    name = local_name(settings.prefix)
    if name == DEFAULT_MARKET:
        name = MARK + name  # The arena without a prefix has the plain name.
    return settings.home.resolve() / "markets" / f"{name or DEFAULT_MARKET}.json"


def _open_broker(home: Path, stack: ExitStack) -> BrokerHandle:
    from arena.progress_bars import draw_progress

    with draw_progress() as progress:
        return stack.enter_context(find_or_start_broker(home, progress=progress))


def _print_commands(
    loaded: LoadedSpec,
    settings: Settings,
    dashboard: tuple[str, ...] | None,
    page: WebPage | None,
) -> None:
    processes = planned_processes(
        loaded.spec,
        settings,
        loaded.folder,
        dashboard=dashboard,
        terminal=False,
        page=page,
        launcher=("arena",),
        market=market_file(settings),
        plugins=loaded.plugins,
    )
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "ARENA_PREFIX"):
        if value := processes[0].environ[name]:
            print(f"export {name}={shlex.quote(value)}")
    for process in processes:
        print(shlex.join(process.argv))


def _run(
    setup: RunSetup,
    processes: list[ProcessSpec],
    seconds: float | None,
    page: WebPage | None,
    *,
    quiet: bool,
) -> int:
    """Start, supervise and stop; return the exit code."""
    deferred: list[str] = []

    def print_change(change: Change) -> None:
        text = one_line(f"{change.name} {change.text}", LINE_CHARS_MAX)
        if quiet:
            deferred.append(text)  # the dashboard has the screen
        else:
            print(text, file=sys.stderr, flush=True)

    with StopSignals() as signals:
        run, health = prepare_run(setup, processes, print_change), HeartbeatWatch(setup.settings)
        try:
            health.start()
            run.start(lambda: signals.received is not None)
            _print_introduction(setup, processes, page)
            reporter = _HealthReporter(run, health, print_change)
            supervise(run, signals, seconds=seconds, on_tick=lambda *_: reporter.tick())
        finally:
            run.stop(lambda: signals.hurried)
            health.stop()
        for text in deferred:
            print(text, file=sys.stderr)
        _print_end(run, interim_standings(setup.settings, signals))
    if signals.received == SIGINT:
        return EXIT_INTERRUPTED
    return EXIT_NO if given_up_lines(run.record.processes) or run.record.dead else 0


@dataclass
class _HealthReporter:
    """Reports agents that die or recover, and what is wrong with the market; records the dead."""

    run: ArenaRun
    health: HeartbeatWatch
    report: Callable[[Change], None]
    feed_down: str = ""
    warning: str = ""

    def tick(self) -> None:
        """Report the changes since the last tick."""
        now, before = self.health.dead(), {one.agent for one in self.run.record.dead}
        for one in now:
            if one.agent not in before:
                self.report(Change(one.agent, f"is dead: {one.cause}; {one.remedy}"))
        for agent in sorted(before - {one.agent for one in now}):
            self.report(Change(agent, "is alive again"))
        self.run.note_dead(now)
        down = self.health.feed_down()
        if down != self.feed_down:
            self.feed_down = down
            self.report(Change(CONNECTOR, down or "receives prices again"))
        warning = self.health.market_warning()
        if warning != self.warning:
            self.warning = warning
            self.report(Change(CONNECTOR, warning or "has no market warning any more"))


def _print_introduction(
    setup: RunSetup, processes: list[ProcessSpec], page: WebPage | None
) -> None:
    spec = setup.spec
    print(f" arena {spec.arena.name}, {counted(len(processes), 'process', 'processes')}:")
    print(f"   {processes_text(processes, len(spec.agents))}")
    print(f" {prices_text(spec)}\n {models_text(spec)}")
    print(" Nothing here trades real money. Ctrl-C stops everything.")
    if page is not None:
        print(f" {page.line}")
    print(f" Logs: {setup.directory}/logs\n   status: {arena_command()} status", flush=True)
    if setup.broker.note:
        print(f" Note: {setup.broker.note}.", flush=True)


def _print_end(run: ArenaRun, standings: list[str]) -> None:
    for line in ["", *standings, ""] if standings else []:
        print(f" {line}".rstrip())
    for one in run.record.dead:
        print(f" {dead_line(one)}")
    for line in given_up_lines(run.record.processes):
        print(f" {line}")
    print(
        f" Records: {run.directory}\n   read them: {arena_command()} tail account.events",
        flush=True,
    )
