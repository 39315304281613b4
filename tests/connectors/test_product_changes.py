"""Changes of products, from the simulated exchange through the real connector to the topics."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from arena.bus.memory import MemoryBus
from arena.messages import Product, ProductView, Ticker
from connectors.market import subscription_manager
from connectors.simulator.coinbase.rest_responses import respond
from connectors.simulator.faults import parse_fault
from connectors.simulator.product_changes import change
from connectors.simulator.run import ExchangeOptions
from connectors.venues.coinbase.protocol_products import list_products
from tests.connectors.builders import build_market
from tests.connectors.venue import (
    RunningConnector,
    eventually,
    inject_fault,
    running_connector,
    running_exchange,
)

PAIR = ("BTC-USD", "SOL-USD")


def view_of(watched: RunningConnector, product_id: str) -> ProductView | None:
    """A product in the newest snapshot, or None."""
    return watched.snapshots[-1].view(product_id) if watched.snapshots else None


async def shows(watched: RunningConnector, product_id: str, status: str, *modes: str) -> None:
    """Wait until the newest snapshot shows a status and modes of a product."""

    def matches() -> bool:
        view = view_of(watched, product_id)
        return view is not None and (view.status, view.modes) == (status, modes)

    await eventually(matches, f"{product_id} {status} {modes}")


def sol_messages(watched: RunningConnector) -> list[Product | Ticker]:
    """The products and tickers of SOL-USD that were published, in order."""
    return [
        message
        for message in watched.messages
        if isinstance(message, Product | Ticker) and message.product_id == "SOL-USD"
    ]


async def test_modes_are_published_before_prices(memory_bus: MemoryBus) -> None:
    """At the start, after a reconnect, and when they change; each snapshot shows them."""
    async with running_exchange(products=PAIR) as server:
        await inject_fault(server, "mode", product="SOL-USD", mode="limit_only+cancel_only")
        async with running_connector(server, memory_bus, products=PAIR, factor=20.0) as watched:
            await shows(watched, "SOL-USD", "online", "cancel_only", "limit_only")
            await inject_fault(server, "mode", product="SOL-USD")
            await shows(watched, "SOL-USD", "online")
            await inject_fault(server, "mode", product="SOL-USD", mode="auction_mode")
            await inject_fault(server, "drop")
            await shows(watched, "SOL-USD", "online", "auction_mode")
            view, published = view_of(watched, "SOL-USD"), sol_messages(watched)

    assert view is not None
    assert view.ticker is not None
    first = published[0]
    assert isinstance(first, Product), "a price came before the rules"
    assert ("cancel_only", "limit_only") == first.modes
    modes: tuple[str, ...] = ()
    epoch = 0
    for message in published:
        if isinstance(message, Product):
            modes = message.modes
        elif message.connection_epoch > epoch:
            epoch = message.connection_epoch
            assert modes == (("auction_mode",) if epoch > 1 else ("cancel_only", "limit_only"))


async def test_changed_rules_and_unlisted_products_are_published(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new step, an unreadable entry, an unlisted product and its return leave BTC unchanged."""
    monkeypatch.setattr(subscription_manager, "LIST_EVERY_S", 60.0)
    async with (
        running_exchange(products=PAIR) as server,
        running_connector(server, memory_bus, products=PAIR, factor=20.0) as watched,
    ):
        await shows(watched, "SOL-USD", "online")
        await inject_fault(server, "terms", product="SOL-USD", base_increment="0.5")

        def coarser() -> bool:
            products = [m for m in sol_messages(watched) if isinstance(m, Product)]
            return Decimal("0.5") == products[-1].base_increment

        await eventually(coarser, "the step of 0.5")
        await inject_fault(server, "terms", product="SOL-USD", base_increment="null")
        await shows(watched, "SOL-USD", "unreadable")
        await inject_fault(server, "terms", product="SOL-USD", base_increment="0.5")
        await shows(watched, "SOL-USD", "online")
        await inject_fault(server, "unlist", product="SOL-USD")
        await shows(watched, "SOL-USD", "unlisted")
        gone = view_of(watched, "SOL-USD")
        statuses = {p.status for p in watched.products if p.product_id == "BTC-USD"}
        btc = view_of(watched, "BTC-USD")

    assert gone is not None
    assert gone.ticker is not None, "the last price is lost"
    assert (True, {}) == (gone.stale, gone.windows)
    assert {"online"} == statuses
    assert btc is not None
    assert not btc.stale


async def test_product_that_closed_while_the_connector_was_down_is_published_first(
    memory_bus: MemoryBus,
) -> None:
    """The second connector publishes the status before any price, and keeps the last price."""
    async with running_exchange(products=PAIR) as server:
        async with running_connector(server, memory_bus, products=PAIR, factor=20.0) as watched:
            await shows(watched, "SOL-USD", "online")
            await eventually(
                lambda: (view := view_of(watched, "SOL-USD")) is not None and bool(view.ticker),
                "a price",
            )
        # It may publish until it has ended, so only now is known what it wrote.
        await watched.read_rest()
        before, known = view_of(watched, "SOL-USD"), sol_messages(watched)
        await inject_fault(server, "delist", product="SOL-USD")
        async with running_connector(server, memory_bus, products=PAIR, factor=20.0) as second:
            await shows(second, "SOL-USD", "delisted", "trading_disabled")
            after, published_later = view_of(second, "SOL-USD"), sol_messages(second)

    assert before is not None
    assert after is not None
    assert before.ticker == after.ticker
    first = next(message for message in published_later if message not in known)
    assert isinstance(first, Product), "a price came before the rules"
    assert "delisted" == first.status


@pytest.mark.parametrize(
    ("words", "online", "closed", "rejected"),
    [
        ("mode:mode=view_only", [("SOL-USD", ("view_only",))], [], {}),
        ("mode", [("SOL-USD", ())], [], {}),
        ("status:status=offline", [], [("SOL-USD", "offline")], {}),
        ("delist", [], [("SOL-USD", "delisted")], {}),
        ("unlist", [], [], {"SOL-USD": "unlisted"}),
        ("terms:quote_increment=1E-12", [("SOL-USD", ())], [], {}),
        (
            "terms:quote_increment=-1",
            [],
            [],
            {"SOL-USD": "unreadable: quote_increment is -1; expected a number above zero"},
        ),
    ],
)
def test_exchange_lists_changed_products(
    words: str,
    online: list[tuple[str, tuple[str, ...]]],
    closed: list[tuple[str, str]],
    rejected: dict[str, str],
) -> None:
    """Each change is in the list of products in the venue's format."""
    now = datetime(2026, 11, 21, tzinfo=UTC)
    market = build_market(ExchangeOptions(("SOL-USD",), history_s=60), now)
    change(market.products["SOL-USD"], parse_fault(words))
    found = list_products(respond(market, "/products", now).body, ["SOL-USD"], venue="coinbase")

    assert online == [(p.product_id, p.modes) for p in found.online]
    assert closed == [(p.product_id, p.status) for p in found.closed]
    assert rejected == found.rejected
