"""Whole bars give what their steps give: the same tickers, candles and snapshots."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.messages import Fills
from arena.pricefiles.read import read_price_file
from arena.pricefiles.rows import PriceRows
from arena.wire import encode
from connectors.market.lockstep.snapshot_replay import SnapshotReplay
from connectors.simulator.listing import KNOWN, listed_product
from connectors.simulator.noise import Noise
from connectors.simulator.recorded_prices import RecordedPricePath, price_path_of
from connectors.simulator.simulated_market import SimulatedMarket
from connectors.simulator.synthetic_prices import SyntheticPricePath
from tests.connectors.builders import FIXTURES

WALL = datetime(2030, 5, 5, tzinfo=UTC)
FIRST_S = 1_772_409_600
DAY = FIXTURES.parents[1] / "fixtures" / "candles" / "BTC-USD_2018-04-05_1m.csv.gz"
HISTORY = 20


def bodies(replay: SnapshotReplay) -> Iterator[bytes]:
    """Every snapshot, with the candles that closed before it."""
    while True:
        for candle in replay.take_candles():
            yield encode(candle).value
        yield encode(replay.snapshot({}, WALL)).value
        if replay.index + 1 == replay.total:
            return
        replay.step()


def replay_of(
    rows: PriceRows, interval_s: int, fills: Fills, *, whole_bars: bool, other: bool = False
) -> SnapshotReplay:
    """A replay of one file, or of that and a seeded product."""
    step = Decimal(1).scaleb(-rows.price_digits)
    product = replace(listed_product("AAA-USD"), quote_increment=step)
    paths: list[RecordedPricePath | SyntheticPricePath]
    paths = [RecordedPricePath(product, rows, rows.bar_s)]
    if other:
        paths.append(SyntheticPricePath(listed_product("AERO-USD"), 7, rows.bar_s))
    end_s = rows.last_s + rows.bar_s
    market = SimulatedMarket(paths, start_s=rows.first_s, end_s=end_s, seed=3, bar_s=rows.bar_s)
    market.advance(rows.first_s + HISTORY * rows.bar_s)
    return SnapshotReplay(
        market, interval_s=interval_s, snapshots=None, fills=fills, whole_bars=whole_bars
    )


def assert_equal(rows: PriceRows, interval_s: int, fills: Fills, *, other: bool = False) -> None:
    """Both ways of playing give the same bytes."""
    fast = replay_of(rows, interval_s, fills, whole_bars=True, other=other)
    slow = replay_of(rows, interval_s, fills, whole_bars=False, other=other)

    assert list(bodies(slow)) == list(bodies(fast))
    assert slow.tickers() == fast.tickers()


numbers = st.integers(50, 400).map(lambda cents: Decimal(cents) / 20)


@st.composite
def lines(draw: st.DrawFn) -> str | None:
    """A row of a file: mostly calm, at times with a jump, without a trade, or missing."""
    kind = draw(st.sampled_from(["calm"] * 6 + ["wild", "quotes", "hole", "quoted"]))
    if kind == "hole":
        return None
    if kind == "quotes":
        bid = draw(numbers)
        return f",,,,,{bid},{bid + draw(st.integers(0, 9))}"
    middle = Decimal(10) if kind != "wild" else draw(numbers)
    spans = [Decimal(draw(st.integers(0, 8))) / 20 for _ in range(4)]
    open_, close = middle + spans[0], middle - spans[1]
    high, low = max(open_, close) + spans[2], min(open_, close) - spans[3]
    volume = draw(st.sampled_from(["0", "3", "0.12345678", "7.123456789012", "250000.5"]))
    quotes = f"{close - spans[0]},{close + spans[1]}" if kind == "quoted" else ","
    return f"{open_},{high},{low},{close},{volume},{quotes}"


@settings(max_examples=60, deadline=None)
@given(
    found=st.lists(lines(), min_size=20, max_size=60),
    bar_s=st.sampled_from([60, 3_600]),
    bars=st.sampled_from([1, 3, 7]),
    fills=st.sampled_from(["open", "close"]),
    other=st.booleans(),
)
def test_whole_bars_give_the_bytes_of_their_steps(
    found: list[str | None], bar_s: int, bars: int, fills: Fills, other: bool
) -> None:
    """For any rows: jumps that the feed refuses, quotes without trades, holes."""
    start = ["10,10,10,10,1,,"] * (HISTORY + 2)
    rows = {FIRST_S + bar_s * n: line for n, line in enumerate([*start, *found]) if line}

    assert_equal(PriceRows(rows, bar_s), bar_s * bars, fills, other=other)


@pytest.mark.parametrize("interval_s", [5, 75, 60, 900])
@pytest.mark.parametrize("fills", ["open", "close"])
def test_real_minutes_give_the_bytes_of_their_steps(interval_s: int, fills: Fills) -> None:
    """Also with intervals that end inside a minute."""
    rows = read_price_file(DAY, "BTC-USD").rows
    part = rows.until(rows.first_s + (90 if interval_s < 60 else 700) * 60)
    assert part is not None

    assert_equal(part, interval_s, fills)


def test_rows_with_quotes_and_holes_give_the_bytes_of_their_steps(tmp_path: Path) -> None:
    """The file of the other tests, which has both, and a move of more than a fifth."""
    file = read_price_file(FIXTURES / "AAA-USD_1m.csv", "AAA-USD")
    path = price_path_of(file, "AAA-USD")

    assert path.whole_bar(file.first_s) is not None
    assert path.whole_bar(file.first_s + 2 * 60) is None
    rows = {ts + 60 * (HISTORY + 1): line for ts, line in file.rows._lines.items()}
    calm = {file.first_s + 60 * n: "10,10,10,10,1,," for n in range(HISTORY + 1)}
    assert_equal(PriceRows(calm | rows), 60, "close")


def test_a_sum_of_draws_is_the_sum_of_single_draws() -> None:
    """And the stream continues at the same place."""
    one, other = Noise(7, "x"), Noise(7, "x")

    assert sum(one.between(3, 60) for _ in range(12)) == other.sum_between(3, 60, 12)
    assert one.bits() == other.bits()


def seeded(
    seed: int, bar_s: int, interval_bars: int, fills: Fills, *, bars: int, whole_bars: bool
) -> SnapshotReplay:
    """A replay of seeded prices of every listed product."""
    paths = [SyntheticPricePath(product, seed, bar_s) for product in KNOWN.values()]
    market = SimulatedMarket(paths, start_s=FIRST_S, seed=seed, bar_s=bar_s)
    market.advance(FIRST_S + bar_s)
    return SnapshotReplay(
        market,
        interval_s=interval_bars * bar_s,
        snapshots=bars // interval_bars,
        fills=fills,
        whole_bars=whole_bars,
    )


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**40),
    bar_s=st.sampled_from([60, 300, 3_600, 86_400]),
    interval_bars=st.sampled_from([1, 4, 20]),
    fills=st.sampled_from(["open", "close"]),
)
def test_seeded_bars_give_the_bytes_of_their_steps(
    seed: int, bar_s: int, interval_bars: int, fills: Fills
) -> None:
    """Every kind of product, also one that rarely trades, and bars with jumps and new regimes."""
    fast, slow = (
        seeded(seed, bar_s, interval_bars, fills, bars=42, whole_bars=whole)
        for whole in (True, False)
    )

    assert list(bodies(slow)) == list(bodies(fast))
    assert slow.tickers() == fast.tickers()
