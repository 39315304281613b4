"""`arena broker start|stop|status|credentials`: the local Kafka as a daemon of this machine.

Reads and writes `<home>/kafka` and the cache. `operations.localbroker` does the work; this module
has the flags and the output.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from arena.addresses import is_loopback, is_wildcard
from arena.broker_files import broker_files_of
from arena.command_exit import report_error
from arena.credentials import PLAINTEXT, credentials_directory
from arena.errors import EXIT_NO, DependencyMissing
from arena.options import AsJson
from arena.settings import Settings
from operations.commands.broker_credentials import Home, credentials
from operations.localbroker.broker_spec import APACHE_KAFKA, BrokerHandle, handle_of_state
from operations.localbroker.certificates import home_tls
from operations.localbroker.cluster import NODES
from operations.localbroker.external_listener import (
    EXTERNAL_PORT,
    ExternalListener,
    listener_from_flags,
    read_listener,
    require_local_address,
    require_protected,
)
from operations.localbroker.ports import (
    DEFAULT_PORT,
    LOOPBACK,
    choose_ports,
)
from operations.localbroker.security import Tls
from operations.localbroker.status import BrokerStatus, read_status, stop_broker

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Port = Annotated[
    int | None,
    typer.Option(
        "--port",
        help=f"Port for clients; 0 takes a free one. Three brokers take it and the next two. "
        f"[{DEFAULT_PORT}]",
        min=0,
        max=65535,
    ),
]
Host = Annotated[str, typer.Option("--host", help="IPv4 address for processes on this machine.")]
Listen = Annotated[
    str | None, typer.Option("--listen", help="Address of a second listener, for other hosts.")
]
Advertise = Annotated[
    str | None,
    typer.Option(
        "--advertise",
        metavar="NAME[:PORT]",
        help=f"Name and port by which other hosts reach the broker; kept for later starts. "
        f"[port {EXTERNAL_PORT}]",
    ),
]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Allow other hosts without TLS, on a trusted network.")
]
Nodes = Annotated[
    int | None,
    typer.Option(
        "--nodes",
        help="Number of brokers: 1, or 3 that survive the loss of one; also restarts a lost one.",
    ),
]
Secure = Annotated[
    bool, typer.Option("--secure", help="Require logins; credentials are created in .arena/secure.")
]
Keystore = Annotated[
    Path | None,
    typer.Option(help="PEM file with the broker's key and certificate, for TLS (with --secure)."),
]
Authority = Annotated[
    Path | None, typer.Option(help="PEM file of the authority that signed --tls-keystore.")
]
SelfSigned = Annotated[
    bool,
    typer.Option("--tls-self-signed", help="Use TLS with an authority created in .arena/secure."),
]
ClientAuth = Annotated[
    bool, typer.Option("--tls-client-auth", help="Require client certificates, signed by --tls-ca.")
]

app.command(epilog="Example: arena broker credentials router -o router.env")(credentials)

MEGABYTE = 1_000_000
KINDS = {APACHE_KAFKA: "Apache Kafka"}


@app.command(epilog="Example: arena broker start --port 0")
def start(
    port: Port = None,
    host: Host = LOOPBACK,
    listen: Listen = None,
    advertise: Advertise = None,
    insecure: Insecure = False,
    nodes: Nodes = None,
    secure: Secure = False,
    tls_keystore: Keystore = None,
    tls_ca: Authority = None,
    tls_self_signed: SelfSigned = False,
    tls_client_auth: ClientAuth = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Start Apache Kafka here; it runs until `arena broker stop`."""
    from arena.progress_bars import draw_progress
    from operations.localbroker.home_broker import open_home_broker

    if nodes not in (None, 1, NODES):
        raise typer.BadParameter(f"{nodes} brokers: give 1 or {NODES}", param_hint="--nodes")
    tls = _tls(tls_keystore, tls_ca, secure=secure, client_auth=tls_client_auth)
    directory = _home(home)
    if tls_self_signed:
        tls = _own_tls(directory, tls, secure=secure)
    _require_local(host, insecure=insecure, tls=tls is not None, secure=secure)
    external = listener_from_flags(listen, advertise, insecure=insecure)
    if external is not None:
        require_local_address(external.listen)
    found = read_status(directory)
    broker = open_home_broker(
        directory,
        nodes=nodes,
        secure=secure,
        host=host,
        port=DEFAULT_PORT if port is None else port,
        tls=tls,
        external=external,
    )
    if found.condition == "running" and found.broker is not None:
        handle = handle_of_state(found.broker)
        state = "runs already"
    else:
        with draw_progress() as progress:
            handle = broker.start(progress)
        broker.detach()
        state = f"is ready after {handle.ready_s:.1f} s"
    if as_json:
        print(json.dumps(read_status(directory).as_json(), indent=2))
        return
    _print_started(handle, state, directory)


def _own_tls(directory: Path, given: Tls | None, *, secure: bool) -> Tls:
    if given is not None or not secure:
        raise typer.BadParameter("--tls-self-signed needs --secure, and excludes --tls-keystore")
    return home_tls(directory)


def _require_local(host: str, *, insecure: bool, tls: bool, secure: bool) -> None:
    """Require of `--host` what `--listen` requires; wildcards are explained when they bind."""
    if is_wildcard(host):
        choose_ports(0, host)
    if not is_loopback(host):
        require_protected(ExternalListener(host, host, insecure=insecure), secure=secure, tls=tls)


def _tls(
    keystore: Path | None, authority: Path | None, *, secure: bool, client_auth: bool
) -> Tls | None:
    if (keystore is None) != (authority is None) or (keystore and not secure):
        raise typer.BadParameter("give --tls-keystore, --tls-ca and --secure together")
    if client_auth and not keystore:
        raise typer.BadParameter("--tls-client-auth needs --tls-keystore and --tls-ca")
    if keystore is None or authority is None:
        return None
    return Tls(keystore.resolve(), authority.resolve(), client_auth)


def _print_started(handle: BrokerHandle, state: str, directory: Path) -> None:
    name = KINDS.get(handle.kind, "broker")
    print(f"{name} {handle.version} {state} on {handle.bootstrap} (pid {handle.pid})")
    data = _shorten(str(handle.data_dir)) if handle.data_dir else "in memory only"
    print(f"data {data}, log {_shorten(str(handle.log_file))}")
    if handle.note:
        print(f"Note: {handle.note}.")
    if external := read_listener(broker_files_of(directory).root):
        servers = external.bootstrap(len(handle.bootstrap.split(",")))
        print(f"Other hosts: {servers} (listens on {external.listener(1)})")
        if handle.security != PLAINTEXT:
            print("Their logins: arena broker credentials KIND -o FILE")
    if handle.security != PLAINTEXT:
        secrets = _shorten(str(credentials_directory(directory)))
        print(f"Credentials: {secrets}/<principal>.env; what each may do: arena topics acl --apply")
        print(f"Use it: set -a; . {secrets}/cli.env; set +a")
    print(f"Use it: export KAFKA_BOOTSTRAP_SERVERS={handle.bootstrap}   stop it: arena broker stop")


@app.command(epilog="Example: arena broker stop")
def stop(home: Home = None) -> None:
    """Stop the local broker; its data stays."""
    stopped = stop_broker(_home(home))
    if stopped is None:
        print("no local broker was running")
        return
    data = (
        f"its data stays in {_shorten(stopped.data_dir)}"
        if stopped.durable
        else "its topics are gone"
    )
    print(f"stopped the broker on {stopped.bootstrap} (pid {stopped.pid}); {data}")


@app.command(epilog="Example: arena broker status --verify")
def status(
    verify: Annotated[
        bool, typer.Option("--verify", help="Verify the hash of every cached jar.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the local broker; exit 1 if it does not run or a jar does not match the lock file."""
    try:
        found = read_status(_home(home), verify=verify)
    except DependencyMissing as error:
        report_error(error)
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
    """A path to type here: relative if it is below the working directory."""
    try:
        return str(Path(path).relative_to(Path.cwd())) if path else ""
    except ValueError:
        return path


def _rows(found: BrokerStatus) -> list[tuple[str, str]]:
    """The lines of the status, as name and value."""
    if found.nodes:
        return _cluster_rows(found)
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
            *_outside_rows(found),
            ("control", f"port {broker.controller_port}"),
            ("cluster", broker.cluster_id),
            ("data", _shorten(broker.data_dir) or "in memory only: lost with the process"),
            ("log", _shorten(broker.log_file)),
            (
                "process",
                f"pid {broker.pid}, {found.rss_bytes / MEGABYTE:.0f} MB, "
                f"up {found.uptime_s:,.0f} s",
            ),
        ]
    rows.append(_jars_row(found))
    return rows


def _outside_rows(found: BrokerStatus) -> list[tuple[str, str]]:
    """The line of the listener for other hosts, if there is one."""
    external, broker = found.external, found.broker
    if external is None or broker is None:
        return []
    others = external.bootstrap(max(1, len(found.nodes)))
    return [("others", f"{others}, {broker.security}, listens on {external.listener(1)}")]


def _cluster_rows(found: BrokerStatus) -> list[tuple[str, str]]:
    """The lines of a cluster's status: the common facts, then each broker."""
    serving = sum(node.condition == "running" for node in found.nodes)
    rows = [("cluster", f"{found.condition}, {serving} of {len(found.nodes)} brokers run")]
    if (broker := found.broker) is not None:
        rows += [
            ("version", f"{KINDS.get(broker.kind, broker.kind)} {broker.version}"),
            ("clients", broker.bootstrap),
            *_outside_rows(found),
            ("data", _shorten(broker.data_dir)),
        ]
    for number, node in enumerate(found.nodes, start=1):
        rows.append((f"broker {number}", _node_text(node)))
    return [*rows, _jars_row(found)]


def _node_text(node: BrokerStatus) -> str:
    """The line of one broker of a cluster."""
    broker = node.broker
    if broker is None:
        return "stopped"
    if node.condition == "stale":
        stopped = f"stopped (pid {broker.pid} is gone; `arena broker start` starts it again)"
        return f"{stopped}, {node.reason}" if node.reason else stopped
    usage = f"pid {broker.pid}, {node.rss_bytes / MEGABYTE:.0f} MB, up {node.uptime_s:,.0f} s"
    return f"{node.condition} on {broker.bootstrap}, {usage}, log {_shorten(broker.log_file)}"


def _jars_row(found: BrokerStatus) -> tuple[str, str]:
    jars = str(found.jars) if found.jars else "not fetched yet"
    return "jars", f"{jars}{', every byte checked' if found.verified else ''}"
