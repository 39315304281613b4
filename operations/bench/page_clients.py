"""Clients of a page: viewers that follow its events, and programs that ask at a fixed rate.

They talk HTTP/1.1 over plain sockets, so that they cost little beside the page that is measured.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from arena import topics
from arena.errors import ArenaError

REQUESTS_PER_S = 200
CONNECTIONS = 16
PATHS = (
    "/api/v1/leaderboard",
    "/api/v1/verdict",
    "/api/v1/positions",
    "/api/v1/trades?limit=50",
    "/api/v1/agents/momentum/turns?limit=20",
    "/api/v1/prices",
    "/api/v1/equity",
    "/api/v1/costs",
    "/api/v1/health",
    "/portfolio?agent=scalper",
)
"""What programs ask for, in turn; the agents are those of `arena demo`."""
ANSWER_BYTES_MAX = 1 << 22
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
OK = b"HTTP/1.1 200"


@dataclass(frozen=True, slots=True)
class PageAddress:
    """Where a page listens."""

    host: str
    port: int

    def request(self, path: str) -> bytes:
        """A GET of a path."""
        return f"GET {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n\r\n".encode()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection."""
        return await asyncio.open_connection(self.host, self.port, limit=ANSWER_BYTES_MAX)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record that a viewer was shown.

    Attributes:
        topic, partition, offset: Its place.
        at_s: Unix seconds at which the viewer had it.
        since_s: Unix seconds at which the viewer connected; it is first sent older records.
    """

    topic: str
    partition: int
    offset: int
    at_s: float
    since_s: float

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic, partition and offset."""
        return self.topic, self.partition, self.offset


async def view(page: PageAddress, seconds: float, arrivals: list[Arrival] | None) -> None:
    """Follow the events for some time.

    Args:
        page: The page.
        seconds: How long.
        arrivals: Gets the turns, and the snapshots that a leaderboard was the first to count; None
            to read the events without looking at them.
    """
    shown, since_s = 0, time.time()
    try:
        async with asyncio.timeout(seconds):
            async for name, text in _events(page):
                if arrivals is None or name not in ("turn", "leaderboard"):
                    continue
                now_s, body = time.time(), json.loads(text)
                if name == "turn":
                    partition, offset = body["place"]
                    arrivals.append(Arrival(topics.TURNS.name, partition, offset, now_s, since_s))
                else:
                    count = body["market"]["snapshots"]
                    if shown and count > shown:
                        newest = count - 1
                        arrivals.append(Arrival(topics.SNAPSHOTS.name, 0, newest, now_s, since_s))
                    shown = max(shown, count)
    except TimeoutError:
        return


async def _events(page: PageAddress) -> AsyncIterator[tuple[str, bytes]]:
    reader, writer = await page.connect()
    try:
        writer.write(page.request("/api/v1/events"))
        await writer.drain()
        name = ""
        while line := await reader.readline():
            if line.startswith(b"event: "):
                name = line[7:].strip().decode()
            elif line.startswith(b"data: "):
                yield name, line[6:]
    finally:
        writer.close()


async def ask(page: PageAddress, seconds: float) -> list[float]:
    """Ask `REQUESTS_PER_S` times a second over open connections.

    A late answer delays no other request, and its whole delay counts.

    Args:
        page: The page.
        seconds: How long.

    Returns:
        Milliseconds from the time at which each request was due to the end of its answer.

    Raises:
        ArenaError: An answer is not a 200.
    """
    due: asyncio.Queue[tuple[float, str] | None] = asyncio.Queue()
    times: list[float] = []
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(_ask(page, due, times))
        began_s = time.monotonic()
        for number in range(int(seconds * REQUESTS_PER_S)):
            due_s = began_s + number / REQUESTS_PER_S
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            due.put_nowait((due_s, PATHS[number % len(PATHS)]))
        for _ in range(CONNECTIONS):
            due.put_nowait(None)
    return times


async def _ask(
    page: PageAddress, due: "asyncio.Queue[tuple[float, str] | None]", times: list[float]
) -> None:
    reader, writer = await page.connect()
    try:
        while (one := await due.get()) is not None:
            due_s, path = one
            writer.write(page.request(path))
            head = await reader.readuntil(b"\r\n\r\n")
            length = LENGTH.search(head)
            if not head.startswith(OK) or length is None:
                status = head.partition(b"\r\n")[0].decode("latin-1")
                raise ArenaError(f"{path} was answered by {status}", remedy="see the page's log")
            await reader.readexactly(int(length[1]))
            times.append((time.monotonic() - due_s) * 1_000)
    finally:
        writer.close()
