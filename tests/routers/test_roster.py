"""Tools and rules from the roster: waited for, followed, withdrawn."""

import asyncio
from decimal import Decimal

import pytest

from arena import topics
from arena.agent_health import dead_with_process
from arena.bus.base import Record
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.errors import EXIT_USAGE, DependencyMissing, UsageError
from arena.messages import Rules
from arena.node import Node
from arena.settings import Settings
from routers.roster import Roster
from tests.routers.builders import WALL, offers
from tests.routers.fake_peers import publish_rules, until


def roster_on(bus: MemoryBus) -> Roster:
    """A roster that was not opened."""
    return Roster(Node("router", "alpha", Settings(), bus, SystemClock()))


async def offer(bus: MemoryBus) -> None:
    """Offer the three tools, and state the rules."""
    for tool in offers():
        await bus.append(topics.ROSTER.name, tool, key=f"tool/{tool.name}")
    await publish_rules(bus, "real-time")


async def test_late_tools_are_waited_for(memory_bus: MemoryBus) -> None:
    """A tools process may start after the router."""
    roster = roster_on(memory_bus)
    opening = asyncio.create_task(roster.open({"execute_trade"}, 5))
    await asyncio.sleep(0)
    await offer(memory_bus)
    await opening

    assert "execute_trade" in roster.offers


async def test_tool_that_is_not_offered_is_named(memory_bus: MemoryBus) -> None:
    """After the deadline the error has the name and the remedy."""
    await offer(memory_bus)
    with pytest.raises(DependencyMissing, match=r"offered teleport in 0.1 s.*arena tools"):
        await roster_on(memory_bus).open({"execute_trade", "teleport"}, 0.1)


async def test_no_turn_starts_before_the_rules_are_known(memory_bus: MemoryBus) -> None:
    """Prompts always have the trading costs; an agent that cannot trade needs no rules."""
    for tool in offers():
        await memory_bus.append(topics.ROSTER.name, tool, key=f"tool/{tool.name}")

    await roster_on(memory_bus).open({"calculator"}, 0.1)
    with pytest.raises(DependencyMissing, match=r"offered rules .*arena status"):
        await roster_on(memory_bus).open({"execute_trade"}, 0.1)


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]"])
async def test_unreadable_rules_stop_no_agent(memory_bus: MemoryBus, value: bytes | None) -> None:
    """In a compacted topic it may be the only record left; the next owner publishes rules."""
    await offer(memory_bus)
    log = memory_bus.cluster.logs[(topics.ROSTER.name, 0)]
    log[-1] = log[-1]._replace(value=value)
    roster = roster_on(memory_bus)

    await roster.open({"execute_trade"}, 1)
    assert roster.rules is None
    await publish_rules(memory_bus, "real-time")
    await roster.catch_up()

    assert roster.rules is not None


@pytest.mark.parametrize("fresh", [True, False])
async def test_tool_missing_among_others_is_unknown(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch, fresh: bool
) -> None:
    """After a short grace the router ends and lists what is offered.

    Old offers may be those of a tools process that is about to restart: they get more time.
    """
    graces = (0.05, 60.0) if fresh else (60.0, 0.05)
    monkeypatch.setattr("routers.roster.GRACE_S", graces[0])
    monkeypatch.setattr("routers.roster.OLD_OFFERS_GRACE_S", graces[1])
    monkeypatch.setattr("routers.roster.READ_TIMEOUT_S", 0.02)
    at = SystemClock().now() if fresh else WALL
    for tool in offers():
        offered = tool.model_copy(update={"at": at})
        await memory_bus.append(topics.ROSTER.name, offered, key=f"tool/{tool.name}")

    with pytest.raises(UsageError, match=r"offers teleport.*offered are calculator, exec") as ended:
        await roster_on(memory_bus).open({"execute_trade", "teleport"}, 30)

    (dead,) = dead_with_process(["alpha"], str(ended.value))
    assert (ended.value.exit_code, dead.code) == (EXIT_USAGE, "unknown_tool")


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
