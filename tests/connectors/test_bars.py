"""Replays of bars longer than a minute: windows, fills, indicators, and no look ahead."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from arena.errors import UsageError
from arena.granularities import GRANULARITIES, WINDOWS, book_bars
from arena.indicators import NONE, PRESETS, ProductIndicators, parse_feature_set
from arena.messages import Fills, MarketSnapshot, PromptSize
from arena.wire import encode
from chat_nodes.prompt_reader import read_market
from connectors.market.lockstep.lockstep_publisher import LockstepTimeouts
from connectors.market.lockstep.run import START, LockstepOptions, build_replay
from connectors.market.lockstep.snapshot_replay import SnapshotReplay
from routers.prompt import render_market, render_user

WALL = datetime(2030, 5, 5, tzinfo=UTC)
FIRST_S = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())
HEAD = "ts,open,high,low,close,volume,bid,ask"


def row(start_s: int, n: int, *, width: int = 3, volume: int = 7) -> str:
    """A candle around 100 + n, with quotes; its open does not depend on `width` and `volume`."""
    middle = 100 + n
    bid, ask = f"{middle + width / 2 - 0.25 * width}", f"{middle + width / 2 + 0.25 * width}"
    prices = f"{middle},{middle + width},{middle - width},{middle + width / 2}"
    return f"{start_s},{prices},{volume + n},{bid},{ask}"


def file_of(folder: Path, rows: Sequence[str]) -> Path:
    """A price file."""
    path = folder / "AAA-USD.csv"
    path.write_text("\n".join([HEAD, *rows, ""]))
    return path


def hours(folder: Path, count: int = 140, *, width: int = 3) -> Path:
    """A price file of hours."""
    return file_of(folder, [row(FIRST_S + 3_600 * n, n, width=width) for n in range(count)])


def replay_of(
    *,
    prices: tuple[Path, ...] = (),
    granularity: str | None = None,
    fills: Fills | None = None,
    interval_s: float = 3_600.0,
    snapshots: int | None = 6,
    features: str = "none",
    products: tuple[str, ...] = ("BTC-USD", "AERO-USD"),
    start: datetime | None = None,
) -> SnapshotReplay:
    """A replay as the command builds it."""
    options = LockstepOptions(
        ("a",), () if prices else products, prices, None, start, interval_s, snapshots,
        LockstepTimeouts(60, 60), features=parse_feature_set(features, None),
        granularity=granularity, fills=fills,
    )  # fmt: skip
    return build_replay(options)


def snapshots_of(replay: SnapshotReplay) -> Iterator[MarketSnapshot]:
    """Play a replay and yield each snapshot."""
    yield replay.snapshot({}, WALL)
    while replay.index + 1 < replay.total:
        replay.step()
        yield replay.snapshot({}, WALL)


@pytest.mark.parametrize("granularity", ["5m", "15m", "1h", "1d"])
def test_first_snapshot_of_longer_bars_is_complete(granularity: str) -> None:
    """Every window is full and fresh, the longest candles first, without overlap."""
    bar_s = GRANULARITIES[granularity]
    replay = replay_of(
        granularity=granularity, interval_s=bar_s, snapshots=3, products=("BTC-USD", "ETH-USD")
    )

    for snapshot in snapshots_of(replay):
        assert (bar_s, "open") == (snapshot.bar_s, snapshot.fills)
        for view in snapshot.products:
            assert [name for name, _ in reversed(WINDOWS[granularity])] == list(view.windows)
            assert not view.stale
            ends = snapshot.as_of
            for name, count in WINDOWS[granularity]:
                window = view.windows[name]
                assert GRANULARITIES[name] == window.granularity_s
                assert len(window.candles) >= count
                assert () == window.gaps
                length = timedelta(seconds=window.granularity_s)
                assert ends == window.candles[-1].start + length
                ends = window.candles[0].start
    assert START == replay.as_of(0)


def test_bars_of_a_replay_are_those_of_the_file(tmp_path: Path) -> None:
    """Digit by digit, and their records name their length."""
    replay = replay_of(prices=(hours(tmp_path),), snapshots=None)
    list(snapshots_of(replay))

    closed = replay.take_candles()

    assert 140 == len(closed)
    assert {3_600} == {message.granularity_s for message in closed}
    for n, message in enumerate(closed):
        candle, middle = message.candle, Decimal(100 + n)
        assert FIRST_S + 3_600 * n == candle.start.timestamp()
        found = (candle.open, candle.high, candle.low, candle.close, candle.volume)
        assert (middle, middle + 3, middle - 3, middle + Decimal("1.5"), Decimal(7 + n)) == found
    assert 80 == replay.total - 1


@pytest.mark.parametrize(("fills", "price"), [("open", "160"), ("close", "160.5"), (None, "160")])
def test_fills_say_which_price_a_snapshot_has(
    fills: Fills | None, price: str, tmp_path: Path
) -> None:
    """The open of the bar that begins by default, or the close of the one that ended."""
    replay = replay_of(prices=(hours(tmp_path),), fills=fills, snapshots=2)
    first, _ = snapshots_of(replay)

    (view,) = first.products

    assert view.ticker is not None
    assert FIRST_S + 60 * 3_600 == first.as_of.timestamp()
    assert Decimal(price) == view.ticker.price
    # The bar before closed at 160.5 with quotes 0.75 below and above.
    assert Decimal("0.75") == view.ticker.price - view.ticker.best_bid
    assert Decimal("0.75") == view.ticker.best_ask - view.ticker.price
    assert Decimal("160.5") == view.windows["1h"].candles[-1].close


@pytest.mark.parametrize("interval_s", [3_600, 7_200])
def test_nothing_of_the_bar_that_begins_is_visible_but_its_open(
    interval_s: int, tmp_path: Path
) -> None:
    """Other highs, lows, closes, volumes and quotes from there on leave the bytes as they are."""
    path = hours(tmp_path)
    known = list(snapshots_of(replay_of(prices=(path,), snapshots=5, interval_s=interval_s)))

    for snapshot in known:
        now_s = int(snapshot.as_of.timestamp())
        rows = path.read_text().splitlines()[1:]
        changed = [
            row(s, n, width=1, volume=1_000) if (s := FIRST_S + 3_600 * n) >= now_s else rows[n]
            for n in range(140)
        ]
        folder = tmp_path / str(now_s)
        folder.mkdir()
        other = replay_of(prices=(file_of(folder, changed),), snapshots=5, interval_s=interval_s)
        found = next(one for one in snapshots_of(other) if one.as_of == snapshot.as_of)
        assert found.source != snapshot.source
        body = encode(found.model_copy(update={"source": snapshot.source})).value
        assert encode(snapshot).value == body


def test_open_of_a_seeded_bar_is_that_of_the_candle() -> None:
    """The price at a snapshot is the first of the bar, unless the bar begins without a trade."""
    replay = replay_of(granularity="1h", snapshots=30, products=("BTC-USD",))
    views = [snapshot.products[0] for snapshot in snapshots_of(replay)]

    opens = [view.windows["1h"].candles[-1].open for view in views[1:]]
    prices = [view.ticker.price for view in views if view.ticker is not None]

    assert sum(a == b for a, b in zip(prices, opens, strict=False)) >= 25
    assert all(view.ticker and view.ticker.last_size is None for view in views)


def test_end_of_the_prices_leaves_the_last_close(tmp_path: Path) -> None:
    """No bar begins there."""
    *_, last = snapshots_of(replay_of(prices=(hours(tmp_path),), snapshots=None))

    assert FIRST_S + 140 * 3_600 == last.as_of.timestamp()
    assert last.products[0].ticker is not None
    assert Decimal("240.5") == last.products[0].ticker.price


def test_missing_bar_leaves_the_last_price_and_five_make_it_stale(tmp_path: Path) -> None:
    """As minutes do."""
    rows = [row(FIRST_S + 3_600 * n, n) for n in range(140) if not 64 <= n < 72]
    replay = replay_of(prices=(file_of(tmp_path, rows),), snapshots=14)

    found = {int((s.as_of.timestamp() - FIRST_S) // 3_600): s for s in snapshots_of(replay)}

    prices = [found[n].products[0].ticker for n in range(63, 73)]
    assert [163, 164.5, 164.5] == [float(one.price) for one in prices[:3] if one]
    assert [False] * 5 == [found[n].products[0].stale for n in range(64, 69)]
    assert [True, False] == [found[n].products[0].stale for n in (70, 72)]


def test_volume_of_24_hours_is_that_of_24_bars(tmp_path: Path) -> None:
    """Also of one bar, if it is a day."""
    first = next(snapshots_of(replay_of(prices=(hours(tmp_path),))))
    folder = tmp_path / "days"
    folder.mkdir()
    days = file_of(folder, [row(FIRST_S + 86_400 * n, n) for n in range(140)])
    daily = next(snapshots_of(replay_of(prices=(days,), interval_s=86_400)))

    tickers = [one.products[0].ticker for one in (first, daily)]

    assert [sum(7 + n for n in range(36, 60)), 66] == [one and one.volume_24h for one in tickers]
    assert [136, 159] == [one and one.open_24h for one in tickers]


def test_indicators_follow_from_longer_bars(tmp_path: Path) -> None:
    """Of the bars, and of longer granularities made of them; equal to a fold of the records."""
    replay = replay_of(prices=(hours(tmp_path),), features="rsi_7@1h,sma_2@1d", snapshots=None)
    *_, last = snapshots_of(replay)

    folded = ProductIndicators(parse_feature_set("rsi_7@1h,sma_2@1d", 3_600), 3_600)
    for message in replay.take_candles():
        folded.take(message.candle)

    assert folded.windows() == last.products[0].indicators
    assert {"rsi_7": 100.0} == last.products[0].indicators["1h"].values
    assert 5 == last.products[0].indicators["1d"].bars
    assert 208.5 == last.products[0].indicators["1d"].values["sma_2"]


@pytest.mark.parametrize(
    ("bar_s", "windows"),
    [
        (60, ("1m", "5m", "15m")),
        (300, ("5m", "15m", "1h")),
        (900, ("15m", "1h", "1d")),
        (3_600, ("1h", "1h", "1d")),
        (86_400, ("1d", "1d", "1d")),
    ],
)
@pytest.mark.parametrize("preset", [name for name in PRESETS if name != NONE])
def test_preset_follows_the_bars(bar_s: int, windows: tuple[str, ...], preset: str) -> None:
    """Its short, middle and long indicators are of the market's windows, none is left out."""
    chosen = parse_feature_set(preset, None).for_bars(bar_s)

    wanted = [
        (w, text) for w, all_ in zip(windows, PRESETS[preset], strict=True) for text in all_.split()
    ]
    assert set(wanted) == {(w, one.text) for w, specs in chosen.specs.items() for one in specs}
    assert list(dict.fromkeys(windows)) == list(chosen.specs)
    assert parse_feature_set(chosen.text, bar_s) == chosen


def test_indicator_that_bars_cannot_give_is_refused() -> None:
    """The remedy names one that they can; without a granularity it is for the windows."""
    assert ["1h", "1d"] == list(parse_feature_set("rsi_7", 3_600).specs)
    with pytest.raises(UsageError, match="needs bars of 1m, the market has bars of 1h") as caught:
        replay_of(granularity="1h", features="rsi_7@1m")
    assert "ask for rsi_7@1h or a longer granularity" in str(caught.value.remedy)
    with pytest.raises(UsageError, match="20160 minutes of candles"):
        parse_feature_set("sma_14@1d")
    assert "sma_14@1d" == parse_feature_set("sma_14@1d", 3_600).text


@pytest.mark.parametrize(
    ("granularity", "interval_s", "complaint"),
    [
        ("1h", 60, "candles of 1 hour; candles of 1 minute are needed for an interval of 60 s"),
        ("1h", 5_400, "candles of 1 minute are needed for an interval of 5400 s"),
        ("2h", 7_200, "unknown granularity '2h'"),
    ],
)
def test_interval_must_be_whole_bars(granularity: str, interval_s: int, complaint: str) -> None:
    """The remedy names the interval."""
    with pytest.raises(UsageError, match=complaint):
        replay_of(granularity=granularity, interval_s=interval_s)


def test_start_is_rounded_down_to_a_bar(tmp_path: Path) -> None:
    """As it is to a minute otherwise."""
    start = datetime.fromtimestamp(FIRST_S + 70 * 3_600 + 2_000, UTC)

    assert start.replace(minute=0, second=0) == replay_of(
        prices=(hours(tmp_path),), start=start
    ).as_of(0)


def test_prompts_and_scripted_rules_read_the_windows_of_longer_bars() -> None:
    """Starts of hours have a date; the rules take the market's own windows."""
    snapshot = next(snapshots_of(replay_of(granularity="1h", products=("BTC-USD",))))
    sizes: tuple[PromptSize, ...] = ("full", "compact", "tiny")
    for size in sizes:
        text = render_user(render_market(snapshot, size), snapshot, None, (), size)
        market = read_market(text)

        assert market is not None
        assert ("1h", "1h", "1d") == market.windows
        closes = [candle.close for candle in snapshot.products[0].windows["1h"].candles]
        assert closes[-3:] == market.closes("BTC-USD", "1h", 3)
    assert "\n12-31 23:00," in render_market(snapshot).body


@pytest.mark.parametrize("name", GRANULARITIES)
def test_books_hold_every_window(name: str) -> None:
    """Wherever the newest bar ends."""
    bar_s = GRANULARITIES[name]
    spans = sum(GRANULARITIES[one] * count for one, count in WINDOWS[name])

    assert book_bars(bar_s) * bar_s >= spans
