"""A confirmed halt holds, with real processes that are frozen, cut off or ended."""

import asyncio
import signal
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_admin import admin_client
from arena.halt_confirmation import HaltConfirmation, append_and_confirm
from arena.messages import Halt, Heartbeat, Resume
from arena.settings import Settings
from arena.topics import partition_of
from operations.localbroker.ports import can_bind
from operations.storm.proxy import LinkCut, LinkEnd, ProxiedLink, Proxy, Route
from tests.faults.harness import Executors
from tests.operations.commands.cli import arena
from tests.trading_tools.helpers import product, ticker, tool_call

BUY = '{"product_id": "BTC-USD", "quantity": "0.01", "action": "buy"}'
CONTROL, EVENTS = topics.CONTROL.name, topics.EVENTS.name
WAIT_S = 30.0
FETCH = 1
ASSIGNMENTS_MIN = 3
"""Assignments that a second member of the group logs until the group is stable."""
HOSTS = ("127.0.0.2", "127.0.0.3")
"""The addresses of the proxies; they must be as long as 127.0.0.1."""


class OrderClient:
    """Sends orders to a real broker, and reads their outcomes."""

    def __init__(self, bus: KafkaBus) -> None:
        """Use a bus.

        Args:
            bus: A started bus.
        """
        self.bus = bus
        self.sent = 0

    async def open_market(self) -> None:
        """Publish a product and a price."""
        await self.bus.append(topics.TICKERS.name, product(), key="BTC-USD")
        await self.bus.append(topics.TICKERS.name, ticker("67201.10", "67203.55"), key="BTC-USD")

    async def order(self, agent: str = "momentum", life_s: float = 60) -> str:
        """Send an order; return its id."""
        self.sent += 1
        call = tool_call(agent, "execute_trade", BUY, index=self.sent, life_s=life_s)
        await self.bus.append(topics.COMMANDS.name, call, key=agent)
        return call.call_id

    async def outcomes_of(self, *orders: str) -> list[str]:
        """Wait for the outcomes of orders: "filled" or the reason of the rejection."""
        ends: dict[str, str] = {}
        log = await self.bus.log_reader(EVENTS)
        try:
            async with asyncio.timeout(WAIT_S):
                while not ends.keys() >= set(orders):
                    for record in await log.read(timeout_s=0.1):
                        event = orjson.loads(record.value or b"{}")
                        if "outcome" in event:
                            ends[event["order_id"]] = event["reason"] or event["outcome"]
        finally:
            await log.close()
        return [ends[order] for order in orders]

    async def halt(self, agent: str | None = None, wait_s: float = WAIT_S) -> HaltConfirmation:
        """Halt like `arena halt`."""
        return await append_and_confirm(
            self.bus, Halt(agent=agent, by="test", at=datetime.now(UTC)), wait_s
        )

    async def resume(self) -> HaltConfirmation:
        """Resume like `arena resume`."""
        return await append_and_confirm(self.bus, Resume(by="test", at=datetime.now(UTC)), WAIT_S)


def logged(logs: Path, name: str, event: str) -> list[dict[str, Any]]:
    """Return the log lines of an event of a process."""
    lines = (logs / f"{name}.log").read_bytes().splitlines()
    found = [orjson.loads(line) for line in lines if line.startswith(b"{")]
    return [line for line in found if line["event"] == event]


def owns(logs: Path, name: str) -> bool:
    """True if a process owns the shard, according to its log."""
    return len(logged(logs, name, "owns shard")) > len(logged(logs, name, "gave up shard"))


async def owner_and_standby(market: OrderClient, logs: Path) -> tuple[str, str]:
    """Return which of "one" and "two" owns the shard, once the group is stable.

    The old owner serves the shard until it reads the log; a resume makes it read.
    """
    found = await _settled(logs)
    assert {} == (await market.resume()).unconfirmed
    async with asyncio.timeout(WAIT_S):
        while owns(logs, found[1]):
            await asyncio.sleep(0.05)
    return found


async def _settled(logs: Path) -> tuple[str, str]:
    async with asyncio.timeout(WAIT_S):
        while True:
            given = {name: logged(logs, name, "assignment") for name in ("one", "two")}
            if len(given["two"]) >= ASSIGNMENTS_MIN:
                owners = [name for name, lines in given.items() if lines[-1]["shards"]]
                if len(owners) == 1 and owns(logs, owners[0]):
                    return owners[0], "two" if owners == ["one"] else "one"
            await asyncio.sleep(0.05)


async def wait_until_ownership_is_published(bus: KafkaBus) -> None:
    """Wait until a heartbeat names the owner of the shard."""
    reader = await bus.log_reader(topics.HEARTBEATS.name)
    try:
        async with asyncio.timeout(WAIT_S):
            while not any(
                isinstance(beat := record.message(), Heartbeat) and beat.details.get("shards")
                for record in await reader.read(timeout_s=0.2)
            ):
                pass
    finally:
        await reader.close()


async def test_halt_survives_its_owners(
    bus: KafkaBus, settings: Settings, executors: Executors
) -> None:
    """The owner is frozen or ends, a record is unreadable, the topic is new: no order is filled."""
    market = OrderClient(bus)
    await market.open_market()
    executors.start("one")
    await executors.wait_until_owned(0)
    executors.start("two")
    owner, standby = await owner_and_standby(market, executors.logs)
    assert ["filled"] == await market.outcomes_of(await market.order())
    await wait_until_ownership_is_published(bus)

    executors.signal(owner, signal.SIGSTOP)
    frozen = await asyncio.to_thread(arena, settings, "halt", "--wait", "0.5")
    orders = [await market.order() for _ in range(5)]
    executors.signal(owner, signal.SIGCONT)
    assert {"halted"} == set(await market.outcomes_of(*orders))
    assert 1 == frozen.returncode
    assert "shard 0: its owner tools/" in frozen.stderr
    assert f"/{executors.processes[owner].pid} did not answer" in frozen.stderr
    assert {} == (await market.halt()).unconfirmed

    owned = executors.times_owned()
    executors.signal(owner, signal.SIGTERM)
    await executors.wait_until_owned(owned)
    assert ["halted"] == await market.outcomes_of(await market.order())
    assert {} == (await market.resume()).unconfirmed
    assert ["filled"] == await market.outcomes_of(await market.order())

    await write_raw(settings, b"all", None)
    executors.signal(standby, signal.SIGTERM)
    executors.start("three")
    await executors.wait_until_owned(owned + 1)
    assert ["halted"] == await market.outcomes_of(await market.order())
    status = await asyncio.to_thread(arena, settings, "status")
    assert f"halted: everybody by a record that cannot be read, {CONTROL}[0]@4" in status.stdout
    again = await asyncio.to_thread(arena, settings, "halt", "momentum")
    assert (0, "halted: momentum; confirmed") == (again.returncode, again.stdout[:27])
    assert f"halted: everybody by a record that cannot be read, {CONTROL}[0]@4" in again.stdout
    assert {} == (await market.resume()).unconfirmed
    assert ["filled"] == await market.outcomes_of(await market.order("scalper"))

    await recreate_control_topic(settings)
    order = await market.order()
    async with asyncio.timeout(WAIT_S):
        while executors.processes["three"].poll() is None:
            await asyncio.sleep(0.05)
    last = (executors.logs / "three.log").read_text().splitlines()[-1]
    assert f"{CONTROL}[0]" in last
    assert order not in {*await filled_orders(bus)}


async def recreate_control_topic(settings: Settings) -> None:
    """Recreate the control topic with a halt at each offset that was read before."""
    name = settings.prefix + CONTROL
    async with admin_client(settings) as admin:
        await admin.delete_topics([name])
        async with asyncio.timeout(WAIT_S):
            while name in {*await admin.list_topics()}:
                await asyncio.sleep(0.01)
    other = KafkaBus(settings, client_id="test")
    await other.start()
    try:
        await other.ensure_topics([topics.CONTROL])
        for _ in range(10):
            halt = Halt(by="test", at=datetime.now(UTC))
            await other.append(CONTROL, halt, key="all")
    finally:
        await other.close()


async def filled_orders(bus: KafkaBus) -> list[str]:
    """Return the ids of the filled orders."""
    log = await bus.log_reader(EVENTS)
    try:
        found = []
        while await log.lag():
            found += [orjson.loads(r.value or b"{}") for r in await log.read(timeout_s=0.1)]
    finally:
        await log.close()
    return [event["order_id"] for event in found if event.get("outcome") == "filled"]


async def write_raw(settings: Settings, key: bytes, value: bytes | None) -> None:
    """Write raw bytes to the control topic."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(settings.prefix + CONTROL, value, key=key, partition=0)
    finally:
        await producer.stop()


class ControlLink(ProxiedLink):
    """A connection that is cut when it fetches the control topic."""

    def receive(self, link_end: LinkEnd, data: bytes) -> None:
        """Forward bytes, unless they are such a fetch."""
        assert isinstance(self.proxy, ControlProxy)
        if link_end.is_client and is_fetch(data) and self.proxy.topic in data:
            self.proxy.fetching.add(self)
            if self.proxy.is_cut:
                self.cut = self.proxy.cut
                self.pause()
                return
        super().receive(link_end, data)


class ControlProxy(Proxy):
    """A proxy to the broker that can cut off the control topic."""

    def __init__(self, route: Route, topic: bytes) -> None:
        """Start without a cut.

        Args:
            route: Where to listen, and the broker.
            topic: The name of the control topic.
        """
        super().__init__([route])
        self.topic = topic
        self.fetching: set[ProxiedLink] = set()
        self.is_cut = False
        self.cut = LinkCut(0, "blackhole", float("inf"))

    def accept(self, route: Route) -> LinkEnd:
        """Return the client side of a new connection."""
        return ControlLink(self, route).client

    def cut_off(self) -> None:
        """Hold everything to and from the control topic."""
        self.is_cut = True
        for link in self.fetching:
            link.cut = self.cut
            link.pause()

    def restore(self) -> None:
        """Reset the connections that were cut; new ones work."""
        self.is_cut = False
        for link in self.fetching:
            link.cut = None
            link.close(reset=True)


def is_fetch(data: bytes) -> bool:
    """True if bytes from a client include a Fetch request."""
    at = 0
    while at + 6 <= len(data):
        size, key = struct.unpack_from(">ih", data, at)
        if key == FETCH:
            return True
        at += 4 + size
    return False


@asynccontextmanager
async def proxied(settings: Settings, host: str) -> AsyncIterator[tuple[ControlProxy, Settings]]:
    """Start a proxy to the broker; yield it with settings that use it."""
    broker_host, _, port = settings.bootstrap_servers.rpartition(":")
    route = Route((host, int(port)), (broker_host, int(port)))
    proxy = ControlProxy(route, (settings.prefix + CONTROL).encode())
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(proxy.accept, route), *route.proxy_address)
    try:
        yield proxy, settings.model_copy(update={"bootstrap_servers": f"{host}:{port}"})
    finally:
        for link in list(proxy.links):
            link.close()
        server.close()


@pytest.mark.skipif(
    not all(can_bind(0, host) for host in HOSTS), reason="no second loopback address here"
)
async def test_owner_cut_off_from_the_halt_fills_nothing(
    bus: KafkaBus, settings: Settings, tmp_path: Path
) -> None:
    """A standby that reads the halt cannot confirm it; no order after the halt is filled."""
    market = OrderClient(bus)
    await market.open_market()
    async with proxied(settings, HOSTS[0]) as one, proxied(settings, HOSTS[1]) as two:
        processes = {
            name: Executors(through, tmp_path)
            for name, (_, through) in {"one": one, "two": two}.items()
        }
        try:
            processes["one"].start("one")
            await processes["one"].wait_until_owned(0)
            processes["two"].start("two")
            owner, _ = await owner_and_standby(market, tmp_path)
            proxy = one[0] if owner == "one" else two[0]
            assert ["filled"] == await market.outcomes_of(await market.order())

            proxy.cut_off()
            halted = await asyncio.to_thread(arena, settings, "halt", "--wait", "1.2")
            short = [await market.order(life_s=0.5) for _ in range(3)]
            long = [await market.order() for _ in range(3)]
            first, *others = await market.outcomes_of(*short)
            proxy.restore()

            assert "control_unknown" == first
            assert {"control_unknown", "expired"} >= set(others)
            assert {"halted"} == set(await market.outcomes_of(*long))
            assert 1 == halted.returncode
            assert f"/{processes[owner].processes[owner].pid} did not answer" in halted.stderr
            assert {} == (await market.halt()).unconfirmed
        finally:
            for executors in processes.values():
                executors.stop()


async def test_each_shard_confirms_for_itself(settings: Settings, executors: Executors) -> None:
    """A halt of an agent needs its shard only, a halt of all agents every shard."""
    from dataclasses import replace

    bus = KafkaBus(settings, client_id="test")
    await bus.start()
    try:
        two = [replace(spec, partitions=2) for spec in (topics.COMMANDS, topics.EVENTS)]
        await bus.ensure_topics(two)
        await bus.ensure_topics(topics.fixed_topics())
        await check_shards_confirm(OrderClient(bus), executors)
    finally:
        await bus.close()


async def check_shards_confirm(market: OrderClient, executors: Executors) -> None:
    """Halt with one executor of both shards, then with two, one of which is frozen."""
    await market.open_market()
    agent_of_shard = {
        partition_of(name, 2): name for name in ("momentum", "scalper", "cash", "noise")
    }
    executors.start("one")
    await executors.wait_until_owned(1)
    assert ["filled", "filled"] == await market.outcomes_of(
        await market.order(agent_of_shard[0]), await market.order(agent_of_shard[1])
    )
    executors.start("two")
    async with asyncio.timeout(WAIT_S):
        while not owns(executors.logs, "two"):
            await asyncio.sleep(0.05)
    (shard,) = {line["shard"] for line in logged(executors.logs, "two", "owns shard")}

    executors.signal("two", signal.SIGSTOP)
    of_one_agent, of_all = (
        await market.halt(agent_of_shard[1 - shard]),
        await market.halt(wait_s=0.5),
    )
    other = await market.halt(agent_of_shard[shard], wait_s=0.5)
    refused = await market.outcomes_of(await market.order(agent_of_shard[1 - shard]))
    executors.signal("two", signal.SIGCONT)

    assert ((1 - shard,), {}) == (of_one_agent.shards, of_one_agent.unconfirmed)
    assert [shard] == [*of_all.unconfirmed] == [*other.unconfirmed]
    assert (0, 1) == of_all.shards
    assert ["halted"] == refused
    assert ["halted"] == await market.outcomes_of(await market.order(agent_of_shard[shard]))
    assert {} == (await market.halt()).unconfirmed
