"""Ids of products of several venues."""

import pytest

from arena.products import base_of, product_key, quote_of, split_key


@pytest.mark.parametrize(
    ("venue", "symbol", "product_id"),
    [("coinbase", "BTC-USD", "BTC-USD"), ("binance", "BTCUSDT", "binance:BTCUSDT")],
)
def test_key_of_a_venue_and_its_symbol_is_split_into_them(
    venue: str, symbol: str, product_id: str
) -> None:
    """An id without a venue is one of Coinbase, as in old records."""
    assert product_id == product_key(venue, symbol)
    assert (venue, symbol) == split_key(product_id)


@pytest.mark.parametrize(
    ("product_id", "base", "quote"),
    [
        ("BTC-USD", "BTC", "USD"),
        ("binance:BTCUSDT", "BTC", "USDT"),
        ("binance:ETHBTC", "ETH", "BTC"),
        ("binance:1000SATSFDUSD", "1000SATS", "FDUSD"),
        ("binance:USDCUSDT", "USDC", "USDT"),
        ("kraken:XBT-EUR", "XBT", "EUR"),
        ("binance:USDT", "USDT", ""),
        ("binance:PEPEXYZ", "PEPEXYZ", ""),
    ],
)
def test_currencies_of_a_product(product_id: str, base: str, quote: str) -> None:
    """By the dash, or by the longest known quote at the end; a quote alone is not a pair."""
    assert (base, quote) == (base_of(product_id), quote_of(product_id))
