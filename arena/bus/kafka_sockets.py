"""Connections to brokers that end soon after their link was cut, so that new ones are made.

Without this a client waits for the kernel: what was not acked is sent again after waits that double
each time, so after a cut of 40 s up to half a minute passes before a packet tries the link again.
aiokafka sets no options on its sockets, and keeps a connection whose metadata request timed out.
Here the kernel ends a connection whose peer acked nothing for `SILENT_S`; the peer's kernel acks
for a broker that is slow or stopped, so as a rule only a dead link or a dead host is silent.

A stopped broker ends connections too, if its receive window stays full for `SILENT_S`: Linux counts
that time the same way. This does no harm: an idempotent producer sends its batch again with the
same sequence number until it is acked, so it is written once. Readers ask again.
"""

import asyncio
import socket
from collections.abc import Awaitable
from typing import Any

from aiokafka.conn import create_conn as connect

SILENT_S = 8
PROBE_AFTER_S = 4
"""An idle connection, such as one with a fetch that a broker holds, is asked after so long."""
PROBE_EVERY_S = 2
CLOSE_S = 3.0
"""A farewell to a broker that does not answer takes no longer."""

OPTIONS = {
    "TCP_USER_TIMEOUT": SILENT_S * 1_000,
    "TCP_KEEPIDLE": PROBE_AFTER_S,
    "TCP_KEEPINTVL": PROBE_EVERY_S,
    "TCP_KEEPCNT": (SILENT_S - PROBE_AFTER_S) // PROBE_EVERY_S,
}
"""Of TCP; macOS has not all of them."""


# Any: aiokafka is not typed.
async def create_conn(host: str, port: int, **options: Any) -> Any:
    """Connect as aiokafka does, with a socket that notices a dead link.

    Raises:
        TimeoutError: It took longer than `SILENT_S`. The kernel asks again ever more seldom, so a
            new attempt finds a link that is back sooner than one that waits.
        OSError: It was closed as soon as it was made, or its socket takes no options. aiokafka
            tries again after these alone.
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
    """Let the kernel end a connection whose peer is silent for `SILENT_S`."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in OPTIONS.items():
        if hasattr(socket, name):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def close_within_limit(closing: Awaitable[None]) -> None:
    """Wait until a client is closed, but not longer than `CLOSE_S`.

    A member that leaves its group looks for the coordinator first, and TLS waits for the other
    side's farewell: with a dead link each takes half a minute, in which nothing is started again.
    """
    task = asyncio.ensure_future(closing)
    try:
        # Not a timeout: aiokafka swallows a cancellation here and there, and waits on.
        done, _ = await asyncio.wait([task], timeout=CLOSE_S)
        if done:
            task.result()
    finally:
        task.cancel()
