"""Tools and rules from the roster: waited for, followed, withdrawn."""

import asyncio
from decimal import Decimal

import pytest

from arena import topics
from arena.bus.base import Record
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.errors import DependencyMissing
from arena.messages import Rules
from arena.node import Node
from arena.settings import Settings
from routers.roster import Roster
from tests.routers.builders import WALL, offers
from tests.routers.company import until


def roster_on(bus: MemoryBus) -> Roster:
    """A roster that was not opened."""
    return Roster(Node("router", "alpha", Settings(), bus, SystemClock()))


async def offer(bus: MemoryBus) -> None:
    """Offer the three tools."""
    for tool in offers():
        await bus.append(topics.ROSTER.name, tool, key=f"tool/{tool.name}")


async def test_tools_that_come_late_are_waited_for(memory_bus: MemoryBus) -> None:
    """A tools process may start after the router."""
    roster = roster_on(memory_bus)
    opening = asyncio.create_task(roster.open({"execute_trade"}, 5))
    await asyncio.sleep(0)
    await offer(memory_bus)
    await opening

    assert "execute_trade" in roster.offers


async def test_a_tool_nobody_offers_is_named(memory_bus: MemoryBus) -> None:
    """The deadline passes with the name and the remedy."""
    await offer(memory_bus)
    with pytest.raises(DependencyMissing, match=r"offered teleport in 0.1 s.*arena tools"):
        await roster_on(memory_bus).open({"execute_trade", "teleport"}, 0.1)


async def test_changes_are_followed(memory_bus: MemoryBus) -> None:
    """New rules are learned, a withdrawn tool is forgotten, each change is a new version."""
    await offer(memory_bus)
    roster = roster_on(memory_bus)
    await roster.open({"execute_trade"}, 5)
    before = roster.version
    following = asyncio.create_task(roster.follow())
    rules = Rules(
        starting_cash_usd=Decimal(1),
        fee_schedule="test",
        fee_bps=Decimal(60),
        slippage_bps=Decimal(2),
        price_age_s_max=30,
        collar_bps=Decimal(50),
        at=WALL,
    )
    await memory_bus.append(topics.ROSTER.name, rules, key="rules")
    log = memory_bus.cluster.logs[(topics.ROSTER.name, 0)]
    log.append(Record(topics.ROSTER.name, 0, len(log), 0, b"tool/calculator", None))
    await memory_bus.append(topics.ROSTER.name, rules, key="rules")
    await until(lambda: roster.version >= before + 3)
    following.cancel()

    assert rules == roster.rules
    assert {"execute_trade", "get_portfolio"} == set(roster.offers)
