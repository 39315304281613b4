"""The snapshot replay: the same snapshots in every run, equal to the live connector's."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.errors import UsageError
from arena.indicators import parse_feature_set
from arena.messages import MarketSnapshot
from arena.pricefiles.names import product_of
from arena.pricefiles.read import read_price_file
from arena.pricefiles.rows import PriceRows
from arena.wire import encode
from connectors.market.candles import CandleBook
from connectors.market.lockstep.lockstep_publisher import LockstepTimeouts
from connectors.market.lockstep.market_events import ticker_seen
from connectors.market.lockstep.run import START, LockstepOptions, build_replay
from connectors.market.lockstep.snapshot_replay import SnapshotReplay
from connectors.simulator.coinbase.feed_session import ticker_frame
from connectors.simulator.coinbase.rest_responses import respond
from connectors.simulator.run import ExchangeOptions
from connectors.simulator.simulated_market import SimulatedMarket
from connectors.venues.coinbase.protocol import parse
from connectors.venues.coinbase.rest_protocol import read_candles
from tests.connectors.builders import FIXTURES, T0, build_market, load_price_path

CSV = FIXTURES / "AAA-USD_1m.csv"
PRODUCTS = ("BTC-USD", "AERO-USD")
WALL = datetime(2030, 5, 5, tzinfo=UTC)


def replay_of(
    *,
    products: tuple[str, ...] = PRODUCTS,
    prices: tuple[Path, ...] = (),
    seed: int | None = None,
    start: datetime | None = None,
    interval_s: float = 60.0,
    snapshots: int | None = 5,
) -> SnapshotReplay:
    """A replay as the command builds it."""
    timeouts = LockstepTimeouts(60, 60)
    options = LockstepOptions(
        ("a",), products, prices, seed, start, interval_s, snapshots, timeouts=timeouts
    )
    return build_replay(options)


def snapshots_of(replay: SnapshotReplay, published_at: datetime = WALL) -> Iterator[MarketSnapshot]:
    """Play a replay; yield each snapshot with the offsets after its tickers and candles."""
    tickers = candles = 0
    while True:
        tickers += len(replay.products) + len(replay.tickers())
        candles += len(replay.take_candles())
        yield replay.snapshot({0: tickers}, published_at, {0: candles})
        if replay.index + 1 == replay.total:
            return
        replay.step()


def bodies(replay: SnapshotReplay) -> list[bytes]:
    """Every snapshot as bytes."""
    return [encode(snapshot).value for snapshot in snapshots_of(replay)]


def test_two_runs_give_the_same_bytes() -> None:
    """A snapshot does not depend on a clock, the process or chance."""
    assert bodies(replay_of(snapshots=20)) == bodies(replay_of(snapshots=20))
    assert bodies(replay_of()) != bodies(replay_of(seed=8))


def test_snapshots_of_candle_files_are_marked_as_recorded() -> None:
    """Simulated snapshots do not have the field, as in older versions."""
    files = replay_of(products=(), prices=(CSV,), snapshots=2)
    simulated = replay_of(snapshots=2)

    assert [True, True] == [snapshot.recorded for snapshot in snapshots_of(files)]
    assert [False, False] == [b"recorded" in body for body in bodies(simulated)]


def test_only_published_at_is_wall_time() -> None:
    """A run on another day differs only in that field."""
    days = (WALL, WALL + timedelta(days=400, seconds=0.7))
    first, second = (list(snapshots_of(replay_of(), day)) for day in days)

    assert first != second
    assert first == [s.model_copy(update={"published_at": WALL}) for s in second]
    for snapshot in second:
        assert "2031" not in snapshot.model_dump_json(exclude={"published_at"})


def test_first_snapshot_is_complete() -> None:
    """It is at the fixed start and fresh, and every window is full."""
    snapshot = next(snapshots_of(replay_of()))

    assert (START, 60.0, True, 1.0) == (
        snapshot.as_of,
        snapshot.interval_s,
        snapshot.simulated,
        snapshot.speed,
    )
    assert sorted(PRODUCTS) == [view.product_id for view in snapshot.products]
    for view in snapshot.products:
        assert (0, False) == (view.age_ms, view.stale)
        assert view.ticker is not None
        assert view.ticker.received_at == view.ticker.event_time <= START
        assert view.ticker.confirmed_at == START
    btc = snapshot.view("BTC-USD")
    assert btc is not None
    assert [] == [gap for window in btc.windows.values() for gap in window.gaps]


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1_000),
    steps=st.integers(1, 40),
    interval_s=st.sampled_from([5, 15, 60, 75, 300, 600]),
)
def test_windows_and_tickers_equal_the_live_connectors(
    seed: int, steps: int, interval_s: int
) -> None:
    """REST and the feed give the same candles and quotes at the same time."""
    replay = replay_of(seed=seed, interval_s=interval_s, snapshots=steps)
    *_, snapshot = snapshots_of(replay)
    market = build_market(ExchangeOptions(PRODUCTS, seed=seed, start=START), T0)
    market.advance(int(snapshot.as_of.timestamp()))

    for view in snapshot.products:
        book = CandleBook()
        start_s, end_s = book.request(snapshot.as_of)
        path = f"/products/{view.product_id}/candles?granularity=60&start={start_s}&end={end_s}"
        candles, refused = read_candles(respond(market, path, snapshot.as_of).body)
        book.merge(candles, end_s, snapshot.as_of)
        assert (book.windows(snapshot.as_of), 0) == (view.windows, refused)
        tick = market.products[view.product_id].tick
        assert tick is not None
        assert view.ticker is not None
        assert (tick.bid, tick.ask) == (view.ticker.best_bid, view.ticker.best_ask)
        closed_by = [
            candle.start + timedelta(seconds=window.granularity_s)
            for window in view.windows.values()
            for candle in window.candles
        ]
        assert max(closed_by) <= snapshot.as_of


def test_ticker_event_equals_the_parsed_frame() -> None:
    """`ticker_seen` returns the event of the `ticker` frame."""
    market = build_market(ExchangeOptions(PRODUCTS), T0)
    market.advance(market.now_s + 3_600)

    for product_id in PRODUCTS:
        frame = ticker_frame(market, product_id)
        assert frame is not None
        assert parse(frame) == ticker_seen(market, product_id)


def test_snapshot_is_found_by_time_and_id() -> None:
    """The time and id in a turn give the number of the snapshot."""
    replay = replay_of(interval_s=300, snapshots=4)
    ids = [replay.snapshot_id(index) for index in range(4)]

    assert [0, 1, 2, 3] == [replay.index_of(replay.as_of(i), ids[i]) for i in range(4)]
    assert ids == [snapshot.snapshot_id for snapshot in snapshots_of(replay)]
    assert replay.index_of(replay.as_of(1), ids[2]) is None
    assert replay.index_of(replay.as_of(1) + timedelta(seconds=1), ids[1]) is None
    assert replay.index_of(replay.as_of(4), replay.snapshot_id(4)) is None
    assert replay.index_of(replay.as_of(-1), replay.snapshot_id(-1)) is None


def test_file_gives_snapshots_to_its_end() -> None:
    """They start in the middle of a short file; more than fit are refused."""
    replay = replay_of(products=(), prices=(CSV,), snapshots=None)
    *_, last = snapshots_of(replay)

    assert T0 + timedelta(minutes=9) == last.as_of
    assert replay.total == 1 + int((last.as_of - replay.as_of(0)).total_seconds()) // 60
    with pytest.raises(UsageError, match="are enough for"):
        replay_of(products=(), prices=(CSV,), snapshots=replay.total + 1)


def test_quotes_of_a_row_without_trades_are_used() -> None:
    """Minute 2 has a bid and an ask but no trade: the quotes change, the last trade does not."""
    replay = replay_of(products=(), prices=(CSV,), start=T0 + timedelta(minutes=2), snapshots=3)
    before, after, _ = (snapshot.products[0].ticker for snapshot in snapshots_of(replay))

    assert before is not None
    assert after is not None
    assert (Decimal("10.02"), Decimal("10.04")) == (after.best_bid, after.best_ask)
    assert before.trade_id == after.trade_id


def test_product_is_stale_after_five_minutes_without_rows(tmp_path: Path) -> None:
    """Up to five minutes without a row it is fresh."""
    path = tmp_path / "HOLE-USD.csv"
    first_s = int(T0.timestamp())
    rows = [f"{first_s + minute * 60},5,5,5,5,1" for minute in (*range(60), *range(80, 90))]
    path.write_text("ts,open,high,low,close,volume\n" + "\n".join(rows))
    start = T0 + timedelta(minutes=50)
    replay = replay_of(products=(), prices=(path,), start=start, snapshots=None)
    views = {(s.as_of - T0) // timedelta(minutes=1): s.products[0] for s in snapshots_of(replay)}

    stale = [minute for minute, view in views.items() if view.stale]
    assert list(range(65, 81)) == stale
    assert (views[70].age_ms or 0) == 6 * 60_000
    assert views[64].windows["1m"].gaps


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ({"interval_s": 7}, "multiple"),
        ({"interval_s": 0}, "multiple"),
        ({"snapshots": None}, "--snapshots"),
        ({"prices": (CSV,), "products": (), "seed": 3}, "--seed"),
        ({"prices": (CSV,), "products": (), "start": WALL}, "outside the prices"),
        ({"prices": (CSV,), "products": ("BTC-USD", "ETH-USD")}, "one product per file"),
    ],
)
def test_flags_that_contradict_each_other_are_refused(
    words: dict[str, object], complaint: str
) -> None:
    """The message names the flag or the conflict."""
    with pytest.raises(UsageError, match=complaint):
        replay_of(**words)  # type: ignore[arg-type]  # each case is another flag


def test_snapshot_names_the_files_of_its_prices() -> None:
    """The source has the digest of the rows; snapshots of synthetic prices have no source."""
    recorded, synthetic = replay_of(products=(), prices=(CSV,), snapshots=2), replay_of(snapshots=2)
    rows = read_price_file(CSV).rows.digest[:16]

    assert recorded.snapshot({}, WALL).source == f"AAA-USD_1m.csv; rows {rows}"
    assert "source" not in synthetic.snapshot({}, WALL).model_dump(mode="json")


def test_history_before_the_first_snapshot_follows_the_indicators(tmp_path: Path) -> None:
    """Of a file, as many minutes as they need if the snapshots still fit; of a seed, all."""
    file = tmp_path / "AAA-USD.csv"
    rows = [f"{1_767_225_600 + 60 * m},10,11,9,10,1" for m in range(500)]
    file.write_text("\n".join(["ts,open,high,low,close,volume", *rows]))
    first = datetime.fromtimestamp(1_767_225_600, UTC)

    def minutes(features: str, snapshots: int | None, history: int | None = None) -> float:
        options = LockstepOptions(
            ("a",), (), (file,), None, None, 60.0, snapshots, LockstepTimeouts(60, 60),
            features=parse_feature_set(features), history_minutes=history,
        )  # fmt: skip
        return (build_replay(options).as_of(0) - first).total_seconds() / 60

    assert (300, 300) == (minutes("standard", 20), minutes("standard", 200))
    assert (251, 60) == (minutes("standard", 250), minutes("standard", 441))
    assert (60, 60) == (minutes("none", 20), minutes("standard", None))
    assert (120, 240) == (minutes("none", 20, 120), minutes("ema_16@15m", 20, 120))
    synthetic = LockstepOptions(
        ("a",), ("BTC-USD",), (), None, None, 60.0, 1, LockstepTimeouts(60, 60),
        features=parse_feature_set("ema_50@15m"),
    )  # fmt: skip
    assert 750 == len(build_replay(synthetic)._books["BTC-USD"])


def test_two_real_days_are_replayed_exactly(shared_recordings: Path) -> None:
    """Every closed minute, close and quote of the files is in the snapshot of its time."""
    files = tuple(sorted((shared_recordings / "candles" / "normalized").glob("*.csv.gz")))
    price_paths = {product_of(path): load_price_path(path, product_of(path)) for path in files}
    replay = replay_of(products=(), prices=files, snapshots=None)
    first_s = min(price_path.first_s for price_path in price_paths.values())
    count = quoted = 0
    for count, snapshot in enumerate(snapshots_of(replay), 1):
        end_s = int(snapshot.as_of.timestamp())
        assert first_s + 3_600 + (count - 1) * 60 == end_s
        for view in snapshot.products:
            rows, row = (
                price_paths[view.product_id].rows,
                price_paths[view.product_id].rows.get(end_s - 60),
            )
            if row is None or row.trades is None:
                assert end_s - 60 in [int(gap.timestamp()) for gap in view.windows["1m"].gaps]
                continue
            newest = view.windows["1m"].candles[-1]
            shown = (newest.open, newest.high, newest.low, newest.close, newest.volume)
            assert (end_s - 60, row.trades) == (int(newest.start.timestamp()), shown)
            assert view.ticker is not None
            assert not view.stale
            assert view.ticker.price == row.trades[3]
            if row.bid is not None and row.ask is not None and row.bid < row.ask:
                quoted += 1
                assert (row.bid, row.ask) == (view.ticker.best_bid, view.ticker.best_ask)
            candles = [c for w in view.windows.values() for c in w.candles if w.granularity_s > 60]
            assert all(_is_sum(c.volume, int(c.start.timestamp()), rows) for c in candles[-1:])

    assert (48 - 1) * 60 + 1 == count == replay.total
    assert quoted > 1_000


def _is_sum(volume: Decimal, start_s: int, rows: object) -> bool:
    """True if a five-minute bar has the volume of its minutes."""
    assert isinstance(rows, PriceRows)
    minutes = [rows.get(start_s + 60 * i) for i in range(5)]
    return volume == sum((m.trades[4] for m in minutes if m and m.trades), Decimal(0))


def test_24_hour_values_cover_24_hours_in_a_long_replay() -> None:
    """After two days at an hour a step the open of 24 hours is 24 hours old."""
    replay = replay_of(products=("BTC-USD",), interval_s=3_600, snapshots=49)
    *_, last = snapshots_of(replay)
    market: SimulatedMarket = replay._market
    edge = market.now_s - 86_400
    ticker = last.products[0].ticker

    assert ticker is not None
    assert market.products["BTC-USD"].bars[edge].open == ticker.open_24h
