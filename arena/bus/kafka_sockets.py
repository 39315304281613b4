"""Socket options by which a connection to a broker ends soon after its link was cut.

Without them a client waits for the kernel, which retransmits after waits that double each time:
after a cut of 40 s up to half a minute passes until a packet tries the link again. aiokafka sets no
socket options, and keeps a connection whose metadata request timed out. Here the kernel ends a
connection if the peer acks nothing for `SILENT_S`. The peer's kernel acks for a slow or stopped
broker, so normally only a dead link or a dead host is silent.

A stopped broker ends connections, too, if its receive window stays full for `SILENT_S`. This is
harmless: an idempotent producer sends its batch again with the same sequence number until it is
acked, so it is written once, and readers fetch again.
"""

import asyncio
import socket
from collections.abc import Awaitable
from typing import Any

from aiokafka.conn import create_conn as connect

SILENT_S = 8
PROBE_AFTER_S = 4
"""Idle time before keep-alive probes, for example of a connection with a held fetch."""
PROBE_EVERY_S = 2
CLOSE_S = 3.0
"""Time limit for closing a client whose broker does not answer."""

OPTIONS = {
    "TCP_USER_TIMEOUT": SILENT_S * 1_000,
    "TCP_KEEPIDLE": PROBE_AFTER_S,
    "TCP_KEEPINTVL": PROBE_EVERY_S,
    "TCP_KEEPCNT": (SILENT_S - PROBE_AFTER_S) // PROBE_EVERY_S,
}
"""TCP options; macOS lacks some of them."""


# Any: aiokafka is not typed.
async def create_conn(host: str, port: int, **options: Any) -> Any:
    """Connect as aiokafka does, with a socket that notices a dead link.

    Raises:
        TimeoutError: It took longer than `SILENT_S`. The kernel retries less and less often, so a
            new attempt notices a restored link sooner.
        OSError: The connection was closed at once, or its socket refuses options. aiokafka retries
            after this error only.
    """
    async with asyncio.timeout(SILENT_S):
        connection = await connect(host, port, **options)
    if connection._writer is None:
        raise ConnectionResetError(f"the connection to {host}:{port} was closed at once")
    try:
        end_when_silent(connection._writer.get_extra_info("socket"))
    except OSError:
        connection.close()
        raise
    return connection


def end_when_silent(connected: socket.socket) -> None:
    """Make the kernel end a connection whose peer is silent for `SILENT_S`."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in OPTIONS.items():
        if hasattr(socket, name):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def close_within_limit(closing: Awaitable[None]) -> None:
    """Wait until a client is closed, but at most `CLOSE_S`.

    A member that leaves its group looks up the coordinator first, and TLS waits for the other side
    to close: with a dead link each takes half a minute, which would delay the restart.
    """
    task = asyncio.ensure_future(closing)
    try:
        # Not asyncio.timeout: aiokafka sometimes swallows the cancellation and keeps waiting.
        done, _ = await asyncio.wait([task], timeout=CLOSE_S)
        if done:
            task.result()
    finally:
        task.cancel()
