"""Loopback ports: may we have this one, and which are free.

A broker that cannot bind its port dies two seconds later while a probe of the same port
happily answers from whoever holds it; so ports are tried before the start.
"""

import socket
from dataclasses import dataclass

from arena.errors import UsageError
from arena.localbroker.errors import PortTaken

DEFAULT_PORT = 9092
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the broker listens: `client` for Kafka clients, `controller` for itself."""

    client: int
    controller: int


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
    # Both sockets are held open together so that the kernel cannot name one port twice.
    with socket.socket() as first, socket.socket() as second:
        first.bind((host, 0))
        second.bind((host, 0))
        free: tuple[int, int] = first.getsockname()[1], second.getsockname()[1]
    return Ports(client=port or free[0], controller=free[1])
