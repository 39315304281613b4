"""Every connection to a broker ends by itself soon after its link was cut."""

import asyncio
import socket
from collections.abc import Iterable, Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

from arena import topics
from arena.bus import kafka_sockets
from arena.bus.base import GroupReader, LogReader
from arena.bus.kafka import SESSION_TIMEOUT_MS, KafkaBus
from arena.bus.kafka_admin import admin_client
from arena.bus.kafka_group import KafkaGroupReader
from arena.bus.kafka_readers import KafkaLogReader
from arena.bus.kafka_sockets import SILENT_S
from arena.messages import Resume
from arena.settings import Settings

DEADLINE_S = 40.0


# Any: aiokafka's clients are not typed.
def silent_s(client: Any) -> set[float]:
    """After how many seconds of silence the kernel ends each connection of a client; 0 is never."""
    connections = [c for c in client._conns.values() if c.connected()]
    assert connections
    sockets: Iterable[socket.socket] = [c._writer.get_extra_info("socket") for c in connections]
    found = set()
    for one in sockets:
        assert one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        probing_s = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) + one.getsockopt(
            socket.IPPROTO_TCP, socket.TCP_KEEPINTVL
        ) * one.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)
        sending_s = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) / 1_000
        found |= {probing_s, sending_s}
    return found


@pytest.mark.skipif(
    not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no such option"
)
async def test_every_connection_of_a_bus_notices_a_cut_link(
    bus: KafkaBus, settings: Settings
) -> None:
    """Producers, readers of logs, members of groups, and what asks: sending, idle, or waiting."""
    await bus.append(topics.CONTROL.name, Resume(by="cli/a", at="2026-01-01T00:00:00Z"), key="all")
    log = await bus.log_reader(topics.CONTROL.name)
    await log.end_offsets()
    await log.read()
    group = await bus.group_reader("g", topics.CONTROL.name)
    async with asyncio.timeout(DEADLINE_S):
        while not group.assignment():
            await group.read()
    assert bus._lookup is not None
    producers = [producer.client for producer in bus._producers.values()]
    assert isinstance(log, KafkaLogReader)
    assert isinstance(group, KafkaGroupReader)
    clients = [bus._lookup._client, log._fetches._client, group._consumer._client, *producers]
    async with admin_client(settings) as admin:
        await admin.list_topics()
        found = [silent_s(client) for client in [*clients, admin._client]]
    await log.close()
    await group.close()

    assert [{SILENT_S}] * 5 == found
    assert SILENT_S * 1_000 < SESSION_TIMEOUT_MS, "a member is back before its group gives it up"


async def test_silent_broker_ends_connection_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection is tried again, and again, so that one of them is early when the link is."""
    monkeypatch.setattr(kafka_sockets, "SILENT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()
        async with asyncio.timeout(DEADLINE_S / 4):
            with pytest.raises(TimeoutError):
                await kafka_sockets.create_conn(host, port)


async def test_connection_closed_at_once_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client retries after it; any other error would silently end its search for leaders."""

    async def closed_at_once(host: str, port: int) -> SimpleNamespace:
        return SimpleNamespace(_writer=None)  # as aiokafka leaves a connection that was closed

    monkeypatch.setattr(kafka_sockets, "connect", closed_at_once)
    with pytest.raises(OSError, match="127.0.0.1:9092 was closed at once"):
        await kafka_sockets.create_conn("127.0.0.1", 9092)


async def test_socket_that_takes_no_options_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the peer closed the connection meanwhile, the client gets an error and closes its side."""
    ended = socket.socket()
    ended.close()
    closed: list[bool] = []
    made = SimpleNamespace(
        _writer=SimpleNamespace(get_extra_info=lambda _: ended), close=lambda: closed.append(True)
    )

    async def connect(host: str, port: int) -> SimpleNamespace:
        return made

    monkeypatch.setattr(kafka_sockets, "connect", connect)
    with pytest.raises(OSError, match="file descriptor"):
        await kafka_sockets.create_conn("127.0.0.1", 9092)

    assert [True] == closed


class Deaf:
    """A client, or a fetcher, whose close hangs, because the link to its broker is cut."""

    cancelled = False
    leader_lookups = 0
    next_offsets: Mapping[tuple[str, int], int] = MappingProxyType({})

    async def stop(self) -> None:
        """Wait forever, even if cancelled."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            await asyncio.Event().wait()

    close = stop


@pytest.mark.parametrize("kind", ["group", "log"])
async def test_closing_with_silent_broker_is_short(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that failed ends soon, so that it can be started again."""
    monkeypatch.setattr(kafka_sockets, "CLOSE_S", 0.01)
    # Any: aiokafka's clients are not typed.
    deaf: Any = Deaf()
    reader: LogReader | GroupReader = (
        KafkaLogReader(deaf, deaf, "")
        if kind == "log"
        else KafkaGroupReader(deaf, deaf, "", None, deaf)
    )
    await asyncio.wait_for(reader.close(), 5)
    await asyncio.sleep(0)

    assert reader.closed
    assert deaf.cancelled


async def test_failed_close_raises() -> None:
    """Only waiting is cut short."""

    async def fails() -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await kafka_sockets.close_within_limit(fails())
