"""Loopback ports: tests whether one can be bound, and finds free ones.

A broker that cannot bind its port ends two seconds later, while a probe of that port gets an answer
from the process that has it; so ports are tested before the start. A free port may be taken before
the broker binds it; so ports are chosen below those that the system gives to outgoing connections,
which are many per second.
"""

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from arena.addresses import is_wildcard
from arena.broker_state import Ports
from arena.errors import UsageError
from operations.localbroker.errors import PortTaken

DEFAULT_PORT = 9092
FIRST_PORT = 20_000
"""First port to look at: well-known services have lower ones."""
SPARE_PORTS = 200
"""Ports to look at in addition to the number needed, because some are taken."""
IANA_EPHEMERAL = 49_152
"""First port of outgoing connections by RFC 6335, section 6; Linux has its own setting."""
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOOPBACK = "127.0.0.1"


def can_bind(port: int, host: str = LOOPBACK) -> bool:
    """True if a server can listen on `host:port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def choose_ports(port: int | None, host: str = LOOPBACK) -> Ports:
    """Test the client port and choose a controller port.

    Args:
        port: The client port: this number or an error, 0 for any free port, None for
            `DEFAULT_PORT` if it is free and any free port otherwise.
        host: The IPv4 address to listen on.

    Raises:
        UsageError: `host` is not an address of this machine.
        PortTaken: Another process has `port`.
    """
    if is_wildcard(host):
        raise UsageError(
            f"--host {host} means every address of this machine: clients cannot connect to it",
            remedy=f"arena broker start --secure --tls-self-signed --listen {host} --advertise "
            "NAME, with the name by which other hosts reach this machine",
        )
    if not can_bind(0, host):
        raise UsageError(
            f"{host!r} is not an IPv4 address of this machine", remedy=f"try --host {LOOPBACK}"
        )
    if port and not can_bind(port, host):
        raise PortTaken(
            f"port {port} on {host} is taken by another process",
            remedy="give another one with --port, or --port 0 for any free port; if it is a "
            f"Kafka broker you want to use, set KAFKA_BOOTSTRAP_SERVERS={host}:{port}",
        )
    if port is None:
        port = DEFAULT_PORT if can_bind(DEFAULT_PORT, host) else 0
    client, controller = _free_ports(2, host)
    return Ports(client=port or client, controller=controller)


def choose_cluster_ports(
    count: int, port: int | None = None, host: str = LOOPBACK
) -> tuple[Ports, ...]:
    """Choose the ports for the brokers of a cluster.

    Args:
        count: Number of brokers.
        port: The first client port, the others follow; 0 or None for any free ports.
        host: The IPv4 address to listen on.

    Raises:
        UsageError: `host` is not an address of this machine.
        PortTaken: Another process has one of the client ports.
    """
    if port:
        clients = [choose_ports(wanted, host).client for wanted in range(port, port + count)]
        return tuple(map(Ports, clients, _free_ports(count, host)))
    choose_ports(0, host)
    free = _free_ports(2 * count, host)
    return tuple(map(Ports, free[:count], free[count:]))


def _free_ports(count: int, host: str) -> list[int]:
    """Return ports that are free now and that outgoing connections do not use."""
    candidate_range = range(FIRST_PORT, _first_ephemeral())
    # From the system's random source: processes with one seed must not try the same order.
    drawn = random.SystemRandom().sample(
        candidate_range, min(len(candidate_range), count + SPARE_PORTS)
    )
    with ExitStack() as open_sockets:
        # All open at the same time, so that no port is returned twice.
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        candidates = iter(drawn)
        for each in sockets:
            _bind_first(each, host, candidates)
        return [each.getsockname()[1] for each in sockets]


def _bind_first(free: socket.socket, host: str, candidates: Iterator[int]) -> None:
    """Bind to the first free candidate, else to any port."""
    for port in candidates:
        with suppress(OSError):
            free.bind((host, port))
            return
    free.bind((host, 0))


def _first_ephemeral() -> int:
    """Return the first port that the system gives to outgoing connections."""
    try:
        return int(EPHEMERAL_RANGE.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return IANA_EPHEMERAL


def first_of_free_ports(count: int, host: str = LOOPBACK) -> int:
    """The first of `count` free ports in a row.

    Raises:
        PortTaken: No such ports were found.
    """
    for _ in range(SPARE_PORTS):
        first = choose_ports(0, host).client
        if all(can_bind(first + place, host) for place in range(1, count)):
            return first
    raise PortTaken(
        f"no {count} free ports in a row on {host}", remedy="stop other servers of this machine"
    )
