"""The same minutes in the forms of many makers: files for the tests of `arena.pricefiles`."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

FIRST_S = 1_761_711_720
"""2025-10-29 04:22 UTC."""
Row = tuple[int, Decimal, Decimal, Decimal, Decimal, Decimal]


def minutes(count: int = 40) -> list[Row]:
    """Start, open, high, low, close and volume of some minutes that follow each other."""
    found: list[Row] = []
    close = Decimal("112731.29")
    for number in range(count):
        open_, close = close, close + Decimal((number * 7919) % 61 - 30) / 100
        high, low = max(open_, close) + Decimal("0.05"), min(open_, close) - Decimal("0.03")
        volume = Decimal((number * 104_729) % 900_000 + 1) / 100_000
        found.append((FIRST_S + 60 * number, open_, high, low, close, volume))
    return found


ROWS = minutes()
HEAD = "ts,open,high,low,close,volume"


def iso(ts: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A time as a text."""
    return datetime.fromtimestamp(ts, UTC).strftime(form)


def csv(*cells: object) -> str:
    """Cells with commas."""
    return ",".join(map(str, cells))


def lines(*parts: Sequence[str] | str) -> bytes:
    """Lines of text, each with its end."""
    flat = [line for part in parts for line in ([part] if isinstance(part, str) else part)]
    return ("\n".join(flat) + "\n").encode()


REF = lines(HEAD, [csv(*row) for row in ROWS])
BINANCE = [
    csv(ts * 1_000_000, o, h, low, c, v, (ts + 60) * 1_000_000 - 1, v * c, 17, v / 2, v * c / 2, 0)
    for ts, o, h, low, c, v in ROWS
]
BINANCE_HEAD = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore"
)
CDD = [
    csv(ts, iso(ts), "BTC/USD", o, h, low, c, v, v * c) for ts, o, h, low, c, v in reversed(ROWS)
]
CDD_HEAD = "unix,date,symbol,open,high,low,close,Volume BTC,Volume USD"
CDD_OLD = [csv(iso(ts), "BTCUSD", o, h, low, c, v, v * c) for ts, o, h, low, c, v in ROWS[::-1]]


def zipped(content: bytes, *names: str) -> bytes:
    """An archive with the same content under some names."""
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return found.getvalue()


def as_json(rows: Sequence[Sequence[object]]) -> bytes:
    """Rows as an array of arrays of numbers."""
    plain = [[str(value) for value in row] for row in rows]
    return ("[" + ",".join("[" + ",".join(row) + "]" for row in plain) + "]").encode()


def objects() -> list[dict[str, object]]:
    """Rows as objects, with text for numbers."""
    names = ("start", "open", "high", "low", "close", "volume")
    return [dict(zip(names, map(str, row), strict=True)) for row in ROWS]


def table(**changed: pa.Array) -> pa.Table:
    """The rows as pandas would save them: naive times, numbers as doubles."""
    columns = list(zip(*ROWS, strict=True))
    stamps = pa.array([ts * 1_000 for ts in columns[0]], pa.int64()).cast(pa.timestamp("ms"))
    names = ("open", "high", "low", "close", "volume")
    numbers = {n: pa.array([float(x) for x in c]) for n, c in zip(names, columns[1:], strict=True)}
    return pa.table({"date": stamps} | numbers | changed)


def parquet(made: pa.Table) -> bytes:
    """A table as Parquet."""
    found = io.BytesIO()
    pq.write_table(made, found)
    return found.getvalue()


def feathered(made: pa.Table, compression: str = "zstd") -> bytes:
    """A table as Feather."""
    found = io.BytesIO()
    feather.write_feather(made, found, compression=compression)
    return found.getvalue()


def whole(rows: Sequence[Row] = tuple(ROWS)) -> list[tuple[object, ...]]:
    """Rows in the order of ccxt, with milliseconds."""
    return [(ts * 1_000, *rest) for ts, *rest in rows]


URL = "https://www.CryptoDataDownload.com"
SHAPES: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "plain": ("BTC-USD.csv", "arena", lambda: REF),
    "mark": ("BTC-USD.csv", "arena", lambda: b"\xef\xbb\xbf" + REF),
    "semicolons and a mark": (
        "BTC-USD.csv", "arena", lambda: b"\xef\xbb\xbf" + REF.replace(b",", b";"),
    ),
    "tabs": ("BTC-USD.tsv", "arena", lambda: REF.replace(b",", b"\t")),
    "carriage returns": ("BTC-USD.csv", "arena", lambda: REF.replace(b"\n", b"\r\n")),
    "old line ends": ("BTC-USD.csv", "arena", lambda: REF.replace(b"\n", b"\r")),
    "gzip": ("BTC-USD.csv.gz", "arena", lambda: gzip.compress(REF)),
    "newest first": ("BTC-USD.csv", "arena", lambda: lines(HEAD, [csv(*r) for r in ROWS[::-1]])),
    "two files in one": (
        "BTC-USD.csv", "arena", lambda: REF[: REF.index(csv(*ROWS[9]).encode())] + REF,
    ),
    "repeated rows": ("BTC-USD.csv", "arena", lambda: REF + lines(csv(*ROWS[3]))),
    "zeros at the end": (
        "BTC-USD.csv", "arena", lambda: lines(HEAD, [f"{csv(*r)}000" for r in ROWS]),
    ),
    "cryptodatadownload": (
        "BTC-USD.csv", "cryptodatadownload", lambda: lines(URL, CDD_HEAD, CDD),
    ),
    "cryptodatadownload, old": (
        "BTC-USD.csv",
        "cryptodatadownload",
        lambda: lines(f"Timestamps are UTC timezone,{URL}",
                      "date,symbol,open,high,low,close,volume_btc,volume", CDD_OLD),
    ),
    "gemini": (
        "gemini_BTCUSD_2025_1min.csv",
        "cryptodatadownload",
        lambda: lines(URL, "Unix Timestamp,Date,Symbol,Open,High,Low,Close,Volume",
                      [csv(r[0] * 1_000, iso(r[0]), "BTCUSD", *r[1:]) for r in ROWS[::-1]]),
    ),
    "kaggle": (
        "BTC-USD.csv",
        "kaggle",
        lambda: lines(
            "Timestamp,Open,High,Low,Close,Volume_(BTC),Volume_(Currency),Weighted_Price",
            [csv(*r, r[5] * r[4], r[4]) for r in ROWS],
            csv(FIRST_S + 6_000, *["NaN"] * 7),
        ),
    ),
    "kaggle, new": (
        "btcusd_1-min_data.csv",
        "columns",
        lambda: lines("Timestamp,Open,High,Low,Close,Volume",
                      [csv(f"{r[0]}.0", *r[1:]) for r in ROWS]),
    ),
    "binance": ("BTC-USD-1m-2025-10.csv", "binance", lambda: lines(BINANCE)),
    "binance with a header": (
        "BTC-USD-1m-2025-10.csv", "binance", lambda: lines(BINANCE_HEAD, BINANCE),
    ),
    "binance, packed": (
        "BTC-USD-1m-2025-10.zip",
        "binance",
        lambda: zipped(lines(BINANCE), "BTCUSDT-1m-2025-10.csv", "BTCUSDT-1m-2025-10.zip.CHECKSUM"),
    ),
    "kraken": ("XBTUSD_1.csv", "kraken", lambda: lines([csv(*row, 12) for row in ROWS])),
    "kraken REST": (
        "XBTUSD.json",
        "kraken-rest",
        lambda: json.dumps({"error": [], "result": {"XXBTZUSD": [
            [r[0], *map(str, (*r[1:5], r[4], r[5])), 9] for r in ROWS], "last": 1}}).encode(),
    ),
    "ccxt": ("BTC-USD.json", "ohlcv", lambda: as_json(whole())),
    "freqtrade": ("BTC_USD-1m.json", "ohlcv", lambda: as_json(whole())),
    "coinbase REST": (
        "BTC-USD.json",
        "coinbase-rest",
        lambda: as_json([(t, low, h, o, c, v) for t, o, h, low, c, v in ROWS[::-1]]),
    ),
    "bitfinex REST": (
        "BTC-USD.json",
        "bitfinex-rest",
        lambda: as_json([(t * 1_000, o, c, h, low, v) for t, o, h, low, c, v in ROWS]),
    ),
    "coinbase advanced": (
        "BTC-USD.json", "columns", lambda: json.dumps({"candles": objects()}).encode(),
    ),
    "objects, one a line": (
        "BTC-USD.jsonl", "columns", lambda: lines([json.dumps(one) for one in objects()]),
    ),
    "ISO, T and Z": (
        "BTC-USD.csv",
        "columns",
        lambda: lines("timestamp,open,high,low,close,volume",
                      [csv(iso(r[0], "%Y-%m-%dT%H:%M:%SZ"), *r[1:]) for r in ROWS]),
    ),
    "an offset": (
        "BTC-USD.csv",
        "columns",
        lambda: lines("Datetime,Open,High,Low,Close,Volume",
                      [csv(f"{iso(r[0] - 4 * 3_600)}-04:00", *r[1:]) for r in ROWS]),
    ),
    "naive, and an index without a name": (
        "BTC-USD.csv",
        "columns",
        lambda: lines(",open,high,low,close,volume", [csv(iso(r[0]), *r[1:]) for r in ROWS]),
    ),
    "date and time": (
        "BTC-USD.csv",
        "columns",
        lambda: lines("Date,Time,Open,High,Low,Close,Volume",
                      [csv(iso(r[0], "%Y-%m-%d"), iso(r[0], "%H:%M"), *r[1:]) for r in ROWS]),
    ),
    "nanoseconds": (
        "BTC-USD.csv", "arena", lambda: lines(HEAD, [csv(r[0] * 10**9, *r[1:]) for r in ROWS]),
    ),
    "milliseconds, then microseconds": (
        "BTC-USD.csv",
        "arena",
        lambda: lines(HEAD, [csv(r[0] * (10**6 if i > 20 else 1_000), *r[1:])
                             for i, r in enumerate(ROWS)]),
    ),
    "parquet": ("BTC-USD.parquet", "columns", lambda: parquet(table())),
    "feather": ("BTC_USD-1m.feather", "columns", lambda: feathered(table())),
    "feather with lz4": ("BTC_USD-1m.feather", "columns", lambda: feathered(table(), "lz4")),
}  # fmt: skip
"""Name -> file name, format, content: all of them are the same minutes of BTC-USD."""


def put(folder: Path, name: str, content: bytes) -> Path:
    """Write a file."""
    path = folder / name
    path.write_bytes(content)
    return path
