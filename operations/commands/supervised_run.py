"""The parts of a supervised run that `up`, `demo` and `compete run` share."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import arena
from arena import topics
from arena.acls import rules_for
from arena.credentials import ADMIN, credentials_for, credentials_of_command
from arena.errors import EXIT_TERMINATED
from arena.output import discard_output
from arena.plugins import NO_PLUGINS, PluginFile, Plugins
from arena.process_kinds import command_of
from arena.processes import started_at
from arena.run_lookup import with_login
from arena.runs import BOOKS, FRAMES, MARKET, RunRecord
from arena.settings import KafkaAccess, Settings
from arena.supervision import SUPERVISOR
from operations.commands.web_page import WebPage
from operations.localbroker.broker_spec import KAFKA_COMPATIBLE, BrokerHandle
from operations.localbroker.ports import first_of_free_ports
from operations.processes.child import ProcessSpec
from operations.processes.stop_signals import StopSignals, Terminated, terminate_as_interrupt
from operations.specs.arena_spec import ArenaSpec
from operations.specs.venues import by_venue
from operations.supervisor.plan import LaunchContext, plan
from operations.supervisor.running import ArenaRun
from operations.supervisor.supervision_link import SupervisionLink
from operations.supervisor.supervisor import TICK_S, Change

# -P: Python must not import a folder "arena" of the working directory as this package.
LAUNCHER = (sys.executable, "-P", "-m", "arena")
BEGIN_S_MAX = 60.0
"""Longest time from the start of a run to that from which its time limit counts."""
EXIT_PIPE = 141
"""128 + SIGPIPE: the reader of the output closed the pipe."""
COMPATIBLE_FETCH_WAIT_MS = 10
"""The memory-only broker does not wake a waiting fetch when a record comes."""


@dataclass(frozen=True, slots=True)
class RunSetup:
    """The inputs of a run.

    Attributes:
        command: "up", "demo" or "compete".
        spec: The arena. text: The ARENA.toml it was read from. folder: The folder to which its
            paths are relative.
        settings: Broker, prefix and home of the run.
        broker: The broker that was found or started.
        broker_home: The home with the broker's data, or None for a broker of others.
        directory: The directory of the run.
        files: The plugin files that the run loads.
    """

    command: str
    spec: ArenaSpec
    text: str
    folder: Path
    settings: Settings
    broker: BrokerHandle
    broker_home: Path | None
    directory: Path
    files: tuple[PluginFile, ...] = ()


def planned_processes(
    spec: ArenaSpec,
    settings: Settings,
    folder: Path,
    *,
    dashboard: tuple[str, ...] | None,
    terminal: bool,
    page: WebPage | None = None,
    launcher: tuple[str, ...] = LAUNCHER,
    run_directory: Path | None = None,
    own_broker: bool = False,
    market: Path | None = None,
    replace_names: bool = False,
    plugins: Plugins = NO_PLUGINS,
) -> list[ProcessSpec]:
    """Plan the processes of an arena here, with a free port for its exchange.

    Args:
        spec: The arena.
        settings: Broker, prefix and home of the run.
        folder: The folder to which the paths in the spec are relative.
        dashboard: Arguments of the dashboard, or None for no dashboard.
        terminal: The dashboard owns the terminal.
        page: The page, or None for no page.
        launcher: The command that runs `arena`.
        run_directory: The directory for the run's records.
        own_broker: True if the broker is the run's own; its books are then in its directory.
        market: The file for the venue time of a simulated market; None for the run's directory.
        replace_names: Allow agents' names that other strategies or chat nodes used.
        plugins: Tools and strategies outside the source tree.
    """
    context = LaunchContext(
        launcher=launcher,
        environ=process_environment(settings),
        directory=folder,
        exchange_port=first_of_free_ports(len(by_venue(spec.arena.products))),
        dashboard_flags=dashboard,
        dashboard_in_terminal=terminal,
        web_port=page.port if page else None,
        recording_file=run_directory.resolve() / FRAMES if run_directory else None,
        ledger_file=run_directory.resolve() / BOOKS if run_directory and own_broker else None,
        market_state_file=market or (run_directory.resolve() / MARKET if run_directory else None),
        replace_names=replace_names,
        plugins=plugins,
    )
    return [_with_login(process, settings, launcher) for process in plan(spec, context)]


def _with_login(process: ProcessSpec, settings: Settings, launcher: tuple[str, ...]) -> ProcessSpec:
    """Give a process the login of its kind, if the broker here is secure."""
    if settings.access.sasl_username != ADMIN:
        return process
    own = credentials_of_command(settings.home, command_of(process.argv[len(launcher) :]))
    return replace(process, environ={**process.environ, **own})


def broker_settings(broker: BrokerHandle, settings: Settings) -> Settings:
    """Return the settings for a broker; the memory-only one needs special values."""
    settings = settings.override(bootstrap_servers=broker.bootstrap)
    settings = with_login(settings, settings.home, ADMIN)
    if broker.kind != KAFKA_COMPATIBLE:
        return settings
    return settings.override(idempotence=False, fetch_wait_ms=COMPATIBLE_FETCH_WAIT_MS)


def process_environment(settings: Settings) -> dict[str, str]:
    """The environment variables of every process of a run."""
    root = str(Path(arena.__file__).resolve().parents[1])
    return {
        "ARENA_IDEMPOTENCE": str(settings.idempotence).lower(),
        "ARENA_FETCH_WAIT_MS": str(settings.fetch_wait_ms),
        "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "ARENA_PREFIX": settings.prefix,
        "ARENA_HOME": str(settings.home.resolve()),
        "ARENA_CANDLES_HOME": str(Settings().cache_home.resolve()),
        "ARENA_PLUGINS": "",  # flags name the plugins that a process may load
        "ARENA_ENV_READ": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH")))),
    }


def ensure_topics(spec: ArenaSpec, settings: Settings) -> None:
    """Create the missing topics of an arena; on our secure broker also its access rules.

    A signal is raised only afterwards: inside, a client library may take the cancellation for its
    own and continue.
    """

    async def create() -> None:
        from arena.bus.kafka import KafkaBus
        from operations.kafka_acls import apply_rules

        bus = KafkaBus(settings, client_id="arena-up")
        await bus.start()
        try:
            await bus.ensure_topics([*topics.fixed_topics(), *spec.topics()])
        finally:
            await bus.close()
        if settings.access.sasl_username == ADMIN:
            await apply_rules(settings, rules_for(settings.prefix))

    with StopSignals() as signals:
        asyncio.run(create())
    signals.raise_received()


def prepare_run(
    setup: RunSetup, processes: list[ProcessSpec], on_change: Callable[[Change], None]
) -> ArenaRun:
    """Create the run and its record; nothing is started."""
    spec, broker = setup.spec, setup.broker
    simulated = not spec.market.is_live
    record = RunRecord(
        command=setup.command,
        name=spec.arena.name,
        folder=str(setup.folder.resolve()),
        prefix=setup.settings.prefix,
        bootstrap=broker.bootstrap,
        broker_kind=broker.kind,
        broker_version=broker.version,
        broker_home=str(setup.broker_home.resolve()) if setup.broker_home else None,
        durable=broker.durable,
        simulated=simulated,
        speed=spec.market.speed if simulated else 1.0,
        pid=os.getpid(),
        pid_started_at=started_at(os.getpid()) or 0.0,
        started_at=datetime.now(UTC),
        agents=tuple(agent.name for agent in spec.agents),
        version=arena.__version__,
        plugins=setup.files,
    )
    competition = spec.competition
    return ArenaRun(
        record,
        setup.directory,
        processes,
        spec_text=setup.text,
        on_change=on_change,
        link=SupervisionLink(supervisor_settings(setup.settings), setup.directory.name),
        lock_step=competition is not None and competition.lock_step,
    )


def supervisor_settings(settings: Settings) -> Settings:
    """The settings with the supervisor's own login, if the broker here is secure."""
    if settings.access.sasl_username != ADMIN:
        return settings
    own = credentials_for(settings.home, SUPERVISOR)
    return settings.override(access=KafkaAccess.of(own)) if own else settings


def supervise(
    run: ArenaRun,
    signals: StopSignals,
    *,
    seconds: float | None,
    has_begun: Callable[[], bool] = lambda: True,
    on_tick: Callable[[float, float], None] = lambda elapsed_s, counted_s: None,
) -> None:
    """Supervise a run until a signal, the time limit, the user, or the end of every process.

    Args:
        run: The started run.
        signals: Checked ten times a second.
        seconds: Time limit; None for no limit.
        has_begun: The time limit counts from when this is true, at the latest from
            `BEGIN_S_MAX` seconds after the start.
        on_tick: Called ten times a second with the seconds since the start, and with those that
            count.
    """
    started_s = time.monotonic()
    begun_s: float | None = None
    while signals.received is None:
        run.tick()
        now_s = time.monotonic()
        if begun_s is None and (has_begun() or now_s > started_s + BEGIN_S_MAX):
            begun_s = now_s
        counted_s = 0.0 if begun_s is None else now_s - begun_s
        on_tick(now_s - started_s, counted_s)
        if run.supervisor.foreground_ended or run.supervisor.all_ended:
            return
        if seconds is not None and begun_s is not None and counted_s >= seconds:
            return
        time.sleep(TICK_S)


def signal_exit_code(signals: StopSignals) -> int | None:
    """128 + the signal's number, as shells do (130 after Ctrl-C); None without a signal."""
    return None if signals.received is None else 128 + signals.received


def exit_with_code_of(command: Callable[[ExitStack], int]) -> NoReturn:
    """Run a command and exit with its code; SIGTERM and a closed pipe end it in order.

    Args:
        command: Called with a stack that is closed before the exit.
    """
    try:
        with terminate_as_interrupt(), ExitStack() as stack:
            code = command(stack)
    except Terminated:
        code = EXIT_TERMINATED
    except BrokenPipeError:
        discard_output(sys.stdout)
        code = EXIT_PIPE
    sys.exit(code)


def on_terminal() -> bool:
    """True if a person can read the output and press keys."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def arena_command() -> str:
    """The command to type for `arena`: its name if the shell finds it, else its path."""
    if shutil.which("arena"):
        return "arena"
    script = Path(sys.executable).with_name("arena")
    if not script.exists():
        return f"{sys.executable} -m arena"
    here = Path.cwd()
    return str(script.relative_to(here) if script.is_relative_to(here) else script)
