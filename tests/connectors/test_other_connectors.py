"""Another connector that publishes to the same arena, until it is gone."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from arena import topics
from arena.bus.base import AppendAck
from arena.bus.memory import MemoryBus
from arena.clock import ManualClock
from arena.liveness import OTHER_CONNECTORS
from arena.messages import MarketSnapshot
from arena.node import Node
from arena.settings import Settings
from connectors.market.other_connectors import OtherConnectors
from tests.connectors.builders import T0


class Arena:
    """A connector of Coinbase, and the snapshots of others."""

    def __init__(self, bus: MemoryBus) -> None:
        """Take the bus that all connectors append to."""
        self.clock = ManualClock(T0)
        self.node = Node("connector", "coinbase", Settings(), bus, self.clock)
        self.others = OtherConnectors(self.node, "coinbase")

    async def append(self, venue: str, interval_s: float = 60.0) -> AppendAck:
        """Append a snapshot of a venue."""
        made = MarketSnapshot(
            snapshot_id="s",
            venue=venue,
            as_of=T0 + timedelta(seconds=self.clock.monotonic()),
            interval_s=interval_s,
            published_at=T0,
        )
        return await self.node.bus.append(topics.SNAPSHOTS.name, made, key=venue)

    async def publish(self, seconds: float = 60.0) -> None:
        """Publish a snapshot of this connector, some seconds after the last."""
        self.clock.advance(seconds)
        await self.others.note(await self.append("coinbase"))

    @property
    def shown(self) -> str:
        """The text in the heartbeats."""
        return str(self.node.details.get(OTHER_CONNECTORS, ""))


@pytest.fixture
def arena(memory_bus: MemoryBus) -> Arena:
    """An arena without snapshots."""
    return Arena(memory_bus)


async def test_other_connector_is_shown_until_it_is_gone(arena: Arena) -> None:
    """It is logged once, and its name and the remedy stay in the heartbeats."""
    with capture_logs() as entries:
        for _ in range(3):
            await arena.append("binance")
            await arena.publish()
        shown = arena.shown
        for _ in range(3):
            await arena.publish()
            assert shown == arena.shown
        await arena.publish()

    assert "another connector publishes snapshots of binance" in shown
    assert "--market binance=PRODUCT,... --market coinbase=PRODUCT,..." in shown
    assert "" == arena.shown
    assert 1 == sum("another connector" in entry["event"] for entry in entries)


async def test_slow_connector_is_not_gone_between_its_snapshots(arena: Arena) -> None:
    """It is expected for three of its own intervals."""
    await arena.publish()
    await arena.append("binance", interval_s=600.0)
    await arena.publish()
    for _ in range(29):
        await arena.publish()
    assert "binance" in arena.shown
    for _ in range(2):
        await arena.publish()
    assert "" == arena.shown


async def test_snapshots_between_two_checks_are_not_missed(arena: Arena) -> None:
    """The log is read once a minute; what came meanwhile is read then."""
    await arena.publish()
    await arena.append("binance")
    await arena.publish(1.0)
    await arena.append("kraken")
    for _ in range(7):
        await arena.publish(10.0)

    assert "binance, kraken" in arena.shown


async def test_process_that_does_not_publish_reports_no_others(arena: Arena) -> None:
    """A standby does not know; the one that publishes reports them."""
    await arena.publish()
    await arena.append("binance")
    await arena.publish()
    assert "binance" in arena.shown

    arena.others.forget()
    assert "" == arena.shown
    await arena.publish()
    assert "" == arena.shown
