"""The list of supported price file formats, for people. Pure.

`arena candles formats` prints this list and `docs/data.md` has the same one. A file's content
decides, not its name: `arena.pricefiles.columns` finds the columns.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Format:
    """A format.

    Attributes:
        name: One word, as `arena candles check` prints it.
        made_by: Programs and sites that write such files.
        columns: Columns of the file, or their order if they have no names.
        time: Unit of the time.
        volume: Column of the volume, and its unit.
        venue: Venue of the prices, if the format implies it; else "".
    """

    name: str
    made_by: str
    columns: str
    time: str
    volume: str
    venue: str = ""

    def as_json(self) -> dict[str, str]:
        """The output of `arena candles formats --json`."""
        return {
            "name": self.name,
            "made_by": self.made_by,
            "columns": self.columns,
            "time": self.time,
            "volume": self.volume,
        }


ANY_UNIT: Final = "s, ms, us or ns, or ISO"
BASE: Final = "base units"

ARENA: Final = Format(
    "arena",
    "the arena; any table with these names",
    "ts, open, high, low, close, volume[, bid, ask]",
    ANY_UNIT,
    f"volume, {BASE}",
)
CRYPTODATADOWNLOAD: Final = Format(
    "cryptodatadownload",
    "CryptoDataDownload, Gemini's files among them",
    "unix, date, symbol, open, high, low, close, Volume BTC, Volume USD",
    "s, ms or us, newest first",
    f"Volume BTC (the base), {BASE}",
)
KAGGLE: Final = Format(
    "kaggle",
    "the bitcoin minutes on Kaggle",
    "Timestamp, Open, High, Low, Close, Volume_(BTC), Volume_(Currency), Weighted_Price",
    "s; minutes without a trade are NaN",
    f"Volume_(BTC), {BASE}",
)
BINANCE: Final = Format(
    "binance",
    "data.binance.vision, with or without a header, also zip; REST klines",
    "open_time, open, high, low, close, volume, close_time, quote_volume, count, ...",
    "ms, or us since 2025",
    f"volume, {BASE}",
    "Binance",
)
KRAKEN: Final = Format(
    "kraken",
    "Kraken's OHLCVT files; no header",
    "time, open, high, low, close, volume, trades",
    "s",
    f"volume, {BASE}",
    "Kraken",
)
KRAKEN_REST: Final = Format(
    "kraken-rest",
    "Kraken's REST OHLC, JSON",
    "time, open, high, low, close, vwap, volume, count",
    "s",
    f"volume, {BASE}",
    "Kraken",
)
YAHOO: Final = Format(
    "yahoo",
    "yfinance, with one or three header lines",
    "Datetime, Open, High, Low, Close, Adj Close, Volume",
    "ISO with an offset",
    "Volume, quote currency, divided by the close",
    "Yahoo Finance",
)
OHLCV: Final = Format(
    "ohlcv",
    "ccxt, freqtrade, Bybit's REST; JSON or CSV without a header",
    "time, open, high, low, close, volume[, turnover]",
    ANY_UNIT,
    f"the sixth, {BASE}",
)
COINBASE_REST: Final = Format(
    "coinbase-rest",
    "Coinbase Exchange's REST candles, JSON",
    "time, low, high, open, close, volume",
    "s, newest first",
    f"the sixth, {BASE}",
    "Coinbase",
)
BITFINEX: Final = Format(
    "bitfinex-rest",
    "Bitfinex's REST candles, JSON",
    "time, open, close, high, low, volume",
    "ms",
    f"the sixth, {BASE}",
    "Bitfinex",
)
OKX: Final = Format(
    "okx-rest",
    "OKX's REST candles, JSON",
    "ts, open, high, low, close, vol, volCcy, volCcyQuote, confirm",
    "ms, newest first",
    f"vol, {BASE}",
    "OKX",
)
NAMED: Final = Format(
    "columns",
    "pandas, freqtrade (Feather), Coinbase Advanced, Polygon, CryptoCompare and others",
    "date, datetime, timestamp, time, start, open_time, t, or date and time; open, high, low,"
    " close; volume",
    ANY_UNIT,
    f"volume, {BASE}; else quote_volume or turnover, divided by the close",
)
FORMATS: Final = (
    ARENA, CRYPTODATADOWNLOAD, KAGGLE, BINANCE, KRAKEN, KRAKEN_REST, YAHOO, OHLCV, COINBASE_REST,
    BITFINEX, OKX, NAMED,
)  # fmt: skip
CONTAINERS: Final = (
    (".csv .tsv .txt", "UTF-8, with or without a byte order mark; commas, semicolons, tabs or |"),
    (".json", "an array of arrays or of objects, also inside an object"),
    (".jsonl .ndjson", "an object or an array per line"),
    (".gz", "any of these, packed with gzip"),
    (".zip", "one of these, packed with zip"),
    (".parquet .pq", "Parquet"),
    (".feather .arrow", "Feather (version 2) and Arrow files"),
)
"""File name endings and their content."""
SUFFIXES: Final = tuple(
    suffix for suffixes, _ in CONTAINERS for suffix in suffixes.split() if suffix != ".txt"
)
"""Endings of price files, in a folder or among arguments."""
