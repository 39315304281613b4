"""Finds the arena that a command is for: the given one, or the newest suitable run of this home.

Flags come first, then `KAFKA_BOOTSTRAP_SERVERS` and `ARENA_PREFIX`, then the runs in `<home>/runs`.
A finished run is read from its export, without a broker. If it has none and had its own broker,
that broker is started on its data while the command reads.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from arena.broker_state import local_state
from arena.credentials import PLAINTEXT, credentials_for
from arena.errors import ArenaError, DependencyMissing, UsageError
from arena.output import print_note
from arena.runs import (
    EXPORT_NEEDED,
    RECORDS,
    RECORDS_NEEDED,
    RunRecord,
    find_run,
    has_export,
    runs_newest_first,
)
from arena.settings import BOOTSTRAP_VARIABLE, KafkaAccess, Settings

if TYPE_CHECKING:
    from arena.bus.base import Bus

LOCAL_BROKER = "operations.localbroker.broker_lookup"
"""Starts the broker of a finished run; a string, because `arena` imports no other package."""
PREFIX_VARIABLE = "ARENA_PREFIX"


class OpenedBroker(Protocol):
    """A running broker.

    Attributes:
        bootstrap: "host:port", comma-separated.
        ready_s: Seconds from its start to its first answer; 0 if it was running already.
    """

    @property
    def bootstrap(self) -> str:
        """Its addresses."""

    @property
    def ready_s(self) -> float:
        """Seconds that its start took."""


class OpenBroker(Protocol):
    """Opens the broker of a home, and stops it at the end if it started it."""

    def __call__(  # noqa: D102
        self, home: Path, *, environ: Mapping[str, str]
    ) -> AbstractContextManager[OpenedBroker]: ...


@dataclass(frozen=True, slots=True)
class ArenaLocation:
    """Location of the arena that a command is for.

    Attributes:
        settings: Broker and prefix; if `records` is set, the broker need not run.
        directory: The folder of the run; None without a run, or if its prefix is not the one
            that was asked for.
        run: The record of that run.
        records: Folder of the run's export, if it is read instead of a broker.
    """

    settings: Settings
    directory: Path | None = None
    run: RunRecord | None = None
    records: Path | None = None

    @property
    def name(self) -> str:
        """Description for people: the exported records of a run, or a broker."""
        if self.records is not None and self.directory is not None:
            return f"the exported records of run {self.directory.name}"
        return self.settings.bootstrap_servers

    def bus(self, client_id: str) -> "Bus":
        """A bus for its topics, not started.

        Args:
            client_id: Name of this client in the broker's logs.
        """
        if self.records is not None:
            from arena.bus.exported import ExportedBus

            return ExportedBus(self.records)
        from arena.bus.kafka import KafkaBus

        return KafkaBus(self.settings, client_id=client_id)

    async def topics(self) -> list[str]:
        """Its topics, without prefix."""
        if self.records is not None:
            from arena.export_files import read_manifest

            return list(read_manifest(self.records).topics)
        from arena.bus.kafka_admin import list_topics

        return await list_topics(self.settings)


@contextmanager
def find_arena(
    servers: str | None = None,
    prefix: str | None = None,
    run_name: str | None = None,
    *,
    start_broker: bool = True,
    principal: str = "cli",
    offline: bool = False,
) -> Iterator[ArenaLocation]:
    """Yield the location of the arena that a command is for, with a readable broker or export.

    Args:
        servers: Value of --bootstrap-servers.
        prefix: Value of --prefix.
        run_name: Value of --run. None for the newest run whose records can be read; for a command
            that does not start a broker, the newest running one, else the newest.
        start_broker: True to start the broker of a finished run on its data, and stop it after.
        principal: User for a secure broker of this machine, if no variable names one.
        offline: True for a command that only reads, through `ArenaLocation.bus`: it gets the export
            of a finished run, if there is one.

    Raises:
        UsageError: There is no such run.
        ArenaError: The run has ended, and its broker must not be started for this command.
        DependencyMissing: The broker's data is gone, or the broker cannot be started.
    """
    settings = Settings()
    # Our own error explains a failed connection better than the client library's log.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    given = servers
    servers = servers or os.environ.get(BOOTSTRAP_VARIABLE, "").strip() or None
    prefix = requested_prefix(prefix)
    if run_name is not None:
        counted = RECORDS_NEEDED if start_broker and run_name.startswith("last") else None
        found: tuple[Path, RunRecord] | None = find_run(settings.home, run_name, need=counted)
        if found is not None and (found[1].broker_home is not None or found[1].is_backtest):
            servers = given  # the variable means another broker than the run's own
    else:
        found = _newest(settings.home, servers, prefix, start_broker=start_broker)
    if found is None:
        servers = servers or _running_here(settings.home)
        settings = settings.override(bootstrap_servers=servers, prefix=prefix or "")
        yield ArenaLocation(with_login(settings, settings.home, principal))
        return
    directory, run = found
    is_its = prefix in (None, run.prefix)
    prefix = run.prefix if prefix is None else prefix
    chosen = given if run_name is not None else servers
    if offline and is_its and chosen is None and has_export(directory, run):
        settings = settings.override(bootstrap_servers=run.bootstrap, prefix=prefix)
        yield ArenaLocation(settings, directory, run, records=directory / RECORDS)
        return
    refusal = None if start_broker else _not_running(directory, run, run_name)
    with _broker_of(run, directory, servers, refusal) as address:
        settings = settings.override(bootstrap_servers=address, prefix=prefix)
        home = Path(run.broker_home) if run.broker_home else settings.home
        settings = with_login(settings, home, principal)
        yield ArenaLocation(settings, directory, run) if is_its else ArenaLocation(settings)


def _newest(
    home: Path, servers: str | None, prefix: str | None, *, start_broker: bool
) -> tuple[Path, RunRecord] | None:
    """The run for a command without --run: first one with the given broker and prefix."""
    runs = runs_newest_first(home)
    fit = [pair for pair in runs if prefix in (None, pair[1].prefix)] or runs
    if servers is not None:
        fit = [pair for pair in fit if servers == pair[1].bootstrap]
    elif start_broker:
        fit = [pair for pair in fit if RECORDS_NEEDED.is_met(*pair)] or fit
    else:
        fit = [pair for pair in fit if pair[1].is_running()] or fit
    return next(iter(fit), None)


def _not_running(directory: Path, run: RunRecord, named: str | None) -> ArenaError:
    """The error of a command for running arenas if the run has ended."""
    if named is None:
        return ArenaError(
            f"no arena runs here; the newest run was {directory.name}",
            remedy="start one with arena demo, or arena up ARENA.toml",
        )
    at = run.ended_at
    when = f"ended at {at.astimezone():%Y-%m-%d %H:%M:%S}" if at else "was killed"
    return ArenaError(
        f"run {directory.name} {when}; none of its processes is running",
        remedy="`arena runs show RUN` shows its end, `arena tail TOPIC --run RUN` its records",
    )


def requested_prefix(prefix: str | None) -> str | None:
    """The prefix from the flag or the environment; None if neither is given."""
    return prefix if prefix is not None else os.environ.get(PREFIX_VARIABLE)


def with_login(settings: Settings, home: Path, principal: str) -> Settings:
    """Add a principal's login to the settings, if they name a home's own secure broker.

    A login from the environment is kept.
    """
    state = local_state(home)
    if settings.access.security_protocol != PLAINTEXT or state is None:
        return settings
    ours = set(settings.bootstrap_servers.split(",")) <= set(state.bootstrap.split(","))
    if state.security == PLAINTEXT or not ours:
        return settings
    return settings.override(access=KafkaAccess.of(credentials_for(home, principal)))


def running_settings(
    servers: str | None, prefix: str | None, run_name: str | None, *, principal: str = "cli"
) -> Settings:
    """Broker and prefix of the arena that a command is for; starts nothing.

    Args:
        servers: Value of --bootstrap-servers.
        prefix: Value of --prefix.
        run_name: Value of --run. None for a running run of this home, else flags and variables.
        principal: User for a secure broker of this machine, if no variable names one.

    Raises:
        ArenaError: The named run does not run.
    """
    settings = Settings()
    runs = () if run_name is not None else runs_newest_first(settings.home)
    if run_name is None and not any(run.is_running() for _, run in runs):
        return settings.override(bootstrap_servers=servers, prefix=prefix)
    with find_arena(servers, prefix, run_name, start_broker=False, principal=principal) as location:
        return location.settings


def exported_records(folder: Path | None, run_name: str | None) -> Path:
    """The folder of exported records that a command is for.

    Args:
        folder: Value of --records.
        run_name: Value of --run; the newest run with an export if neither is given.

    Raises:
        UsageError: Both are given, or the run does not exist.
    """
    if folder is not None and run_name is not None:
        raise UsageError("--records and --run are both given", remedy="give one of them")
    if folder is not None:
        return folder
    return find_run(Settings().home, run_name or "last", need=EXPORT_NEEDED)[0] / RECORDS


def _running_here(home: Path) -> str | None:
    state = local_state(home)
    return state.bootstrap if state is not None and state.is_running() else None


@contextmanager
def _broker_of(
    run: RunRecord, directory: Path, servers: str | None, refusal: ArenaError | None
) -> Iterator[str]:
    if run.is_backtest and not servers:
        raise refusal or ArenaError(
            f"run {directory.name} was a backtest, without a broker: its records are not changed",
            remedy="commands that read take its export: arena tail TOPIC --run RUN",
        )
    if servers or run.broker_home is None:
        yield servers or run.bootstrap
        return
    home = Path(run.broker_home)
    state = local_state(home)
    running = state is not None and state.is_running()
    if not running and not run.durable:
        raise DependencyMissing(
            f"run {directory.name} has ended, and its records were only in memory",
            remedy="install Java 17 or newer, so that the next run keeps its records",
        )
    if not running and refusal is not None:
        raise refusal
    open_broker: OpenBroker = import_module(LOCAL_BROKER).find_or_start_broker
    with open_broker(home, environ={}) as broker:
        if not running:
            print_note(
                f"started the broker of run {directory.name} to read it, {broker.ready_s:.1f} s"
            )
        yield broker.bootstrap
