"""What the names of price files and symbols say, what times are, and when a market of files is."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from arena.errors import UsageError
from arena.pricefiles.names import (
    contradicts,
    contradicts_weakly,
    find_product,
    pair_of,
    product_of,
)
from arena.pricefiles.span import MarketSpan, interval_of, snapshots_of, span_of
from arena.pricefiles.times import is_time, unix_ns

NAMES = {
    "BTC-USD_2018.csv.gz": ("BTC-USD", ""),
    "BTC-USD.csv": ("BTC-USD", ""),
    "btc-usd.CSV": ("BTC-USD", ""),
    "BTCUSDT-1m-2025-10.csv": ("BTC-USDT", ""),
    "BTCUSDT_1m.parquet": ("BTC-USDT", ""),
    "1000PEPEUSDT-1m-2025-10.zip": ("1000PEPE-USDT", ""),
    "XBTUSD_1.csv": ("BTC-USD", ""),
    "XXBTZUSD.json": ("BTC-USD", ""),
    "XDGUSD_1.csv": ("DOGE-USD", ""),
    "GRTUSD_1.csv": ("GRT-USD", ""),
    "AVAXBUSD-1m.csv": ("AVAX-BUSD", ""),
    "ETHXBT_1.csv": ("ETH-BTC", ""),
    "BTC_USD-1m.json": ("BTC-USD", ""),
    "BTC_USDT-1m.feather": ("BTC-USDT", ""),
    "Binance_BTCUSDT_1h.csv": ("BTC-USDT", "Binance"),
    "Coinbase_BTCUSD_minute.csv": ("BTC-USD", "Coinbase"),
    "gemini_BTCUSD_2019_1min.csv": ("BTC-USD", "Gemini"),
    "AAA-USD_1m.csv": ("AAA-USD", ""),
    "BTC-EUR.csv": ("BTC-EUR", ""),
    "GRTBUSD-1m-2022-10.csv": ("GRT-BUSD", ""),
    "SANDBUSD-1m-2022-10.csv": ("SAND-BUSD", ""),
    "FOOBUSD-1m.csv": ("", ""),
    "FOOTUSD_1.csv": ("", ""),
    "FOO_BUSD-1m.csv": ("FOO-BUSD", ""),
    "ARBUSD-1m.csv": ("", ""),
    "Copy of BTC-USD.csv": ("BTC-USD", ""),
    "Copy of ETHUSD.csv": ("ETH-USD", ""),
    "BTC-USD - Copy (1).csv": ("BTC-USD", ""),
    "copie de BTC-EUR.csv": ("BTC-EUR", ""),
    "zu BTC-USD.csv": ("BTC-USD", ""),
    "Copy of BTC.csv": ("", ""),
    "bitstampUSD_1-min_data_2012.csv": ("", ""),
    "20180404_trade.zip": ("", ""),
    "candles.csv": ("", ""),
    "data-BTC.csv": ("", ""),
    "BTC-1m.csv": ("", ""),
}


@pytest.mark.parametrize("name", NAMES)
def test_product_is_found_in_file_name(name: str) -> None:
    """The usual codes are known, also after a venue; an interval is never taken for a currency."""
    found = find_product(name)

    assert (found.product_id, found.venue) == NAMES[name]


def test_name_without_product_is_refused_with_example() -> None:
    """The remedy is a name as it should be."""
    with pytest.raises(UsageError, match="name it like BTC-USD_2018-04.csv.gz"):
        product_of(Path("candles.csv"))


@pytest.mark.parametrize(
    ("name", "products"),
    [("FOOBUSD-1m.csv", "FOOB-USD or of FOO-BUSD"), ("FOOTUSD.csv", "FOOT-USD or of FOO-TUSD"),
     ("ARBUSD_1.csv", "AR-BUSD or of ARB-USD")],
)  # fmt: skip
def test_ambiguous_name_is_refused_with_both_products(name: str, products: str) -> None:
    """A wrong guess would be a contest of another product."""
    with pytest.raises(UsageError, match="write the two parts apart") as caught:
        product_of(Path(name))

    assert products in str(caught.value)
    assert not contradicts("FOOTUSD", "FOO-TUSD")
    assert not contradicts("FOOTUSD", "FOOT-USD")
    assert contradicts("FOOTUSD", "FOO-USD")


def test_only_coins_and_pairs_contradict_the_product() -> None:
    """A column `name` or `market` may have any content."""
    fine = ("Bitcoin", "BTC", "USD", "US", "Country", "KRAKEN", "spot", "BTC-USD", "binance", "")

    assert not any(contradicts_weakly(word, "BTC-USD") for word in fine)
    assert all(contradicts_weakly(w, "BTC-USD") for w in ("ETH", "ETHUSD", "eth/usd", "X:ETHUSD"))


def test_symbols_in_any_notation_match() -> None:
    """What cannot be the name of an asset contradicts nothing."""
    same = ("BTC/USD", "BTCUSD", "XBTUSD", "tBTCUSD", "COINBASE:BTCUSD", "btc_usd", "BTC-USD")

    assert {pair_of(symbol) for symbol in same} == {"BTC-USD"}
    assert [contradicts(s, "BTC-USD") for s in ("BTC", "spot", "", "Bitcoin", "XBT")] == [False] * 5
    assert [contradicts(s, "BTC-USD") for s in ("ETH", "BTC/USDT", "ETHUSD")] == [True] * 3


TIMES = (
    "1761711720", "1761711720.0", "1.76171172e9", "1761711720000", "1761711720000.000",
    "1761711720000000", "1761711720000000000", "2025-10-29T04:22:00Z", "2025-10-29 04:22",
    "2025-10-29 04:22:00+00:00", "2025-10-29 00:22:00-04:00", "2025-10-29 04:22:00 UTC",
    "2025/10/29 04:22:00", "2025-10-29T04:22:00.000000000Z", " 1761711720 ",
)  # fmt: skip


@pytest.mark.parametrize("text", TIMES)
def test_time_in_any_unit_is_the_same_moment(text: str) -> None:
    """Seconds to nanoseconds by their size, ISO with an offset, UTC without."""
    assert unix_ns(text) == 1_761_711_720 * 10**9


@pytest.mark.parametrize(
    "text",
    ["", "0", "60", "20251029", "45000.5", "9" * 25, "9" * 5_000, "29.10.2025", "1e999999", "x",
     "10/29/2025 04:22", "2125-01-01", "1970-01-01", "-1761711720", "nan",
     "0001-01-01", "٣١٧٦١٧١١٧٢٠"],
)  # fmt: skip
def test_invalid_candle_time_is_refused(text: str) -> None:
    """Days since 1900, milliseconds of a day, and dates of which the month is not known."""
    assert not is_time(text)


def test_span_of_price_files() -> None:
    """Some history before the start; a start and a length inside the files."""
    ends = [(1_761_711_720, 1_761_735_720), (1_761_711_780, 1_761_735_000)]

    span = span_of(ends, start=None, history_s=3_600)

    assert span == MarketSpan(1_761_711_720, 1_761_715_320, 1_761_735_720)
    assert snapshots_of(span, 300, None) == 69
    assert span_of(ends, start=None, history_s=10**6).start_s == 1_761_723_720
    with pytest.raises(
        UsageError, match="70 snapshots every 300 s do not fit: the prices are enough for"
    ):
        snapshots_of(span, 300, 70)
    with pytest.raises(UsageError, match="2025-01-01 00:00 UTC is outside the prices"):
        span_of(ends, start=datetime(2025, 1, 1, tzinfo=UTC), history_s=0)


@pytest.mark.parametrize(
    ("length_s", "start_s"),
    [(None, 3_600), (0, 18_000), (6_000, 18_000), (12_030, 11_940), (21_000, 3_600)],
)
def test_start_is_later_for_indicators_while_the_snapshots_fit(
    length_s: int | None, start_s: int
) -> None:
    """Of 400 minutes, 300 are before the start unless the snapshots need some of them."""
    first_s = 1_761_711_720
    span = span_of(
        [(first_s, first_s + 24_000)],
        start=None,
        history_s=3_600,
        wanted_s=18_000,
        length_s=length_s,
    )

    assert first_s + start_s == span.start_s


@pytest.mark.parametrize("interval_s", [0, 7, 4.9, 62.5])
def test_interval_must_be_multiple_of_step(interval_s: float) -> None:
    """Recorded time moves in steps of five seconds."""
    assert interval_of(60.0) == 60
    with pytest.raises(UsageError, match="multiple"):
        interval_of(interval_s)
