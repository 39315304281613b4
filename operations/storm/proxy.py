"""A TCP proxy between processes and brokers that cuts the links of one process.

    python -m operations.storm.proxy 127.0.0.2:20001=127.0.0.1:20001

A link is a client's connection to the proxy and the proxy's connection to the broker. Each route
listens on the broker's port of another loopback address; in the broker's responses its address is
replaced by the proxy's, so that clients stay with the proxy. Commands are JSON lines on standard
input, {"cut": 1, "pid": 12, "mode": "reset", "seconds": 3} and {"cut": 1}; each is answered by a
line with the number of links at the start of the cut and of its effects. The proxy ends when
standard input is closed. Linux only: elsewhere 127.0.0.2 does not exist.

Modes: `reset` ends every connection of the process at once; `blackhole` forwards nothing and ends
nothing; `delay` delays everything by `DELAY_S`; `drop_ack` forwards a Produce request, drops the
response, and ends the connection.
"""

import asyncio
import json
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import psutil

from operations.storm.proxy_wire import AddressSwap, is_produce

DELAY_S = 0.4
PORTS_S = 0.25
"""How long the list of a process's ports is used. Reading it is slow: doing so for each of 1,000
connections would take all the time of the proxy."""
BACKLOG_BYTES_MAX = 8_000_000
"""Bytes kept for a broker that does not read; above this the client waits."""
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER value that ends a connection with RST."""


@dataclass(eq=False)
class LinkCut:
    """A cut of the links of one process, until a time of the event loop.

    Attributes:
        links: Connections that existed when it started.
        effects: Connections reset or held, responses dropped, chunks delayed.
    """

    pid: int
    mode: str
    until_s: float
    links: int = 0
    effects: int = 0
    _known: set[int] = field(default_factory=set)
    _stale_s: float = 0.0

    def recent_ports(self, now_s: float) -> tuple[set[int], bool]:
        """Return the ports, and True if they were read now: reading takes long."""
        if fresh := now_s >= self._stale_s:
            began_s = time.monotonic()
            self._known = self.ports()
            self._stale_s = now_s + max(PORTS_S, 10 * (time.monotonic() - began_s))
        return self._known, fresh

    def ports(self) -> set[int]:
        """Return the local ports of the process's connections."""
        with suppress(psutil.Error):
            found = psutil.Process(self.pid).net_connections(kind="tcp")
            return {c.laddr.port for c in found if c.laddr}
        return set()


class LinkEnd(asyncio.Protocol):
    """One end of a link."""

    def __init__(self, link: "ProxiedLink", *, is_client: bool) -> None:
        """Create the end of a link, before it is connected."""
        self.link = link
        self.is_client = is_client
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note that this end is connected."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own is not a subclass
        self.link.on_connected(self)

    def data_received(self, data: bytes) -> None:
        """Pass bytes to the other end."""
        self.link.receive(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the other end, too."""
        self.link.close(reset=exc is not None)

    def pause_writing(self) -> None:
        """Pause the other end, because this one is slow."""
        self.link.pause_other_end(self)

    def resume_writing(self) -> None:
        """Resume the other end."""
        self.link.resume()


class ProxiedLink:
    """A client's connection to the proxy, and the proxy's connection to the broker for it."""

    def __init__(self, proxy: "Proxy", route: "Route") -> None:
        """Create a link, before its ends are connected."""
        self.proxy = proxy
        self.route = route
        self.client = LinkEnd(self, is_client=True)
        self.server = LinkEnd(self, is_client=False)
        self.port = 0
        self.cut: LinkCut | None = None
        self.drops_answer = False
        self._address_swap = AddressSwap(route.broker_address, route.proxy_address)
        self._early_bytes: list[bytes] = []
        self._delayed: deque[tuple[float, LinkEnd, bytes]] = deque()

    def on_connected(self, link_end: LinkEnd) -> None:
        """Start forwarding when the end is connected."""
        assert link_end.transport is not None
        if link_end.is_client:
            self.port = link_end.transport.get_extra_info("peername")[1]
            self.proxy.links.add(self)
            self.proxy.apply_cuts(self)
            self.proxy.spawn(self._connect())
            return
        for data in self._early_bytes:
            link_end.transport.write(data)
        self._early_bytes.clear()
        self.resume()

    def receive(self, link_end: LinkEnd, data: bytes) -> None:
        """Forward, delay or drop bytes from one end."""
        if link_end.is_client and self.cut is not None and self.cut.mode == "drop_ack":
            self.drops_answer = self.drops_answer or is_produce(data)
        if not link_end.is_client and self.drops_answer:
            if self.cut is not None:
                self.cut.effects += 1
            self.close(reset=True)
            return
        if self.cut is not None and self.cut.mode == "delay":
            self.cut.effects += 1
            loop = asyncio.get_running_loop()
            self._delayed.append((loop.time() + DELAY_S, link_end, data))
            loop.call_later(DELAY_S, self._release)
            return
        if self._delayed:  # keep the order: bytes were delayed before
            self._delayed.append((0.0, link_end, data))
            return
        self._forward(link_end, data)

    def close(self, *, reset: bool = False) -> None:
        """Close both ends."""
        self.proxy.links.discard(self)
        for link_end in (self.client, self.server):
            transport, link_end.transport = link_end.transport, None
            if transport is None:
                continue
            if reset:
                with suppress(OSError):
                    connection_socket = transport.get_extra_info("socket")
                    connection_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                transport.abort()
            else:
                transport.close()

    def pause_other_end(self, link_end: LinkEnd) -> None:
        """Pause reading from the other end."""
        other = self.server if link_end.is_client else self.client
        if other.transport is not None:
            other.transport.pause_reading()

    def pause(self) -> None:
        """Pause reading from both ends."""
        for link_end in (self.client, self.server):
            if link_end.transport is not None:
                link_end.transport.pause_reading()

    def resume(self) -> None:
        """Resume reading, unless the link is in a blackhole."""
        if self.cut is not None and self.cut.mode == "blackhole":
            self.pause()
            return
        for link_end in (self.client, self.server):
            if link_end.transport is not None:
                link_end.transport.resume_reading()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        host, port = self.route.broker_address
        try:
            await loop.create_connection(lambda: self.server, host, port)
        except OSError:
            self.close()

    def _release(self) -> None:
        """Forward the bytes whose delay is over."""
        now_s = asyncio.get_running_loop().time()
        while self._delayed and self._delayed[0][0] <= now_s + 0.001:
            _, link_end, data = self._delayed.popleft()
            self._forward(link_end, data)

    def _forward(self, link_end: LinkEnd, data: bytes) -> None:
        if not link_end.is_client:
            if self.client.transport is not None:
                self.client.transport.write(self._address_swap.take(data))
        elif self.server.transport is not None:
            self.server.transport.write(data)
        elif self.client.transport is not None:
            self._early_bytes.append(data)
            if sum(map(len, self._early_bytes)) > BACKLOG_BYTES_MAX:
                self.client.transport.pause_reading()


@dataclass(frozen=True, slots=True)
class Route:
    """The address on which the proxy listens for one broker, and the broker's address."""

    proxy_address: tuple[str, int]
    broker_address: tuple[str, int]


@dataclass
class Proxy:
    """All links and the current cuts."""

    routes: list[Route]
    links: set[ProxiedLink] = field(default_factory=set)
    cuts: list[LinkCut] = field(default_factory=list)
    _numbered: dict[int, LinkCut] = field(default_factory=dict)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def run(self) -> None:
        """Serve until standard input ends."""
        loop = asyncio.get_running_loop()
        for route in self.routes:
            await loop.create_server(partial(self.accept, route), *route.proxy_address)
        print("ready", flush=True)
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            command = json.loads(line)
            number = command["cut"]
            if "pid" in command:
                cut = LinkCut(command["pid"], command["mode"], loop.time() + command["seconds"])
                self.start_cut(cut)
                self._numbered[number] = cut
            else:  # sent once per cut, when it is over
                cut = self._numbered.pop(number)
            result = {"cut": number, "links": cut.links, "effects": cut.effects}
            print(json.dumps(result), flush=True)

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run a coroutine in the background."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def start_cut(self, cut: LinkCut) -> int:
        """Start a cut; return the number of links it affects."""
        ports = cut.ports()
        found = [link for link in self.links if link.port in ports]
        cut.links = len(found)
        if cut.mode == "reset":
            cut.effects = len(found)
            for link in found:
                link.close(reset=True)
            return len(found)
        self.cuts.append(cut)
        for link in found:
            link.cut = cut
            if cut.mode == "blackhole":
                cut.effects += 1
                link.pause()
        loop = asyncio.get_running_loop()
        loop.call_at(cut.until_s, self.end_cut, cut)
        return len(found)

    def apply_cuts(self, link: ProxiedLink, *, again: bool = True) -> None:
        """Apply the cuts of its process to a new connection."""
        loop = asyncio.get_running_loop()
        for cut in self.cuts:
            if loop.time() > cut.until_s or link.cut is not None:
                continue
            ports, fresh = cut.recent_ports(loop.time())
            if link.port in ports:
                link.cut = cut
                if cut.mode == "blackhole":
                    cut.effects += 1
                    link.pause()
            elif not fresh and again:
                loop.call_later(PORTS_S, partial(self.apply_cuts, link, again=False))

    def accept(self, route: Route) -> LinkEnd:
        """Return the client's end of a new link."""
        return ProxiedLink(self, route).client

    def end_cut(self, cut: LinkCut) -> None:
        """End a cut; does nothing if it has ended."""
        if cut not in self.cuts:
            return
        self.cuts.remove(cut)
        for link in self.links:
            if link.cut is cut:
                link.cut = None
                link.resume()


def parse_route(text: str) -> Route:
    """Parse a route such as "127.0.0.2:20001=127.0.0.1:20001"."""
    proxy_address, broker_address = (address.rpartition(":") for address in text.split("="))
    return Route(
        (proxy_address[0], int(proxy_address[2])), (broker_address[0], int(broker_address[2]))
    )


def main() -> None:
    """Serve until standard input ends."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Proxy([parse_route(text) for text in sys.argv[1:]]).run())


if __name__ == "__main__":
    main()
