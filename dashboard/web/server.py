"""The HTTP server: uvicorn in the loop of the process, on a socket of its own."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from arena.clock import Clock
from arena.errors import DependencyMissing, UsageError
from arena.tasks import wait_for_tasks
from dashboard.web.connections import BoundedConnection, close_stuck
from dashboard.web.options import WebOptions

STOP_S = 0.5
"""How long open requests may take at the end."""
BACKLOG = 1024


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals to the process."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Args:
        host: Address or name of this machine.
        port: Port; 0 for a free one.

    Raises:
        UsageError: The host is not an address of this machine.
        DependencyMissing: The port is in use, or must not be used.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(
            f"--host {host}: {error.strerror or error}", remedy="give an address of this machine"
        ) from None
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(BACKLOG)
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            raise DependencyMissing(
                f"port {port} of {host} is in use",
                remedy="choose another --port; --port 0 takes a free one",
            ) from None
        if error.errno == errno.EACCES:
            raise DependencyMissing(
                f"port {port} needs more rights than this user has",
                remedy="choose a --port above 1023",
            ) from None
        raise UsageError(
            f"--host {host}: {error.strerror}", remedy="give an address of this machine"
        ) from None
    found.setblocking(False)
    return found


def check_tls(certificate: Path | None, key: Path | None) -> None:
    """Load the certificate and its key.

    Args:
        certificate: PEM file; None for plain HTTP.
        key: PEM file of its private key.

    Raises:
        UsageError: Only one is given, a file cannot be read, or they do not belong together.
    """
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        raise UsageError("--tls-cert and --tls-key belong together", remedy="give both")
    for flag, path in (("--tls-cert", certificate), ("--tls-key", key)):
        try:
            path.open("rb").close()
        except OSError as error:
            raise UsageError(
                f"{flag} {path}: {error.strerror}", remedy="give a PEM file that can be read"
            ) from None
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, ValueError):
        raise UsageError(
            f"--tls-cert {certificate} and --tls-key {key} are not a certificate and its key",
            remedy="give PEM files that belong together; the key must not have a password",
        ) from None


async def run_server(
    app: ASGIApp, listener: socket.socket, options: WebOptions, clock: Clock
) -> None:
    """Serve until cancelled; then end open requests within `STOP_S`.

    Args:
        app: The app.
        listener: The socket; it is closed at the end.
        options: The options, for TLS.
        clock: The clock of the process.
    """
    config = uvicorn.Config(
        app,
        http=BoundedConnection,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        ssl_certfile=options.tls_cert,
        ssl_keyfile=options.tls_key,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=16_384,
    )
    server = _Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    closing = asyncio.ensure_future(close_stuck(server.server_state.connections, clock))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await wait_for_tasks([serving], STOP_S, clock)
        server.force_exit = True
        serving.cancel()
        closing.cancel()
        await asyncio.gather(serving, closing, return_exceptions=True)
