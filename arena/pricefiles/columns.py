"""Finds the role of each column of a file, by its header or by the values of its rows. Pure.

Without a header, the first order of columns in which every row is a candle is used: in a wrong
order lows are above highs. If several orders give different candles, the file is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from math import gcd
from typing import Final

from arena.pricefiles import formats, times
from arena.pricefiles.formats import Format
from arena.pricefiles.volumes import find_volume, plain_name

SAMPLE_ROWS: Final = 200
"""Number of rows that are examined first."""
COLUMNS_MAX: Final = 100
KRAKEN_WIDTH: Final = 7
SECONDS_DIGITS_MAX: Final = 12
CELLS_SHOWN: Final = 8
CELL_CHARS_SHOWN: Final = 30
LISTED: Final = "`arena candles formats` lists the columns that are read"

_TIMES = (
    "ts unix unixtime unixtimestamp unixtimestampms unixts epoch epochtime epochms timestamp"
    " timestampms timestamps opentime opentimems opentimestamp opentimeinmillis starttime startms"
    " start begin bucket periodstart timeperiodstart time datetime dt timestamputc dateutc timeutc"
    " datetimeutc utc opentimeiniso date t indexlevel0 index"
)
TIME_NAMES: Final = tuple(_TIMES.split())
"""Names for the start of a candle; the first column with a time is used."""
PRICE_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "open": ("open", "openprice", "priceopen", "o"),
    "high": ("high", "highprice", "pricehigh", "h"),
    "low": ("low", "lowprice", "pricelow", "l"),
    "close": ("close", "closeprice", "priceclose", "c"),
    "bid": ("bid", "bestbid", "bidclose"),
    "ask": ("ask", "bestask", "askclose"),
}
_SYMBOLS = "symbol pair product productid instrumentid instid tradingpair ticker asset base"
SYMBOL_NAMES: Final = frozenset(_SYMBOLS.split())
"""Columns with the product of a row."""
_WORDS = "name coin instrument market currency token crypto"
WORD_NAMES: Final = frozenset(_WORDS.split())
"""Columns that may have the product of a row."""
OHLC: Final = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class Shape:
    """Columns of a file.

    Attributes:
        format: The recognised format.
        time: Index of the start of the candle.
        width: Number of columns.
        clock: Index of the time of day if `time` is only a date; else None.
        prices: Indices of open, high, low and close; None for a file of quotes.
        volume: Index of the volume; None for a file of quotes.
        quote_volume: True if the volume is in the quote currency.
        bid: Index of the closing bid, or None.
        ask: Index of the closing ask, or None.
        symbols: Indices of columns with the product.
        words: Indices of columns that may have the product.
    """

    format: Format
    time: int
    width: int
    clock: int | None = None
    prices: tuple[int, int, int, int] | None = None
    volume: int | None = None
    quote_volume: bool = False
    bid: int | None = None
    ask: int | None = None
    symbols: tuple[int, ...] = ()
    words: tuple[int, ...] = ()


def is_header(cells: Sequence[str]) -> bool:
    """True for cells that are names of columns, at least one of them known."""
    words = {plain_name(cell) for cell in cells}
    known = {name for names in PRICE_NAMES.values() for name in names} | set(TIME_NAMES)
    return bool(words & known) and not any(times.is_time(cell) for cell in cells)


def is_row(cells: Sequence[str]) -> bool:
    """True for cells of a file without a header: a time and numbers."""
    return len(cells) > 4 and times.is_time(cells[0]) and all(map(_is_number, cells[1:5]))


def named_shape(
    names: Sequence[str], product_id: str, sample: Sequence[Sequence[str]], *, hint: str = ""
) -> Shape:
    """Find the columns of a file with a header.

    Args:
        names: Names of the columns.
        product_id: Product of the file.
        sample: The first rows.
        hint: Lines before the header.

    Raises:
        ValueError: A required column is missing, or there are two of it.
    """
    if len(names) > COLUMNS_MAX:
        raise ValueError(f"more than {COLUMNS_MAX} columns")
    words = [plain_name(name) for name in names]
    found = {role: _index(words, names, known) for role, known in PRICE_NAMES.items()}
    time, clock = _time(words, names, sample)
    missing = [role for role in OHLC if found[role] is None]
    quotes = found["bid"] is not None and found["ask"] is not None
    if missing and (len(missing) < len(OHLC) or not quotes):
        raise ValueError(f"no column {missing[0]!r} among {shown(names)}; {LISTED}")
    volume = None if missing else find_volume(names, product_id)
    if volume is None and not missing:
        raise ValueError(
            f"no column with the volume among {shown(names)}; add a column 'volume' in units of "
            f"{product_id.partition('-')[0]}"
        )
    given = tuple(found[role] or 0 for role in OHLC)
    format_ = _format(words, hint)
    return Shape(
        format=format_,
        time=time,
        width=len(names),
        clock=clock,
        prices=None if missing else (given[0], given[1], given[2], given[3]),
        volume=volume.index if volume else None,
        quote_volume=volume is not None and (volume.quote or format_ is formats.YAHOO),
        bid=found["bid"] if quotes else None,
        ask=found["ask"] if quotes else None,
        symbols=tuple(i for i, word in enumerate(words) if word in SYMBOL_NAMES),
        words=tuple(i for i, word in enumerate(words) if word in WORD_NAMES),
    )


def bare_shape(sample: Sequence[Sequence[str]]) -> Shape:
    """Find the columns of a file without a header.

    Raises:
        ValueError: No known order of columns gives candles, or two give different candles.
    """
    width = len(sample[0])
    fitting = [shape for shape in _orders(width) if _fits(shape, sample)]
    if width == KRAKEN_WIDTH and sample[0][0].strip()[SECONDS_DIGITS_MAX:]:
        fitting = [replace(shape, format=formats.OHLCV) for shape in fitting]  # Bybit: ms
    if not fitting and width in (6, 7, 9, 11, 12):
        fitting = _orders(width)[:1]  # the checks of the rows name the first wrong row
    if not fitting:
        raise ValueError(
            f"{width} columns without names; add a header line such as "
            f"ts,open,high,low,close,volume; {LISTED}"
        )
    for other in fitting[1:]:
        if _candles(fitting[0], sample) != _candles(other, sample):
            raise ValueError(
                f"the columns may be in the order of {fitting[0].format.name} "
                f"({fitting[0].format.columns}) or of {other.format.name}; add a header line"
            )
    return fitting[0]


def step_of(stamps_ns: Sequence[int]) -> int:
    """The length of candles with these starts, in nanoseconds; a minute if that is unclear."""
    steps = {abs(after - before) for before, after in pairwise(stamps_ns)} - {0}
    if not steps:
        return times.MINUTE_NS
    if min(steps) < times.MINUTE_NS:
        return min(steps)
    return max(gcd(*steps), times.MINUTE_NS)


def length_text(length_ns: int) -> str:
    """The length of a candle as text: "1 hour", "15 minutes", "1 second"."""
    for unit_s, word in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        count, rest = divmod(length_ns, unit_s * times.SECOND_NS)
        if count and not rest:
            return f"{count} {word}" if count == 1 else f"{count} {word}s"
    return f"{length_ns / times.SECOND_NS:g} seconds"


def shown(cells: Sequence[str]) -> str:
    """The first cells, for an error."""
    short = [" ".join(cell[:CELL_CHARS_SHOWN].split()) for cell in cells[:CELLS_SHOWN]]
    return ", ".join(short) + (", ..." if len(cells) > CELLS_SHOWN else "")


def _index(words: Sequence[str], names: Sequence[str], known: Sequence[str]) -> int | None:
    for name in known:
        if words.count(name) > 1:
            twice = [names[i].strip() for i, word in enumerate(words) if word == name]
            raise ValueError(f"two columns have the same name: {', '.join(twice)}")
        if name in words:
            return words.index(name)
    return None


def _time(
    words: Sequence[str], names: Sequence[str], sample: Sequence[Sequence[str]]
) -> tuple[int, int | None]:
    """The column of the start, and the column of the time of day if the start is a date."""

    def first(index: int) -> str:
        return sample[0][index] if sample and index < len(sample[0]) else ""

    if "date" in words and "time" in words and times.is_clock(first(words.index("time"))):
        return words.index("date"), words.index("time")
    given = [words.index(name) for name in TIME_NAMES if name in words]
    if not given and words and words[0] in ("", "unnamed0", "price"):
        given = [0]
    if not given:
        raise ValueError(
            f"no time in any of the columns {shown(names)}; call the start of the minute 'ts'"
        )
    return next((index for index in given if times.is_time(first(index))), given[0]), None


def _format(words: Sequence[str], hint: str) -> Format:
    held = set(words)
    if "adjclose" in held or (words and words[0] == "price"):
        return formats.YAHOO
    if "weightedprice" in held or "volumecurrency" in held:
        return formats.KAGGLE
    if "takerbuybaseassetvolume" in held or {"opentime", "closetime"} <= held:
        return formats.BINANCE
    if "cryptodatadownload" in hint.lower() or (
        "symbol" in held and {"unix", "unixtimestamp"} & held
    ):
        return formats.CRYPTODATADOWNLOAD
    return formats.ARENA if "ts" in held else formats.NAMED


def _orders(width: int) -> list[Shape]:
    """The possible columns of rows without names."""
    usual = (1, 2, 3, 4)
    if width == 6:
        return [
            Shape(formats.OHLCV, 0, width, prices=usual, volume=5),
            Shape(formats.COINBASE_REST, 0, width, prices=(3, 2, 1, 4), volume=5),
            Shape(formats.BITFINEX, 0, width, prices=(1, 3, 4, 2), volume=5),
        ]
    known = {7: formats.KRAKEN, 9: formats.OKX, 11: formats.BINANCE, 12: formats.BINANCE}
    if width == 8:
        return [Shape(formats.KRAKEN_REST, 0, width, prices=usual, volume=6)]
    return [Shape(known[width], 0, width, prices=usual, volume=5)] if width in known else []


Candle = tuple[Decimal, Decimal, Decimal, Decimal]


def _candles(shape: Shape, sample: Sequence[Sequence[str]]) -> list[Candle]:
    """Open, high, low and close of the rows with prices."""
    assert shape.prices is not None, "a file without a header has prices"
    rows = ([row[i] for i in shape.prices] for row in sample if len(row) == shape.width)
    numbers = (tuple(map(_decimal, row)) for row in rows)
    return [(a, b, c, d) for a, b, c, d in numbers if a and b and c and d]


def _fits(shape: Shape, sample: Sequence[Sequence[str]]) -> bool:
    if shape.format is formats.KRAKEN_REST and not all(map(_has_mean, sample)):
        return False
    return all(
        low <= min(open_, close) and high >= max(open_, close)
        for open_, high, low, close in _candles(shape, sample)
    )


def _has_mean(row: Sequence[str]) -> bool:
    """True if the sixth number of a Kraken row is between low and high, or the volume is 0."""
    high, low, mean, volume = (_decimal(row[i]) if i < len(row) else None for i in (2, 3, 5, 6))
    return not volume or (high is not None and low is not None and low <= (mean or -1) <= high)


def _decimal(cell: str) -> Decimal | None:
    try:
        number = Decimal(cell)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _is_number(cell: str) -> bool:
    text = cell.strip().lower()
    return text in ("", "nan", "null", "none") or _decimal(text) is not None
