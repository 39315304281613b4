"""Loopback ports: may we have this one, and which are free.

A broker that cannot bind its port dies two seconds later while a probe of the same port
happily answers from whoever holds it; so ports are tried before the start. A port that was free
just now may be another's before the broker binds it; so free ones are taken from below those that
the system gives to outgoing connections, of which a second sees many.
"""

import ipaddress
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from arena.broker_state import Ports
from arena.errors import UsageError
from operations.localbroker.errors import PortTaken

DEFAULT_PORT = 9092
FIRST_PORT = 20_000
"""Free ports are looked for from here: services that people know lie below."""
SPARE_PORTS = 200
"""Looked at besides those that are wanted, where some are taken."""
IANA_EPHEMERAL = 49_152
"""Where outgoing connections begin by RFC 6335, section 6; Linux says where it begins itself."""
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOOPBACK = "127.0.0.1"


def is_loopback(host: str) -> bool:
    """True for an address, or the name, that only this machine reaches."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_wildcard(host: str) -> bool:
    """True for the address that means every address of this machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def can_bind(port: int, host: str = LOOPBACK) -> bool:
    """True when a server could listen on `host:port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def choose_ports(port: int | None, host: str = LOOPBACK) -> Ports:
    """Bind-test the client port and pick a controller port.

    Args:
        port: The client port: a number is taken or refused, 0 is any free port, None is
            `DEFAULT_PORT` where it is free and any free port otherwise.
        host: The IPv4 address to listen on.

    Raises:
        UsageError: `host` is no address of this machine.
        PortTaken: `port` was given and something else holds it.
    """
    if is_wildcard(host):
        raise UsageError(
            f"--host {host} is every address of this machine: a broker cannot tell its clients "
            "to connect to that",
            remedy=f"arena broker start --secure --tls-self-signed --listen {host} --advertise "
            "NAME, with the name by which other hosts reach this machine",
        )
    if not can_bind(0, host):
        raise UsageError(
            f"{host!r} is no IPv4 address of this machine", remedy=f"try --host {LOOPBACK}"
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
    """Ports for the brokers of a cluster.

    Args:
        count: How many brokers.
        port: The first client port, the next ones follow it; 0 or None for any free ones.
        host: The IPv4 address to listen on.

    Raises:
        UsageError: `host` is no address of this machine.
        PortTaken: One of the client ports was given and something else holds it.
    """
    if port:
        clients = [choose_ports(wanted, host).client for wanted in range(port, port + count)]
        return tuple(map(Ports, clients, _free_ports(count, host)))
    choose_ports(0, host)
    free = _free_ports(2 * count, host)
    return tuple(map(Ports, free[:count], free[count:]))


def _free_ports(count: int, host: str) -> list[int]:
    """Ports that were free just now, and that no outgoing connection will be given meanwhile."""
    room = range(FIRST_PORT, _first_ephemeral())
    # Of the system's chance: processes that were seeded alike must not look in the same order.
    drawn = random.SystemRandom().sample(room, min(len(room), count + SPARE_PORTS))
    with ExitStack() as held:
        # Held open together, so that nothing names one port twice.
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        candidates = iter(drawn)
        for each in sockets:
            _bind_first(each, host, candidates)
        return [each.getsockname()[1] for each in sockets]


def _bind_first(free: socket.socket, host: str, candidates: Iterator[int]) -> None:
    """Bind to the first candidate that can be had, else to any port."""
    for port in candidates:
        with suppress(OSError):
            free.bind((host, port))
            return
    free.bind((host, 0))


def _first_ephemeral() -> int:
    """The first of the ports that the system gives to outgoing connections."""
    try:
        return int(EPHEMERAL_RANGE.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return IANA_EPHEMERAL
