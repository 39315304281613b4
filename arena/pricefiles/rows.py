"""Checks the rows of a price file one by one and stores them as text, oldest first. Pure.

An impossible row is refused with its number, because a wrong price makes every result wrong. Two
rows for the same minute are merged if they are equal.
"""

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import cached_property
from hashlib import sha256
from itertools import islice, pairwise
from typing import Final

from arena.money import PRICE_DIGITS, decimal_text
from arena.pricefiles.candle_length import candle_length, coarser_at, words_of
from arena.pricefiles.columns import OHLC, Shape, shown
from arena.pricefiles.day_volume import largest_day_volume
from arena.pricefiles.names import contradicts, contradicts_weakly, pair_of
from arena.pricefiles.numbers import number_of
from arena.pricefiles.times import MINUTE_NS, is_shortened, time_text, unix_ns

MINUTE_S: Final = 60
QUOTED_DIGITS: Final = Decimal("1E-8")
"""Rounding of a volume that was divided by a price."""
EMPTY: Final = frozenset({"", "nan", "none", "null", "na", "n/a", "<na>", "nat"})

_EXACT = Context(prec=60)
_PLAIN = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?")
_LAST_ZEROS = re.compile(r"(\.[0-9]*[1-9])0+(?=,|$)|\.0+(?=,|$)")
_FIRST_ZEROS = re.compile(r"(?<![0-9.])0+(?=[0-9])")

Trades = tuple[Decimal, Decimal, Decimal, Decimal, Decimal]
"""Open, high, low, close, and the volume in base units."""


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One bar.

    Attributes:
        ts: Start of the bar, Unix seconds.
        trades: Open, high, low, close and volume, or None without a trade.
        bid: Best bid at the end of the bar, or None.
        ask: Best ask at the end of the bar, or None.
    """

    ts: int
    trades: Trades | None
    bid: Decimal | None
    ask: Decimal | None


class PriceRows(Mapping[int, PriceRow]):
    """The bars of a file by start, Unix seconds; oldest first.

    A row is stored as text and parsed on access: a year of minutes takes 100 MB instead of 500.

    Args:
        lines: Start -> open, high, low, close, volume, bid and ask, as in the file.
        bar_s: Length of the bars in seconds.

    Attributes:
        bar_s: Length of the bars in seconds.
    """

    def __init__(self, lines: dict[int, str], bar_s: int = MINUTE_S) -> None:
        """Sort the bars."""
        self.bar_s = bar_s
        ordered = list(lines)
        if any(after < before for before, after in pairwise(ordered)):
            lines = {ts: lines[ts] for ts in sorted(ordered)}
        self._lines = lines
        self._last: PriceRow | None = None

    def __getitem__(self, ts: int) -> PriceRow:
        """The row of a bar."""
        if self._last is None or self._last.ts != ts:
            cells = [Decimal(cell) if cell else None for cell in self._lines[ts].split(",")]
            a, b, c, d, volume, bid, ask = cells
            trades = None
            if a is not None and b is not None and c is not None and d is not None:
                trades = (a, b, c, d, volume or Decimal(0))
            self._last = PriceRow(ts, trades, bid, ask)
        return self._last

    def __contains__(self, ts: object) -> bool:
        """True for a bar that the file has."""
        return ts in self._lines

    def __iter__(self) -> Iterator[int]:
        """The starts of the bars, oldest first."""
        return iter(self._lines)

    def __len__(self) -> int:
        """Number of bars."""
        return len(self._lines)

    @cached_property
    def first_s(self) -> int:
        """Start of the oldest bar."""
        return next(iter(self._lines))

    @cached_property
    def last_s(self) -> int:
        """Start of the newest bar."""
        return next(reversed(self._lines))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the rows, in hex; independent of the file's format, order and line ends.

        Each row is `ts,open,high,low,close,volume,bid,ask` and a line end; numbers are plain,
        without trailing zeros; missing values are empty.
        """
        found = sha256()
        for ts, line in self._lines.items():
            found.update(f"{ts},{plain_line(line)}\n".encode())
        return found.hexdigest()

    @cached_property
    def price_digits(self) -> int:
        """Digits after the point of the finest price, without trailing zeros."""
        found = 0
        for line in self._lines.values():
            cells = line.split(",")
            for cell in (*cells[:4], *cells[5:]):
                point = cell.find(".")
                if point >= 0 and len(cell) - point - 1 > found:
                    found = max(found, len(cell.rstrip("0")) - point - 1)
        return found

    @cached_property
    def day_volume(self) -> Decimal:
        """The largest volume of 24 hours, in base units; 0 if it cannot reach 18 digits."""
        return largest_day_volume(self._lines)

    @cached_property
    def quiet(self) -> int:
        """Number of bars with quotes and without a trade."""
        return sum(line.startswith(",") for line in self._lines.values())

    @property
    def missing(self) -> int:
        """Number of missing bars between the first and the last."""
        return (self.last_s - self.first_s) // self.bar_s + 1 - len(self)

    def until(self, end_s: int) -> "PriceRows | None":
        """The bars that end by a time in Unix seconds; None if there are none."""
        kept = {ts: line for ts, line in self._lines.items() if ts + self.bar_s <= end_s}
        return PriceRows(kept, self.bar_s) if kept else None


class RowChecker:
    """Checks the rows of a file one by one.

    Args:
        shape: Columns of the file.
        product_id: Product of the file.

    Attributes:
        merged: Number of rows that repeated another.
        empty: Number of rows without a price: minutes without a trade.
        low: The lowest price or bid.
        high: The highest price or ask.
    """

    def __init__(self, shape: Shape, product_id: str) -> None:
        """Take the columns and the product of the file."""
        self._shape = shape
        self._product_id = product_id
        self._lines: dict[int, str] = {}
        self._numbers = array("q")
        self._symbols: dict[int, str] = {}
        self.merged = 0
        self.empty = 0
        self.low, self.high = Decimal("Infinity"), Decimal(0)

    def take(self, number: int, cells: Sequence[str]) -> None:
        """Check a row and store it.

        Args:
            number: Number of the row in its file, from 1.
            cells: Cells of the row.

        Raises:
            ValueError: The row is invalid.
        """
        shape = self._shape
        if len(cells) != shape.width:
            cells = self._whole(cells)
        stamp = cells[shape.time]
        if shape.clock is not None:
            stamp = f"{stamp} {cells[shape.clock]}"
        minute, rest = divmod(unix_ns(stamp), MINUTE_NS)
        if rest:
            _require_not_shortened(stamp)
            raise ValueError(
                f"time {stamp.strip()} does not start a minute; candles of whole minutes are "
                "needed, each with its start"
            )
        if shape.symbols or shape.words:
            self._check_symbols(cells)
        if (line := self._line(cells)) is None:
            self.empty += 1
            return
        ts = minute * MINUTE_S
        if (before := self._lines.get(ts)) is None:
            self._lines[ts] = line
            self._numbers.append(number)
            return
        _require_not_shortened(stamp)
        if _same(before, line):
            self.merged += 1
        else:
            raise ValueError(
                f"{time_text(ts)} is in row {self._number_of(ts)} with other numbers; keep the row "
                "that is right (local time repeats an hour when clocks are set back: write UTC)"
            )

    def rows(self) -> PriceRows:
        """The checked rows.

        Raises:
            ValueError: There are none, or candles of another length.
        """
        if not self._lines:
            raise ValueError("it has no candles")
        rows = PriceRows(self._lines)
        starts = list(rows)
        rows.bar_s = candle_length(starts)
        self._require_one_length(starts, rows.bar_s)
        return rows

    def _require_one_length(self, starts: Sequence[int], bar_s: int) -> None:
        """Check that candles are not followed by longer ones."""
        if (found := coarser_at(starts, bar_s)) is None:
            return
        ts, words = starts[found[0]], words_of(found[1])
        raise ValueError(
            f"from row {self._number_of(ts)} on ({time_text(ts)}) it has candles of {words}; "
            f"candles of {words_of(bar_s)} are needed in the whole file"
        )

    def _whole(self, cells: Sequence[str]) -> Sequence[str]:
        width = self._shape.width
        if len(cells) > width:
            if not any(cell.strip() for cell in cells[width:]):
                return cells[:width]
            raise ValueError(
                f"{len(cells)} cells instead of {width}: {shown(cells)}; "
                "write decimal points, not commas, and one cell for each column"
            )
        raise ValueError(
            f"{len(cells)} cells instead of {width}: {shown(cells)}; remove a row that was cut off"
        )

    def _check_symbols(self, cells: Sequence[str]) -> None:
        for columns, differs in (
            (self._shape.symbols, contradicts),
            (self._shape.words, contradicts_weakly),
        ):
            for index in columns:
                if self._symbols.get(index) == cells[index]:
                    continue
                if differs(cells[index], self._product_id):
                    named = pair_of(cells[index]) or cells[index].strip()[:40]
                    raise ValueError(
                        f"the row is of {named}, the file of {self._product_id}; "
                        "name the file after the product of its rows"
                    )
                self._symbols[index] = cells[index]

    def _line(self, cells: Sequence[str]) -> str | None:
        """The row as text; None without prices and quotes."""
        shape = self._shape
        prices = ["", "", "", "", ""]
        if shape.prices is not None and shape.volume is not None:
            given = [cells[index].strip() for index in shape.prices]
            if not all(map(_is_number, given)):
                given = self._no_trade(given)
            if given[0]:
                prices = [*given, self._volume(cells[shape.volume].strip(), given)]
        quotes = self._quotes(cells)
        if not prices[0] and not quotes[0]:
            return None
        return ",".join((*prices, *quotes))

    def _no_trade(self, given: Sequence[str]) -> list[str]:
        """Handle prices that are not plain digits: all empty, or all in another notation."""
        held = [role for role, cell in zip(OHLC, given, strict=True) if not _is_empty(cell)]
        if not held:
            return ["", "", "", ""]
        if len(held) < len(given):
            without = next(role for role in OHLC if role not in held)
            raise ValueError(
                f"{without} is empty and {held[0]} is not: {shown(given)}; leave all four empty "
                "for a minute without a trade"
            )
        return [decimal_text(_carried(number_of(cell))) for cell in given]

    def _volume(self, cell: str, given: Sequence[str]) -> str:
        """Check the prices and return the volume in base units."""
        open_, high, low, close = map(Decimal, given)
        if not 0 < low <= open_ <= high or not low <= close <= high:
            raise ValueError(
                f"open {open_}, high {high}, low {low}, close {close} is not a candle; "
                "the high is the highest and the low the lowest, and all are above 0"
            )
        self._widen(low, high)
        if _is_empty(cell):
            raise ValueError("the volume is empty; write 0 for a minute without a trade")
        number = Decimal(cell) if _is_number(cell) else number_of(cell)
        if number < 0:
            raise ValueError(f"volume {cell[:40]} is negative; a volume is 0 or more")
        if not self._shape.quote_volume:
            return cell if _is_number(cell) else decimal_text(number)
        return decimal_text(_EXACT.divide(number, close).quantize(QUOTED_DIGITS, context=_EXACT))

    def _quotes(self, cells: Sequence[str]) -> tuple[str, str]:
        shape = self._shape
        if shape.bid is None or shape.ask is None:
            return "", ""
        given = cells[shape.bid].strip(), cells[shape.ask].strip()
        if any(map(_is_empty, given)):
            return "", ""
        bid, ask = (decimal_text(_carried(number_of(cell))) for cell in given)
        if not 0 < Decimal(bid) <= Decimal(ask):
            raise ValueError(
                f"bid {bid} and ask {ask} are not quotes; a bid is above 0 and not above the ask"
            )
        self._widen(Decimal(bid), Decimal(ask))
        return bid, ask

    def _widen(self, low: Decimal, high: Decimal) -> None:
        if low < self.low:
            self.low = low
        if high > self.high:
            self.high = high

    def _number_of(self, ts: int) -> int:
        index = next(i for i, known in enumerate(self._lines) if known == ts)
        return next(islice(self._numbers, index, None))


def _require_not_shortened(stamp: str) -> None:
    """Refuse a time such as 1.76171E+09, which has lost its last digits.

    Raises:
        ValueError: The time has lost digits.
    """
    if is_shortened(stamp):
        raise ValueError(
            f"time {stamp.strip()} was shortened by a spreadsheet; take the file as it was "
            "downloaded, or format the column as a number without decimals and save it again"
        )


def _carried(price: Decimal) -> Decimal:
    """Round a price to the decimals of prices; the rest is noise of binary floats."""
    exponent = price.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -PRICE_DIGITS:
        return _EXACT.quantize(price, Decimal(1).scaleb(-PRICE_DIGITS))
    return price


def plain_line(line: str) -> str:
    """The numbers of a row without leading and trailing zeros: "007.10,5.0" is "7.1,5"."""
    return _FIRST_ZEROS.sub("", _LAST_ZEROS.sub(r"\1", line))


def _same(line: str, other: str) -> bool:
    return line == other or plain_line(line) == plain_line(other)


def _is_number(cell: str) -> bool:
    return _PLAIN.fullmatch(cell) is not None


def _is_empty(cell: str) -> bool:
    return cell.strip().lower() in EMPTY
