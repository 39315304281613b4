"""A TCP proxy between processes and brokers that cuts the links of one process.

    python -m operations.storm.proxy 127.0.0.2:20001=127.0.0.1:20001

Each route listens beside its broker, on the same port of another loopback address; in what brokers
say, their own address is replaced by the proxy's, so clients stay with it. Commands are JSON lines
on standard input, {"cut": 1, "pid": 12, "way": "reset", "seconds": 3} and {"cut": 1}; each is
answered with a line that tells how many links the cut found and how often it took effect. The proxy
ends when standard input is closed. Linux only: elsewhere 127.0.0.2 is not there.

Ways: `reset` ends every connection of the process at once; `blackhole` lets nothing through and
ends nothing; `delay` holds everything back by `DELAY_S`; `drop_ack` lets a Produce request through,
keeps its answer, and ends the connection.
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
"""How long the ports of a process are taken for known; asking for each connection takes so long
that a proxy with a thousand of them does nothing else."""
BACKLOG_BYTES_MAX = 8_000_000
"""Kept for a broker that does not take it; then the process waits."""
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER for an end by RST."""


@dataclass(eq=False)
class LinkCut:
    """A fault of the links of one process, until a time of the event loop.

    Attributes:
        links: How many connections it found when it began.
        effects: Connections it reset or held, answers it dropped, pieces it held back.
    """

    pid: int
    mode: str
    until_s: float
    links: int = 0
    effects: int = 0
    _known: set[int] = field(default_factory=set)
    _stale_s: float = 0.0

    def recent_ports(self, now_s: float) -> tuple[set[int], bool]:
        """The ports, and whether they are as new as now: asking reads every socket there is."""
        if fresh := now_s >= self._stale_s:
            began_s = time.monotonic()
            self._known = self.ports()
            self._stale_s = now_s + max(PORTS_S, 10 * (time.monotonic() - began_s))
        return self._known, fresh

    def ports(self) -> set[int]:
        """Local ports of the process's connections."""
        with suppress(psutil.Error):
            found = psutil.Process(self.pid).net_connections(kind="tcp")
            return {c.laddr.port for c in found if c.laddr}
        return set()


class LinkEnd(asyncio.Protocol):
    """One end of a link."""

    def __init__(self, link: "ProxiedLink", *, is_client: bool) -> None:
        """An end that is not connected yet."""
        self.link = link
        self.is_client = is_client
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is connected."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own is not a subclass
        self.link.on_connected(self)

    def data_received(self, data: bytes) -> None:
        """Bytes for the other end."""
        self.link.receive(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended; so does the other one."""
        self.link.close(reset=exc is not None)

    def pause_writing(self) -> None:
        """This end is slow: the other one waits."""
        self.link.pause_other_end(self)

    def resume_writing(self) -> None:
        """It takes bytes again."""
        self.link.resume()


class ProxiedLink:
    """A client's connection and the one to the broker that belongs to it."""

    def __init__(self, proxy: "Proxy", route: "Route") -> None:
        """A link without ends."""
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
        """One end is connected."""
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
        """Bytes from one end: passed on, held back or dropped."""
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
        if self._delayed:  # nothing overtakes what was held back
            self._delayed.append((0.0, link_end, data))
            return
        self._forward(link_end, data)

    def close(self, *, reset: bool = False) -> None:
        """End both ends."""
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
        """The other end waits."""
        other = self.server if link_end.is_client else self.client
        if other.transport is not None:
            other.transport.pause_reading()

    def pause(self) -> None:
        """Nothing is read any more."""
        for link_end in (self.client, self.server):
            if link_end.transport is not None:
                link_end.transport.pause_reading()

    def resume(self) -> None:
        """Read on, unless a blackhole holds the link."""
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
        """Pass on what was held back long enough."""
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
    """Where the proxy listens for one broker, and where that is."""

    proxy_address: tuple[str, int]
    broker_address: tuple[str, int]


@dataclass
class Proxy:
    """All links and the cuts of now."""

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
                cut = LinkCut(command["pid"], command["way"], loop.time() + command["seconds"])
                self.start_cut(cut)
                self._numbered[number] = cut
            else:  # It is asked for once, when it is over.
                cut = self._numbered.pop(number)
            result = {"cut": number, "links": cut.links, "effects": cut.effects}
            print(json.dumps(result), flush=True)

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run something beside."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def start_cut(self, cut: LinkCut) -> int:
        """Begin a cut; returns how many links it found."""
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
        """A new connection falls under the cuts of its process."""
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
        """The client's end of a new link."""
        return ProxiedLink(self, route).client

    def end_cut(self, cut: LinkCut) -> None:
        """End a cut, once."""
        if cut not in self.cuts:
            return
        self.cuts.remove(cut)
        for link in self.links:
            if link.cut is cut:
                link.cut = None
                link.resume()


def parse_route(text: str) -> Route:
    """A route from "127.0.0.2:20001=127.0.0.1:20001"."""
    proxy_address, broker_address = (link_end.rpartition(":") for link_end in text.split("="))
    return Route(
        (proxy_address[0], int(proxy_address[2])), (broker_address[0], int(broker_address[2]))
    )


def main() -> None:
    """Run until standard input ends."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Proxy([parse_route(text) for text in sys.argv[1:]]).run())


if __name__ == "__main__":
    main()
