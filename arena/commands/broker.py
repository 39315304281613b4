"""`arena broker start|stop|status`: the local Kafka as a daemon of this machine.

Reads and writes `<home>/kafka` and the cache. What it does is in `arena.localbroker`; here are
the flags and the words.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from arena.errors import EXIT_NO, DependencyMissing
from arena.localbroker.launch import APACHE_KAFKA
from arena.localbroker.ports import DEFAULT_PORT, LOOPBACK
from arena.localbroker.resolve import handle_of
from arena.localbroker.status import BrokerStatus, look, stop_broker
from arena.settings import Settings

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Home = Annotated[
    Path | None,
    typer.Option("--home", help="Local state of the arena. [ARENA_HOME, else .arena]"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

MEGABYTE = 1_000_000
KINDS = {APACHE_KAFKA: "Apache Kafka"}


@app.command(epilog="Example: arena broker start --port 0")
def start(
    port: Annotated[
        int, typer.Option("--port", help="Port for clients; 0 is any free one.", min=0, max=65535)
    ] = DEFAULT_PORT,
    host: Annotated[
        str, typer.Option("--host", help="IPv4 address to listen on and to advertise.")
    ] = LOOPBACK,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Start Apache Kafka here; it stays until `arena broker stop`."""
    from arena.commands.progress import draw_progress
    from arena.localbroker.broker import LocalBroker

    directory = _home(home)
    found = look(directory)
    if found.condition == "running" and found.broker is not None:
        handle = handle_of(found.broker)
        words = "runs already"
    else:
        broker = LocalBroker(directory, host=host, port=port)
        with draw_progress() as progress:
            handle = broker.start(progress)
        broker.detach()
        words = f"is ready after {handle.ready_s:.1f} s"
    if as_json:
        print(json.dumps(look(directory).as_json(), indent=2))
        return
    name = KINDS.get(handle.kind, "broker")
    print(f"{name} {handle.version} {words} on {handle.bootstrap} (pid {handle.pid})")
    kept = _shorten(str(handle.data_dir)) if handle.data_dir else "in memory only"
    print(f"data {kept}, log {_shorten(str(handle.log_file))}")
    if handle.note:
        print(f"Note: {handle.note}.")
    print(f"Use it: export KAFKA_BOOTSTRAP_SERVERS={handle.bootstrap}   stop it: arena broker stop")


@app.command(epilog="Example: arena broker stop")
def stop(home: Home = None) -> None:
    """Stop the local broker; its data stays."""
    stopped = stop_broker(_home(home))
    if stopped is None:
        print("no local broker was running")
        return
    kept = (
        f"its data stays in {_shorten(stopped.data_dir)}"
        if stopped.durable
        else "its topics are gone"
    )
    print(f"stopped the broker on {stopped.bootstrap} (pid {stopped.pid}); {kept}")


@app.command(epilog="Example: arena broker status --verify")
def status(
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every byte of the cached jars and compare.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the local broker; exit 1 where it does not run or a jar is not the lock's."""
    try:
        found = look(_home(home), verify=verify)
    except DependencyMissing as error:
        typer.echo(f"arena: {error}", err=True)
        raise typer.Exit(EXIT_NO) from error
    if as_json:
        print(json.dumps(found.as_json(), indent=2))
    else:
        for name, value in _rows(found):
            print(f"{name:<9} {value}")
    if found.condition != "running":
        raise typer.Exit(EXIT_NO)


def _home(home: Path | None) -> Path:
    return home if home is not None else Settings().home


def _shorten(path: str) -> str:
    """A path as one would type it here: relative where it lies below the working directory."""
    try:
        return str(Path(path).relative_to(Path.cwd())) if path else ""
    except ValueError:
        return path


def _rows(found: BrokerStatus) -> list[tuple[str, str]]:
    """The lines of the status, as name and value."""
    rows: list[tuple[str, str]] = [("broker", found.condition)]
    broker = found.broker
    if found.condition == "stale" and broker is not None:
        rows[0] = ("broker", f"stopped (pid {broker.pid} is gone; the next start cleans up)")
        if found.reason:
            rows.append(("reason", found.reason))
    elif broker is not None:
        rows += [
            ("version", f"{KINDS.get(broker.kind, broker.kind)} {broker.version}"),
            ("clients", broker.bootstrap),
            ("control", f"port {broker.controller_port}"),
            ("cluster", broker.cluster_id),
            ("data", _shorten(broker.data_dir) or "in memory only: gone with the process"),
            ("log", _shorten(broker.log_file)),
            (
                "process",
                f"pid {broker.pid}, {found.rss_bytes / MEGABYTE:.0f} MB, "
                f"up {found.uptime_s:,.0f} s",
            ),
        ]
    jars = str(found.jars) if found.jars else "not fetched yet"
    rows.append(("jars", f"{jars}{', every byte checked' if found.verified else ''}"))
    return rows
