"""Subscribe messages and acknowledgements: batches and aliases."""

import orjson

from connectors.venues.coinbase.subscription import (
    BATCH_PRODUCTS_MAX,
    CHANNELS,
    missing_products,
    subscribe_messages,
    wanted_pairs,
)


def test_each_channel_carries_its_own_products() -> None:
    """The venue misreads messages with ids at the root, so they are not sent."""
    (text,) = subscribe_messages(CHANNELS, ["BTC-USD", "SOL-USD", "BTC-USD"])

    assert {
        "type": "subscribe",
        "channels": [
            {"name": "ticker_batch", "product_ids": ["BTC-USD", "SOL-USD"]},
            {"name": "heartbeat", "product_ids": ["BTC-USD", "SOL-USD"]},
        ],
    } == orjson.loads(text)


def test_many_products_go_in_batches() -> None:
    """A message names at most fifty products, and each product is named once."""
    products = [f"P{n}-USD" for n in range(2 * BATCH_PRODUCTS_MAX + 1)]
    batches = [
        orjson.loads(text)["channels"][0]["product_ids"]
        for text in subscribe_messages(CHANNELS, products)
    ]

    assert [50, 50, 1] == [len(batch) for batch in batches]
    assert products == [product for batch in batches for product in batch]


def test_alias_of_a_channel_counts() -> None:
    """`ticker_batch` is acknowledged as `ticker_1000`."""
    wanted = wanted_pairs(CHANNELS, ["BTC-USD"])

    assert {("ticker_1000", "BTC-USD"), ("heartbeat", "BTC-USD")} == wanted
    assert [] == missing_products(wanted, wanted | {("matches", "ETH-USD")})
    assert ["BTC-USD"] == missing_products(wanted, frozenset({("heartbeat", "BTC-USD")}))
