"""Bounds of open connections: how many there are, and how long one may wait with half a request.

The server closes a connection that is idle after an answer. One that never sends a whole request,
or does not take its answer, would stay open, until no file descriptors are left.
"""

import asyncio
import resource
from collections.abc import Iterable

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from arena.clock import Clock

CONNECTIONS_MAX = 4_096
SPARE_FILES = 128
"""File descriptors that are left for the broker's connections, files and the log."""
CHECK_S = 15.0
"""A request must come whole within one to two checks."""


class BoundedConnection(H11Protocol):
    """A connection that is closed at once if there are too many."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start, or close."""
        super().connection_made(transport)
        if len(self.connections) > connections_max():
            transport.abort()


class StuckConnections:
    """Finds connections that made no progress between two checks."""

    def __init__(self) -> None:
        """Start with none."""
        self._waiting: dict[BoundedConnection, tuple[RequestResponseCycle | None, int]] = {}

    def found(self, connections: Iterable[object]) -> list[BoundedConnection]:
        """The connections that waited for the same request at the last check, too.

        Args:
            connections: All open connections.
        """
        before, self._waiting = self._waiting, {}
        stuck = []
        for one in connections:
            if not isinstance(one, BoundedConnection) or not _waits(one):
                continue
            unsent = one.transport.get_write_buffer_size()
            self._waiting[one] = (one.cycle, unsent)
            if one not in before:
                continue
            cycle, unsent_before = before[one]
            if cycle is one.cycle and not unsent < unsent_before:
                stuck.append(one)
        return stuck


def connections_max() -> int:
    """Most open connections, by this process's limit of file descriptors."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return CONNECTIONS_MAX
    return max(1, min(CONNECTIONS_MAX, files - SPARE_FILES))


async def close_stuck(connections: Iterable[object], clock: Clock) -> None:
    """Close stuck connections until cancelled.

    Args:
        connections: The open connections; the set changes.
        clock: The clock of the process.
    """
    stuck = StuckConnections()
    while True:
        await clock.sleep(CHECK_S)
        for one in stuck.found(tuple(connections)):
            one.transport.abort()


def _waits(one: BoundedConnection) -> bool:
    """True if the rest of a request is missing."""
    cycle: RequestResponseCycle | None = one.cycle
    return cycle is None or cycle.response_complete or cycle.more_body
