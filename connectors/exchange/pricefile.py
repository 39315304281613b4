"""Recorded candles as a tape: the price walks open, low, high, close through each minute.

Reads CSV (plain or gzip) or Parquet with one row per minute: `ts` (Unix seconds or milliseconds,
start of the minute), `open`, `high`, `low`, `close`, `volume`, and optionally `bid`, `ask` (closing
quotes). Empty prices mean "no trade in that minute". The candles the market folds from the tape are
the rows of the file again, digit by digit.
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final, cast

from arena.bounded_files import Limited, limits_factor, open_regular
from arena.bounded_parquet import open_parquet
from arena.errors import UsageError
from arena.money import parse_decimal
from connectors.coinbase.protocol import PRODUCT_ID
from connectors.exchange.listing import Listed, listed
from connectors.exchange.tape import STEP_S, Tick, Trade

MINUTE_S: Final = 60
STEPS: Final = MINUTE_S // STEP_S
TIME_COLUMNS: Final = ("ts", "time", "timestamp", "open_time", "date")
ROWS_MAX: Final = 2_000_000
FILE_BYTES_MAX: Final = 256 << 20
UNPACKED_BYTES_MAX: Final = 256 << 20
LINE_BYTES_MAX: Final = 64 << 10
COLUMNS_MAX: Final = 100
COLUMNS: Final = (*TIME_COLUMNS, "open", "high", "low", "close", "volume", "bid", "ask")
BATCH_ROWS: Final = 8_192
MILLISECONDS_FROM: Final = 100_000_000_000
HALF_SPREAD_BPS: Final = 1
LOW_STEP: Final = 4
HIGH_STEP: Final = 8
QUOTED_SIZE: Final = Decimal("1.5")


@dataclass(frozen=True, slots=True)
class Row:
    """One minute; `trades` is (open, high, low, close, volume), or None where nothing traded."""

    ts: int
    trades: tuple[Decimal, Decimal, Decimal, Decimal, Decimal] | None
    bid: Decimal | None
    ask: Decimal | None


class FileTape:
    """The tape of one file.

    Args:
        product: With increments fine enough for the file's prices.
        rows: Minute -> row.
    """

    def __init__(self, product: Listed, rows: Mapping[int, Row]) -> None:
        """Begin before the first row."""
        self.product = product
        self.rows = rows
        self.first_s = min(rows)
        self.last_s = max(rows) + MINUTE_S
        self._last: Tick | None = None

    def step(self, at_s: int) -> Tick | None:
        """The tick at a venue time; the last quotes where the file has a hole."""
        row = self.rows.get(at_s - at_s % MINUTE_S)
        index = at_s % MINUTE_S // STEP_S
        if row is None:
            return None if self._last is None else replace(self._last, trade=None)
        price = _walk(row, index, self.product.quote_increment)
        if price is None and (row.bid is None or row.ask is None):
            return self._last
        bid, ask = self._quotes(row, price)
        trade = None
        if row.trades is not None and price is not None:
            size = _share(row.trades[4], index)
            side = "buy" if price >= ask else "sell"
            trade = Trade(price, size, "buy" if side == "buy" else "sell")
        self._last = Tick(bid, ask, QUOTED_SIZE, QUOTED_SIZE, trade)
        return self._last

    def knows(self, at_s: int) -> bool:
        """True where the file has a row for the minute."""
        return at_s - at_s % MINUTE_S in self.rows

    def _quotes(self, row: Row, price: Decimal | None) -> tuple[Decimal, Decimal]:
        """The row's closing quotes, as far from this step's price as they are from the close."""
        step = self.product.quote_increment
        if row.bid is not None and row.ask is not None:
            moved = price - row.trades[3] if price is not None and row.trades else Decimal(0)
            bid = max(step, row.bid + moved)
            return bid, max(bid + step, row.ask + moved)
        assert price is not None, "a row has quotes or trades"
        half = (price * HALF_SPREAD_BPS / 10_000) // step * step
        bid = max(step, price - half)
        return bid, max(bid + step, price + half)


def _walk(row: Row, index: int, step: Decimal) -> Decimal | None:
    """The trade price at a step of the minute; visits open, both extremes and close exactly."""
    if row.trades is None:
        return None
    open_, high, low, close, _ = row.trades
    first, second = (low, high) if close >= open_ else (high, low)
    corners = ((0, open_), (LOW_STEP, first), (HIGH_STEP, second), (STEPS - 1, close))
    for (start, from_), (end, to) in pairwise(corners):
        if index == start:
            return from_
        if start < index < end:
            between = from_ + (to - from_) * (index - start) / (end - start)
            return min(high, max(low, between // step * step))
    return close


def _share(volume: Decimal, index: int) -> Decimal:
    """A twelfth of the minute's volume in whole 10^-8; the last step has the rest."""
    part = (volume / STEPS).quantize(Decimal("1E-8"))
    return part if index < STEPS - 1 else volume - part * (STEPS - 1)


def product_of(path: Path) -> str:
    """The product a file name begins with, such as `BTC-USD_2018-04.csv.gz`.

    Raises:
        UsageError: It begins with none.
    """
    found = re.match(r"[A-Za-z0-9.]+-[A-Za-z0-9]+", path.name)
    product_id = found.group(0).upper() if found else ""
    if not PRODUCT_ID.fullmatch(product_id):
        raise UsageError(
            f"{path.name} does not begin with a product such as BTC-USD",
            remedy="name the products with --products, one per file and in the same order",
        )
    return product_id


def load_tape(path: Path, product_id: str) -> FileTape:
    """Read a file of candles.

    Raises:
        UsageError: No such file, no candles of one minute in it, or a row that is none.
    """
    if not path.exists():
        raise UsageError(f"there is no price file {path}")
    rows: dict[int, Row] = {}
    raws = _parquet_rows(path) if path.suffix == ".parquet" else _csv_rows(path)
    number = 1
    try:
        for number, raw in enumerate(raws, 2):
            if number > ROWS_MAX:
                raise UsageError(f"{path} has more than {ROWS_MAX:,} rows")
            row = _row(raw)
            if row is not None:
                rows[row.ts] = row
    except (ValueError, ArithmeticError, csv.Error) as error:
        raise UsageError(f"{path}: row {number}: {str(error)[:200]}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path} cannot be read: {str(error)[:200]}") from None
    if not rows:
        raise UsageError(f"{path} holds no candle")
    return FileTape(_fit(listed(product_id), rows.values()), rows)


def _csv_rows(path: Path) -> Iterable[Mapping[str, object]]:
    with open_regular(path, FILE_BYTES_MAX) as raw:
        unpacked_max = UNPACKED_BYTES_MAX * limits_factor()
        packed = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if path.suffix == ".gz" else raw
        with io.BufferedReader(Limited(packed, path, unpacked_max)) as stream:
            reader = csv.DictReader(_lines(stream))
            if len(reader.fieldnames or ()) > COLUMNS_MAX:
                raise ValueError(f"more than {COLUMNS_MAX} columns")
            yield from reader


def _lines(stream: "io.BufferedReader[Limited]") -> Iterator[str]:
    """The lines of a file, each of a bounded length."""
    for line in iter(lambda: stream.readline(LINE_BYTES_MAX + 1), b""):
        if len(line) > LINE_BYTES_MAX:
            raise ValueError(f"a line of more than {LINE_BYTES_MAX:,} bytes")
        yield line.decode()


def _parquet_rows(path: Path) -> Iterable[Mapping[str, object]]:
    with open_parquet(path) as file:
        held = [name for name in file.schema.names if name.strip().lower() in COLUMNS]
        if len(set(held)) < len(held):
            raise ValueError(f"two columns of one name among {', '.join(held)}")
        for name in held:
            if file.schema.field(name).type.num_fields:
                raise ValueError(f"the column {name} holds {file.schema.field(name).type}")
        for batch in file.batches(held, BATCH_ROWS):
            yield from batch.to_pylist()


def _row(raw: Mapping[str, object]) -> Row | None:
    cells = {str(name).strip().lower(): value for name, value in raw.items()}
    stamp = next((cells[name] for name in TIME_COLUMNS if cells.get(name) is not None), None)
    if stamp is None:
        raise ValueError(f"no time in any of the columns {', '.join(TIME_COLUMNS)}")
    ts = _seconds(stamp)
    if ts % MINUTE_S:
        raise ValueError(f"time {stamp} does not start a minute; candles of 1 minute are needed")
    prices = [_number(cells.get(name)) for name in ("open", "high", "low", "close", "volume")]
    bid, ask = _number(cells.get("bid")), _number(cells.get("ask"))
    open_, high, low, close, volume = prices
    if open_ is None or high is None or low is None or close is None:
        return None if bid is None or ask is None else Row(ts, None, bid, ask)
    if not 0 < low <= min(open_, close) or high < max(open_, close):
        raise ValueError(f"open {open_}, high {high}, low {low}, close {close} is no candle")
    return Row(ts, (open_, high, low, close, volume or Decimal(0)), bid, ask)


def _seconds(stamp: object) -> int:
    if isinstance(stamp, datetime):
        return int(stamp.timestamp())
    number = int(str(stamp))
    return number // 1000 if number >= MILLISECONDS_FROM else number


def _number(value: object) -> Decimal | None:
    text = "" if value is None else str(value).strip()
    return None if text in ("", "nan", "None") else parse_decimal(text)


def _fit(product: Listed, rows: Iterable[Row]) -> Listed:
    """The product with a price step as fine as the file's prices."""
    exponents = [
        int(price.as_tuple().exponent)
        for row in rows
        for price in (*(row.trades or ())[:4], row.bid, row.ask)
        if price is not None
    ]
    finest = Decimal(1).scaleb(max(-8, min(exponents, default=-2)))
    return replace(product, quote_increment=min(product.quote_increment, finest))
