"""The proxy cuts the links of one process in every mode, and restores them."""

import asyncio
import os
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from operations.localbroker.ports import LOOPBACK, choose_ports
from operations.storm import proxy_client
from operations.storm.proxy import DELAY_S, LinkCut, Proxy, Route

pytestmark = pytest.mark.skipif(
    bool(proxy_client.unavailable_reason()), reason=proxy_client.unavailable_reason() or "it can"
)
DEADLINE_S = 5.0
PRODUCE = struct.pack(">ihh", 8, 0, 8) + b"1234"
METADATA = struct.pack(">ihh", 8, 3, 8) + b"1234"


class Broker:
    """Echoes every request, and records it."""

    def __init__(self) -> None:
        """Create it without requests."""
        self.seen = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Echo until the end."""
        try:
            while data := await reader.read(1_000):
                self.seen += data
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def proxied() -> AsyncIterator[tuple[Proxy, Broker, tuple[str, int]]]:
    """Yield a proxy, the broker behind it, and the address of the proxy."""
    port, broker = choose_ports(0).client, Broker()
    route = Route((proxy_client.PROXY_HOST, port), (LOOPBACK, port))
    proxy = Proxy([route])
    server = await asyncio.start_server(broker.serve, *route.broker_address)
    front = await asyncio.get_running_loop().create_server(
        lambda: proxy.accept(route), *route.proxy_address
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield proxy, broker, route.proxy_address
    finally:
        for link in list(proxy.links):
            link.close()
        front.close()
        server.close()


def cut(mode: str, seconds: float = 60.0) -> LinkCut:
    """A cut of this process's links."""
    return LinkCut(os.getpid(), mode, asyncio.get_running_loop().time() + seconds)


async def test_without_a_cut_all_bytes_are_forwarded() -> None:
    """A request reaches the broker, and its answer the client."""
    async with proxied() as (_, broker, proxy_address):
        reader, writer = await asyncio.open_connection(*proxy_address)
        writer.write(METADATA)

        assert METADATA == await reader.readexactly(len(METADATA))
        assert METADATA == broker.seen
        writer.close()


async def test_reset_ends_the_connection() -> None:
    """The client gets an error, not a normal end; the next connection works."""
    async with proxied() as (proxy, _, proxy_address):
        reader, writer = await asyncio.open_connection(*proxy_address)
        writer.write(METADATA)
        await reader.readexactly(len(METADATA))
        reset = cut("reset")
        assert 1 == proxy.start_cut(reset)
        assert 1 == reset.effects
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        reader, writer = await asyncio.open_connection(*proxy_address)
        writer.write(METADATA)

        assert METADATA == await reader.readexactly(len(METADATA))
        writer.close()


async def test_write_with_a_dropped_ack_reached_the_broker() -> None:
    """The broker has the request, the client gets no response; other requests are answered."""
    async with proxied() as (proxy, broker, proxy_address):
        reader, writer = await asyncio.open_connection(*proxy_address)
        writer.write(METADATA)
        await reader.readexactly(len(METADATA))
        dropping = cut("drop_ack")
        proxy.start_cut(dropping)
        writer.write(METADATA)
        assert METADATA == await reader.readexactly(len(METADATA))
        assert 0 == dropping.effects
        writer.write(PRODUCE)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(len(PRODUCE))

        assert broker.seen.endswith(PRODUCE)
        assert 1 == dropping.effects


async def test_blackhole_holds_all_bytes_until_it_ends() -> None:
    """Nothing is forwarded on old and new links; afterwards nothing is lost."""
    async with proxied() as (proxy, broker, proxy_address):
        reader, writer = await asyncio.open_connection(*proxy_address)
        writer.write(METADATA)
        await reader.readexactly(len(METADATA))
        hole = cut("blackhole")
        proxy.start_cut(hole)
        late_reader, late_writer = await asyncio.open_connection(*proxy_address)
        writer.write(PRODUCE)
        late_writer.write(PRODUCE)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.read(1)
        assert METADATA == broker.seen
        assert (1, 2) == (hole.links, hole.effects)
        proxy.end_cut(hole)

        assert PRODUCE == await reader.readexactly(len(PRODUCE))
        assert PRODUCE == await late_reader.readexactly(len(PRODUCE))
        writer.close()
        late_writer.close()


async def test_delay_applies_to_both_directions() -> None:
    """Request and response are delayed, and both are counted."""
    async with proxied() as (proxy, _, proxy_address):
        reader, writer = await asyncio.open_connection(*proxy_address)
        writer.write(METADATA)
        await reader.readexactly(len(METADATA))
        slow, began_s = cut("delay"), time.monotonic()
        proxy.start_cut(slow)
        writer.write(METADATA)

        assert METADATA == await reader.readexactly(len(METADATA))
        assert time.monotonic() - began_s > DELAY_S
        assert 2 == slow.effects
        writer.close()


async def test_concurrent_cuts_get_their_own_answers() -> None:
    """Each command gets its own answer, though all use one pipe."""
    port, broker = choose_ports(0).client, Broker()
    server = await asyncio.start_server(broker.serve, LOOPBACK, port)
    client = proxy_client.ProxyClient(f"{LOOPBACK}:{port}")
    try:
        async with asyncio.timeout(DEADLINE_S):
            await client.start()
            reader, writer = await asyncio.open_connection(proxy_client.PROXY_HOST, port)
            writer.write(METADATA)
            await reader.readexactly(len(METADATA))
            asked = [(os.getppid(), "delay"), (os.getpid(), "reset"), (os.getppid(), "reset")]
            found = await asyncio.gather(*(client.cut(pid, mode, 60) for pid, mode in asked))
            finish = await asyncio.gather(*map(client.finish, found))
            writer.close()
    finally:
        await client.stop()
        server.close()

    assert [0, 1, 0] == [one.links for one in found]
    assert [0, 1, 0] == [one.effects for one in finish]


async def test_links_of_another_process_are_not_cut() -> None:
    """A cut of a process without links affects no link here."""
    async with proxied() as (proxy, _, proxy_address):
        reader, writer = await asyncio.open_connection(*proxy_address)
        writer.write(METADATA)
        await reader.readexactly(len(METADATA))
        other = LinkCut(os.getppid(), "blackhole", asyncio.get_running_loop().time() + 60)
        assert 0 == proxy.start_cut(other)
        writer.write(METADATA)

        assert METADATA == await reader.readexactly(len(METADATA))
        writer.close()
