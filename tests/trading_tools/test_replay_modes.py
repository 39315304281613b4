"""Orders during changes of a product's mode and steps replay identically."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from arena import topics
from arena.bus.memory import MemoryBus
from arena.exports import export_topics
from arena.messages import OrderDecided, Product, RejectReason
from tests.trading_tools.helpers import product, read_until, serving, ticker, tool_call
from trading_tools.replay import OrderReplay
from trading_tools.replay_listings import ListingHistory
from trading_tools.rules import TradingRules

TOPICS = (
    topics.TICKERS.name,
    topics.COMMANDS.name,
    topics.EVENTS.name,
    topics.ROSTER.name,
    topics.CONTROL.name,
)
NOW = datetime(2026, 11, 21, tzinfo=UTC)


class Trader:
    """Publishes products and orders, and reads the orders' outcomes."""

    def __init__(self, bus: MemoryBus) -> None:
        """Take the bus to trade on."""
        self._bus = bus
        self._orders = 0

    async def publish(self, product_id: str, **terms: object) -> None:
        """Publish a product's rules."""
        message = product(product_id).model_copy(update=terms)
        await self._bus.append(topics.TICKERS.name, message, key=product_id)

    async def order(self, product_id: str, quantity: str = "0.1") -> OrderDecided:
        """Send a buy and return its event."""
        arguments = {"product_id": product_id, "quantity": quantity, "action": "buy"}
        text = orjson.dumps(arguments).decode()
        call = tool_call("mo", "execute_trade", text, index=self._orders)
        self._orders += 1
        await self._bus.append(topics.COMMANDS.name, call, key="mo")
        return (await read_until(self._bus, topics.EVENTS.name, OrderDecided, self._orders))[-1]

    async def until(self, product_id: str, reason: str | None, quantity: str = "0.1") -> str:
        """Send orders until one has a reason; returns its detail."""
        for _ in range(100):
            event = await self.order(product_id, quantity)
            if event.reason == reason:
                return event.detail
        raise AssertionError(f"no order ended with {reason}")


async def test_listings_that_change_between_orders_replay_identically(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    """A mode that starts and ends, a coarser step, a delisting: byte by byte, with one price."""
    trader = Trader(memory_bus)
    for product_id in ("BTC-USD", "ETH-USD"):
        await trader.publish(product_id)
    await memory_bus.append(topics.TICKERS.name, ticker("100", "101"), key="BTC-USD")
    async with serving(memory_bus):
        await trader.until("BTC-USD", None)
        await trader.publish("BTC-USD", modes=("limit_only",))
        limited = await trader.until("BTC-USD", "not_tradable")
        unknown = await trader.until("DOGE-USD", "unknown_product")
        await trader.publish("ETH-USD", status="delisted")
        await trader.publish("BTC-USD", base_increment=Decimal("0.25"))
        stepped = await trader.until("BTC-USD", "bad_increment")
        await trader.until("BTC-USD", None, "0.25")
        alone = await trader.until("DOGE-USD", "unknown_product")
    await export_topics(memory_bus, tmp_path / "records", TOPICS)

    found = OrderReplay(tmp_path / "records").run()

    assert "BTC-USD is limit_only at the venue: market orders are refused" in limited
    assert limited.endswith("; traded are ETH-USD")
    assert unknown.endswith("; traded are ETH-USD")
    assert stepped.endswith("multiple of 0.25 BTC; try 0.25")
    assert alone.endswith("; traded are BTC-USD")
    assert [] == found.differences


async def test_refusals_of_an_account_without_a_wallet_replay_identically(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    """It was opened before the rules had the wallet: the text has its own products only."""
    trader, tethers = Trader(memory_bus), "binance:BTCUSDT"
    await trader.publish("BTC-USD")
    await trader.publish(tethers, quote_currency="USDT")
    async with serving(memory_bus):
        await trader.until("DOGE-USD", "unknown_product")
    rules = TradingRules.from_flags(wallets=["USDT=30000"])
    async with serving(memory_bus, rules):
        refused = await trader.until(tethers, "unknown_product")
    await export_topics(memory_bus, tmp_path / "records", TOPICS)

    found = OrderReplay(tmp_path / "records").run()

    assert refused.endswith("accounts hold USD; traded are BTC-USD")
    assert [] == found.differences


def event(reason: RejectReason | None = None, detail: str = "", **used: Any) -> dict[str, Any]:
    """The fields of an order's event that matter here."""
    return {"product_id": "BTC-USD", "reason": reason, "detail": detail, **used}


def listings(*statuses: str) -> ListingHistory:
    """BTC-USD with these statuses at the offsets 10, 20, ..."""
    found = ListingHistory()
    for place, status in enumerate(statuses, 1):
        found.take(product().model_copy(update={"status": status}), (0, 10 * place))
    return found


def test_older_event_is_decided_by_the_newest_record_before_it() -> None:
    """It names no record, and neither does the replayed event."""
    known = listings("online", "delisted", "online").at(event(), 25)

    assert ("delisted", None) == (known["BTC-USD"].status, known["BTC-USD"].place)


def test_record_named_by_an_event_is_used() -> None:
    """However far the executor had read, and never one of another product."""
    found = listings("online", "delisted")
    found.take(product("ETH-USD"), (0, 30))
    known = found.at(event(listing={"partition": 0, "offset": 20}), 5)
    other = found.at(event(listing={"partition": 0, "offset": 30}), 5)

    assert ("delisted", (0, 20)) == (known["BTC-USD"].status, known["BTC-USD"].place)
    assert ("online", None) == (other["BTC-USD"].status, other["BTC-USD"].place)


def test_executor_without_the_listing_is_believed() -> None:
    """It said that the product is not traded here, so it knew no record of it."""
    detail = "'BTC-USD' is not traded here; traded are nothing yet"

    assert {} == listings("online").at(event(RejectReason.UNKNOWN_PRODUCT, detail), 50)


def test_deleted_listing_is_recognised() -> None:
    """By the offset that the event names, else by the records left before it."""
    found = listings("online")

    assert found.are_kept(event(listing={"partition": 0, "offset": 10}), 50, {0: 10})
    assert not found.are_kept(event(listing={"partition": 0, "offset": 9}), 50, {0: 10})
    assert not found.are_kept(event(), 10, {0: 10})


def test_inexpressible_product_is_skipped() -> None:
    """The executor dead-lettered it, so it decided nothing by it."""
    found = ListingHistory()
    broken: Product = product().model_copy(update={"base_increment": Decimal(0)})
    found.take(broken, (0, 10))

    assert {} == found.at(event(), 50)
