"""Replays for the bench: generated candles as rows of a price file, and seeded prices. Pure."""

from decimal import Decimal
from functools import lru_cache
from typing import Final

from arena.pricefiles.rows import MINUTE_S, PriceRows
from connectors.market.lockstep.snapshot_replay import SnapshotReplay
from connectors.simulator.listing import DEFAULT_PRODUCTS, listed_product
from connectors.simulator.noise import GAUSS_UNIT, Noise
from connectors.simulator.recorded_prices import RecordedPricePath
from connectors.simulator.simulated_market import SimulatedMarket
from connectors.simulator.synthetic_prices import SyntheticPricePath

FIRST_S: Final = 1_767_225_600
HISTORY: Final = 60
NOISE_PPM: Final = 500
PRODUCTS_KEPT: Final = 5


def benchmark_replay(products: int, bars: int, interval_bars: int) -> SnapshotReplay:
    """A replay of minutes without indicators, at its first snapshot.

    Args:
        products: Number of products, at most five.
        bars: Candles of each.
        interval_bars: Candles from snapshot to snapshot.
    """
    names = DEFAULT_PRODUCTS[:products]
    paths = [RecordedPricePath(listed_product(name), _rows(name, bars)) for name in names]
    market = SimulatedMarket(paths, start_s=FIRST_S, end_s=FIRST_S + bars * MINUTE_S)
    market.advance(FIRST_S + HISTORY * MINUTE_S)
    return SnapshotReplay(market, interval_s=interval_bars * MINUTE_S, snapshots=None)


def seeded_replay(
    products: int, bars: int, interval_bars: int, *, whole_bars: bool = True
) -> SnapshotReplay:
    """The same with seeded prices.

    Args:
        products: Number of products, at most five.
        bars: Candles of each.
        interval_bars: Candles from snapshot to snapshot.
        whole_bars: False to play every bar in its steps.
    """
    paths = [SyntheticPricePath(listed_product(name), 7) for name in DEFAULT_PRODUCTS[:products]]
    market = SimulatedMarket(paths, start_s=FIRST_S, seed=7)
    market.advance(FIRST_S + HISTORY * MINUTE_S)
    return SnapshotReplay(
        market,
        interval_s=interval_bars * MINUTE_S,
        snapshots=(bars - HISTORY) // interval_bars + 1,
        whole_bars=whole_bars,
    )


@lru_cache(maxsize=PRODUCTS_KEPT)
def _rows(product_id: str, bars: int) -> PriceRows:
    return PriceRows(_lines(product_id, bars))


def benchmark_lines(product_id: str, bars: int) -> list[str]:
    """The rows of a product of `benchmark_replay`, as a price file has them."""
    return [f"{start_s},{line}" for start_s, line in _lines(product_id, bars).items()]


def _lines(product_id: str, bars: int) -> dict[int, str]:
    """Start of the bar in Unix seconds -> row."""
    product, noise = listed_product(product_id), Noise("bench", product_id)
    step = product.quote_increment
    close, lines = product.price, dict[int, str]()
    for n in range(bars):
        moves = [Decimal(noise.gauss() * NOISE_PPM) / (GAUSS_UNIT * 1_000_000) for _ in range(3)]
        before, close = close, max(step, (close * (1 + moves[0])).quantize(step))
        high = (max(before, close) * (1 + abs(moves[1]))).quantize(step)
        low = max(step, (min(before, close) * (1 - abs(moves[2]))).quantize(step))
        high, low = max(high, before, close), min(low, before, close)
        volume = Decimal(noise.between(1, 9_000_000)) / 1_000_000
        lines[FIRST_S + n * MINUTE_S] = f"{before},{high},{low},{close},{volume},,"
    return lines
