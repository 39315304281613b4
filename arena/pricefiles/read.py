"""Reads one price file into rows: opens it within limits, recognises its format, checks each row.

Reads one file and writes none. Every error is a `UsageError` with the file, the row if there is
one, and the remedy.
"""

import csv
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Final

from arena.bounded_files import limits_factor
from arena.errors import ArenaError, BrokenLog, UsageError
from arena.pricefiles.arrow_lines import feather_lines, parquet_lines
from arena.pricefiles.candle_length import LENGTHS, LENGTHS_NEEDED
from arena.pricefiles.columns import (
    LISTED,
    SAMPLE_ROWS,
    Shape,
    bare_shape,
    is_header,
    is_row,
    length_text,
    named_shape,
    shown,
    step_of,
)
from arena.pricefiles.csv_lines import Line, NotUtf8, csv_lines
from arena.pricefiles.facts import PriceFacts
from arena.pricefiles.formats import Format
from arena.pricefiles.json_lines import begins_json, json_lines
from arena.pricefiles.names import (
    VENUES,
    contradicts,
    find_product,
    member_contradicts,
    pair_of,
    product_of,
)
from arena.pricefiles.numbers import number_of
from arena.pricefiles.rows import PriceRows, RowChecker
from arena.pricefiles.span import pair_files
from arena.pricefiles.times import SECOND_NS, is_shortened, is_time, unix_ns
from arena.pricefiles.unpacked import OpenedFile, open_packed
from arena.pricefiles.volumes import plain_name

ROWS_MAX: Final = 2_000_000
COMMENT_LINES_MAX: Final = 5
COLUMNS_MIN: Final = 5
"""A line with this many cells that is neither a header nor a row is not a comment."""
PROGRESS_ROWS: Final = 1 << 16
KNOWN_NS: Final = frozenset(length_s * SECOND_NS for length_s in LENGTHS)

OnProgress = Callable[[Path, int], None]
"""Called every `PROGRESS_ROWS` rows with the file and the number of rows so far."""


@dataclass(frozen=True, slots=True)
class PriceFile:
    """A file that was read.

    Attributes:
        path: The file.
        product_id: The product of its prices.
        format: The recognised format.
        venue: Venue of the prices, if the file's name or format shows it; else "".
        rows: The bars, oldest first.
        low: The lowest price.
        high: The highest price.
        merged: Number of rows that repeated another.
        empty: Number of rows without a price.
        title: What the prices are called, if it is not the file's name.
    """

    path: Path
    product_id: str
    format: Format
    venue: str
    rows: PriceRows
    low: Decimal
    high: Decimal
    merged: int
    empty: int
    title: str = ""

    @property
    def first_s(self) -> int:
        """Start of the first bar, Unix seconds."""
        return self.rows.first_s

    @property
    def last_s(self) -> int:
        """End of the last bar, Unix seconds."""
        return self.rows.last_s + self.bar_s

    @property
    def bar_s(self) -> int:
        """Length of the bars in seconds."""
        return self.rows.bar_s

    @property
    def facts(self) -> PriceFacts:
        """The description of the file; computing it takes a second for a year of minutes."""
        return PriceFacts(
            path=str(self.path),
            name=self.title or self.path.name,
            product_id=self.product_id,
            format=self.format.name,
            venue=self.venue,
            bar_s=self.bar_s,
            bars=len(self.rows),
            missing=self.rows.missing,
            quiet=self.rows.quiet,
            empty=self.empty,
            merged=self.merged,
            first_s=self.first_s,
            last_s=self.last_s,
            price_digits=self.rows.price_digits,
            digest=self.rows.digest,
            low=self.low,
            high=self.high,
            day_volume=self.rows.day_volume,
        )


def read_price_files(
    paths: Sequence[Path], products: Sequence[str], on_progress: OnProgress | None = None
) -> Iterator[PriceFile]:
    """Read the files of a market, one after another.

    Args:
        paths: The files.
        products: One for each, in the same order; none to take them from the names.
        on_progress: Called with the progress.

    Raises:
        UsageError: A file cannot be used, or the files do not match the products.
    """
    seen: dict[str, Path] = {}
    for path, product_id in pair_files(paths, products):
        file = read_price_file(path, product_id, on_progress)
        if (other := seen.setdefault(file.product_id, path)) is not path:
            raise UsageError(
                f"two price files of {file.product_id}: {other} and {path}",
                remedy="give one file per product",
            )
        yield file


def read_price_file(
    path: Path, product_id: str = "", on_progress: OnProgress | None = None
) -> PriceFile:
    """Read and check a price file.

    Args:
        path: The file.
        product_id: Product of the prices; "" to take it from the file's name.
        on_progress: Called with the progress.

    Raises:
        UsageError: It cannot be used: the message has the reason, the row and the remedy.
    """
    number = [0]
    try:
        with open_packed(path) as opened:
            says = find_product(path.name)
            product_id = product_id or says.product_id or _product_inside(path, opened)
            _require_same_product(path, product_id, opened.member)
            return _read(path, product_id, opened, number, on_progress)
    except NotUtf8 as error:
        row = f"row {error.number}: " if error.number else ""
        raise UsageError(f"{path}: {row}{error}") from None
    except (ValueError, ArithmeticError, csv.Error) as error:
        message = str(error)[:400]
        row = f"row {number[0]}: " if number[0] and not message.startswith("row ") else ""
        raise UsageError(f"{path}: {row}{message}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(
            f"{path} cannot be read: {str(error)[:200] or type(error).__name__}",
            remedy="copy the file again from its source",
        ) from None
    except BrokenLog as error:
        raise _usage(error) from None


def _usage(error: ArenaError) -> UsageError:
    return UsageError(str(error.args[0]), remedy=error.remedy)


def _product_inside(path: Path, opened: OpenedFile) -> str:
    """The product in the name of a file in an archive, or in the archive's name."""
    return find_product(Path(opened.member).name).product_id or product_of(path)


def _require_same_product(path: Path, product_id: str, member: str) -> None:
    """Check that the file in an archive is for the archive's product."""
    name = Path(member).name
    if member and member_contradicts(name, product_id):
        says = find_product(name)
        named = says.product_id or " or ".join(says.readings)
        raise UsageError(
            f"{path} is of {product_id}, and the file in it, {name[:80]}, of {named}",
            remedy="name the archive after its content",
        )


def _read(
    path: Path,
    product_id: str,
    opened: OpenedFile,
    number: list[int],
    on_progress: OnProgress | None,
) -> PriceFile:
    """Read the file; `number` has the current row."""
    lines = _lines(path, opened, product_id)
    head, hint = _head(lines, number)
    if head is None:
        raise ValueError("it has no candles")
    names = [] if is_row(head[1]) else head[1]
    rest = _without_ticker(lines, product_id) if plain_name(head[1][0]) == "price" else lines
    rows = chain([] if names else [head], rest)
    sample = _sample(rows, number)
    if not sample:
        number[0] = 0
        raise ValueError("it has no candles")
    shape = _shape(names, product_id, sample, hint, number)
    _require_known_length(shape, [cells for _, cells in sample])
    checker = RowChecker(shape, product_id)
    limit = ROWS_MAX * limits_factor()
    for count, (at, cells) in enumerate(chain(sample, rows), 1):
        number[0] = at
        if count > limit:
            raise ValueError(f"it has more than {limit:,} rows; keep the days that are needed")
        if cells != names:  # a repeated header, in files that were joined
            checker.take(at, cells)
        if on_progress is not None and count % PROGRESS_ROWS == 0:
            on_progress(path, count)
    number[0] = 0
    found = checker.rows()
    says = find_product(path.name).venue or find_product(Path(opened.member).name).venue
    venue = says or shape.format.venue or _venue_of(hint)
    return PriceFile(
        path=path,
        product_id=product_id,
        format=shape.format,
        venue=venue,
        rows=found,
        low=checker.low,
        high=checker.high,
        merged=checker.merged,
        empty=checker.empty,
    )


def _lines(path: Path, opened: OpenedFile, product_id: str) -> Iterator[Line]:
    if opened.kind == "parquet":
        return parquet_lines(path)
    if opened.kind == "feather":
        return feather_lines(path, opened.stream)
    if begins_json(opened.stream.peek(64)):
        return json_lines(opened.stream, product_id)
    return csv_lines(opened.stream)


def _head(lines: Iterator[Line], number: list[int]) -> tuple[Line | None, str]:
    """The header, or the first row of a file without one, and the comment lines before it."""
    hint: list[str] = []
    for line in lines:
        number[0], cells = line
        if is_header(cells) or is_row(cells):
            return line, " ".join(hint)
        if is_row(["2025-01-01", *cells[1:]]):
            unix_ns(cells[0])
        if len(cells) >= COLUMNS_MIN and is_time(cells[0]):
            for cell in cells[1:COLUMNS_MIN]:
                number_of(cell)
        hint.append(shown(cells))
        if len(hint) > COMMENT_LINES_MAX or len(cells) >= COLUMNS_MIN:
            raise ValueError(f"no header and no candle in {hint[-1]!r}; {LISTED}")
    if hint:
        raise ValueError(f"no header and no candle in {hint[-1]!r}; {LISTED}")
    return None, ""


def _without_ticker(lines: Iterator[Line], product_id: str) -> Iterator[Line]:
    """Skip the other header lines of yfinance, and check the one with the product."""
    for number, cells in lines:
        word = plain_name(cells[0])
        if word == "ticker":
            wrong = [cell for cell in cells[1:] if contradicts(cell, product_id)]
            if wrong:
                raise ValueError(
                    f"the file is of {pair_of(wrong[0]) or wrong[0]}, not {product_id}"
                )
        elif word not in ("datetime", "date"):
            yield number, cells


def _sample(rows: Iterator[Line], number: list[int]) -> list[Line]:
    found: list[Line] = []
    for line in rows:
        number[0] = line[0]
        found.append(line)
        if len(found) == SAMPLE_ROWS:
            break
    return found


def _shape(
    names: Sequence[str], product_id: str, sample: list[Line], hint: str, number: list[int]
) -> Shape:
    number[0] = 0
    rows = [cells for _, cells in sample]
    if names:
        return named_shape(names, product_id, rows, hint=hint)
    return bare_shape(rows)


def _require_known_length(shape: Shape, sample: Sequence[Sequence[str]]) -> None:
    """Check that the first rows are candles of a length that a market can have."""
    stamps = deque[int]()
    for cells in sample:
        if len(cells) <= shape.time or shape.clock is not None:
            return
        if is_shortened(cells[shape.time]):
            return
        if is_time(cells[shape.time]):
            stamps.append(unix_ns(cells[shape.time]))
    if len(stamps) > 2 and (length_ns := step_of(stamps)) not in KNOWN_NS:
        raise ValueError(f"it has candles of {length_text(length_ns)}; {LENGTHS_NEEDED}")


def _venue_of(hint: str) -> str:
    return next((venue for word, venue in VENUES.items() if f"/{word}" in hint.lower()), "")
