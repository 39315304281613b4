"""Which arena a command means: the one it was told, or the newest run here.

Flags come first, then `KAFKA_BOOTSTRAP_SERVERS` and `ARENA_PREFIX`, then the newest run of
`<home>/runs`. A run that brought its own broker is read by starting that broker on its data for
as long as the reading takes.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from arena.errors import ArenaError, DependencyMissing
from arena.localbroker.cluster_state import local_state
from arena.localbroker.resolve import BOOTSTRAP_VARIABLE, resolve_broker
from arena.localbroker.security import PLAINTEXT, credentials_for
from arena.settings import KafkaAccess, Settings
from arena.supervisor.runs import RunRecord, find_run, newest_run
from arena.visible import one_line

REMARK_CHARS_MAX = 1_000
PREFIX_VARIABLE = "ARENA_PREFIX"

Servers = Annotated[
    str | None,
    typer.Option(
        "--bootstrap-servers",
        help="Kafka, host:port. [KAFKA_BOOTSTRAP_SERVERS, else the newest run's]",
    ),
]
Prefix = Annotated[
    str | None,
    typer.Option("--prefix", help="Topic prefix. [ARENA_PREFIX, else the newest run's]"),
]
Run = Annotated[
    str | None,
    typer.Option("--run", help="A run of .arena/runs by its name, instead of the newest."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@dataclass(frozen=True, slots=True)
class Where:
    """The arena a command means.

    Attributes:
        settings: Its broker and prefix.
        directory: Of the run it was found through; None where there is none, and where the run's
            arena has another prefix than the one that was asked for.
        run: That run's record.
    """

    settings: Settings
    directory: Path | None = None
    run: RunRecord | None = None


@contextmanager
def find_arena(
    servers: str | None = None,
    prefix: str | None = None,
    run_name: str | None = None,
    *,
    start_broker: bool = True,
    principal: str = "cli",
) -> Iterator[Where]:
    """Yield the arena a command means, with a broker that can be asked.

    Args:
        servers: The flag's value.
        prefix: Likewise.
        run_name: Likewise; the newest run where none is given.
        start_broker: Start the broker of a run that has ended, on its data, and stop it after.
        principal: Who logs in to a secure broker of this machine, where no variable says it.

    Raises:
        UsageError: There is no such run.
        ArenaError: It has ended, and its broker must not be started for this.
        DependencyMissing: Its broker is gone for good, or cannot be started.
    """
    settings = Settings()
    # What the client library has to say of a failed connection is said better by our own error.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    servers = servers or os.environ.get(BOOTSTRAP_VARIABLE, "").strip() or None
    prefix = asked_prefix(prefix)
    found = find_run(settings.home, run_name) if run_name else newest_run(settings.home)
    if found and servers and not run_name and servers != found[1].bootstrap:
        found = None  # another arena than the newest run here
    if found is None:
        servers = servers or _running_here(settings.home)
        settings = settings.override(bootstrap_servers=servers, prefix=prefix or "")
        yield Where(logged_in(settings, settings.home, principal))
        return
    directory, run = found
    prefix = run.prefix if prefix is None else prefix
    with _broker_of(run, directory, servers, start_broker=start_broker) as address:
        settings = settings.override(bootstrap_servers=address, prefix=prefix)
        home = Path(run.broker_home) if run.broker_home else settings.home
        settings = logged_in(settings, home, principal)
        yield Where(settings, directory, run) if prefix == run.prefix else Where(settings)


def asked_prefix(prefix: str | None) -> str | None:
    """The prefix that the flag or the environment names; None where neither does."""
    return prefix if prefix is not None else os.environ.get(PREFIX_VARIABLE)


def logged_in(settings: Settings, home: Path, principal: str) -> Settings:
    """The settings with the login of a principal, where they mean a home's own secure broker.

    A login that the environment names stays as it is.
    """
    state = local_state(home)
    if settings.access.security_protocol != PLAINTEXT or state is None:
        return settings
    ours = set(settings.bootstrap_servers.split(",")) <= set(state.bootstrap.split(","))
    if state.security == PLAINTEXT or not ours:
        return settings
    return settings.override(access=KafkaAccess.of(credentials_for(home, principal)))


def _running_here(home: Path) -> str | None:
    state = local_state(home)
    return state.bootstrap if state is not None and state.is_running() else None


@contextmanager
def _broker_of(
    run: RunRecord, directory: Path, servers: str | None, *, start_broker: bool
) -> Iterator[str]:
    if servers or run.broker_home is None:
        yield servers or run.bootstrap
        return
    home = Path(run.broker_home)
    state = local_state(home)
    running = state is not None and state.is_running()
    if not running and not run.durable:
        raise DependencyMissing(
            f"run {directory.name} kept its records in memory and has ended",
            remedy="with Java 17 or newer the next run keeps them",
        )
    if not running and not start_broker:
        raise ArenaError(
            f"no arena runs here; the newest run was {directory.name}",
            remedy="start one with arena demo, or arena up ARENA.toml",
        )
    with resolve_broker(home, environ={}) as handle:
        if not running:
            say(f"started the broker of run {directory.name} for this, {handle.ready_s:.1f} s")
        yield handle.bootstrap


def say(text: str) -> None:
    """A remark for people, on standard error: not part of the output, and not a failure."""
    print(f"note: {one_line(text, REMARK_CHARS_MAX)}", file=sys.stderr, flush=True)


def mute_output() -> None:
    """Send what is still to be printed nowhere: the reader of our output (head, less) has left.

    Python would complain again when it flushes at exit.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
