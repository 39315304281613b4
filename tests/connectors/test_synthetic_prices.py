"""Synthetic prices: reproducible, and valid for every seed."""

from decimal import Decimal
from statistics import mean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.simulator.listing import KNOWN, listed_product
from connectors.simulator.noise import GAUSS_UNIT, Noise
from connectors.simulator.price_path import Tick
from connectors.simulator.synthetic_prices import REGIMES, SyntheticPricePath

products = st.sampled_from(sorted(KNOWN))


def ticks(product: str, seed: int, count: int) -> list[Tick]:
    """The first ticks of a price path."""
    price_path = SyntheticPricePath(listed_product(product), seed)
    return [price_path.step(5 * n) for n in range(count)]


def test_noise_is_the_same_on_every_machine() -> None:
    """The values are pinned, so that the price path of a seed can be reproduced."""
    noise = Noise(7, "BTC-USD")

    assert [24, 45, 95] == [noise.below(100) for _ in range(3)]


def test_noise_is_nearly_normal() -> None:
    """Its mean is 0 and its deviation 1000."""
    noise = Noise("gauss")
    sample = [noise.gauss() for _ in range(20_000)]

    assert abs(mean(sample)) < 30
    assert abs(pstdev(sample) - GAUSS_UNIT) < 30


@given(products, st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_price_path_is_valid(product: str, seed: int) -> None:
    """Quotes are positive, uncrossed and on the increments; trades are at the quotes."""
    known = listed_product(product)
    for tick in ticks(product, seed, 300):
        assert 0 < tick.bid < tick.ask
        assert tick.bid % known.quote_increment == tick.ask % known.quote_increment == 0
        assert tick.bid_size > 0
        if tick.trade is not None:
            expected = tick.ask if tick.trade.taker_side == "buy" else tick.bid
            assert expected == tick.trade.price
            assert 0 == tick.trade.size % known.base_increment


def test_seed_determines_the_price_path() -> None:
    """Equal seeds give equal price paths; other seeds give others."""
    assert ticks("BTC-USD", 7, 500) == ticks("BTC-USD", 7, 500)
    assert ticks("BTC-USD", 7, 500) != ticks("BTC-USD", 8, 500)


def test_day_has_every_regime_and_a_bounded_price() -> None:
    """After trends, ranges and volatile phases the price is still near its start."""
    price_path = SyntheticPricePath(listed_product("BTC-USD"), 7)
    regimes = set()
    prices: list[Decimal] = []
    for n in range(17_280):
        prices.append(price_path.step(5 * n).bid)
        regimes.add(price_path.regime.name)

    assert {regime.name for regime in REGIMES} == regimes
    assert Decimal(30_000) < min(prices) < max(prices) < Decimal(140_000)


@pytest.mark.parametrize(("product", "low", "high"), [("BTC-USD", 950, 1000), ("AERO-USD", 10, 45)])
def test_quiet_product_rarely_trades(product: str, low: int, high: int) -> None:
    """The number of trades in a thousand steps is within bounds."""
    count = sum(tick.trade is not None for tick in ticks(product, 3, 1000))

    assert low <= count <= high


@pytest.mark.parametrize(
    ("product", "low", "high", "funds"),
    [
        ("BTC-USDT", "40000", "110000", "1"),
        ("DOGE-EUR", "0.05", "0.3", "1"),
        ("ETH-BTC", "0.03", "0.08", "0.00002"),
        ("BTC-ETH", "14", "28", "0.00031"),
    ],
)
def test_known_coin_costs_as_much_in_another_currency(
    product: str, low: str, high: str, funds: str
) -> None:
    """Its price is as in dollars, or in another coin by the rate between the two."""
    prices = [tick.bid for tick in ticks(product, 7, 500)]

    assert Decimal(low) < min(prices) < max(prices) < Decimal(high)
    assert Decimal(funds) == listed_product(product).min_market_funds


def test_unknown_product_has_the_currencies_of_its_id() -> None:
    """Any id can be used."""
    assert ("XYZ", "EUR") == (
        listed_product("XYZ-EUR").base_currency,
        listed_product("XYZ-EUR").quote_currency,
    )
