"""Messages and processes for the tests of the trading tools."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from arena import ids, topics
from arena.bus.base import EARLIEST, Bus
from arena.clock import Clock, SystemClock
from arena.messages import Message, Product, Ticker, ToolCall
from arena.node import Node
from arena.settings import Settings
from tests.alongside import alongside
from trading_tools.risk.requests import LimitSettings
from trading_tools.rules import TradingRules
from trading_tools.service import serve_tools

M = TypeVar("M", bound=Message)
WAIT_S = 5.0


def product(product_id: str = "BTC-USD") -> Product:
    """The listing of a product with Coinbase's usual increments."""
    return Product(
        venue="test",
        product_id=product_id,
        base_currency=product_id.split("-")[0],
        quote_currency="USD",
        base_increment=Decimal("0.00000001"),
        quote_increment=Decimal("0.01"),
        min_market_funds=Decimal(1),
    )


def ticker(bid: str, ask: str, product_id: str = "BTC-USD") -> Ticker:
    """A ticker of now."""
    now = datetime.now(UTC)
    return Ticker(
        venue="test",
        product_id=product_id,
        price=Decimal(bid),
        best_bid=Decimal(bid),
        best_ask=Decimal(ask),
        event_time=now,
        received_at=now,
    )


# Any: fields of a ToolCall, which checks them.
def tool_call(agent: str, tool: str, arguments: str, **changes: Any) -> ToolCall:
    """A call as a router sends it; its deadline is in `life_s` or thirty seconds."""
    now = datetime.now(UTC)
    life = timedelta(seconds=changes.pop("life_s", 30))
    turn = ids.turn_id(agent, "snapshot")
    fields: dict[str, Any] = {
        "call_id": ids.tool_call_id(turn, 0, changes.get("index", 0)),
        "agent": agent,
        "turn_id": turn,
        "round": 0,
        "index": 0,
        "tool": tool,
        "arguments": arguments,
        "snapshot_id": "snapshot",
        "issued_at": now,
        "deadline_at": now + life,
        "reply_to": topics.inbox(agent),
    }
    return ToolCall.model_validate(fields | changes)


@asynccontextmanager
async def serving(
    bus: Bus,
    rules: TradingRules | None = None,
    *,
    clock: Clock | None = None,
    limits: LimitSettings | None = None,
) -> AsyncIterator[Node]:
    """Run all of `arena tools` in this process; its failure is raised here."""
    node = Node("tools", "test", Settings(heartbeat_interval_s=0.1), bus, clock or SystemClock())
    async with alongside(serve_tools(node, rules or TradingRules(), limits=limits)):
        yield node


async def until_ended() -> None:
    """Wait until `serving` raises what ended it."""
    await asyncio.sleep(WAIT_S)
    raise AssertionError("nothing ended")


async def read_until(bus: Bus, topic: str, kind: type[M], count: int) -> list[M]:
    """Read a topic from its beginning until there are this many messages of a kind."""
    await bus.ensure_topics([topics.spec_of(topic)])
    reader = await bus.log_reader(topic, start=EARLIEST)
    found: list[M] = []
    try:
        async with asyncio.timeout(WAIT_S):
            while len(found) < count:
                messages = [r.message() for r in await reader.read(timeout_s=0.1)]
                found += [m for m in messages if isinstance(m, kind)]
    finally:
        await reader.close()
    return found
