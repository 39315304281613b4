"""Describes price files that were read: on a line, as JSON, and several on one line. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Final

from pydantic import JsonValue

from arena.granularities import GRANULARITIES, MINUTE, granularity_of
from arena.plural import counted
from arena.pricefiles.times import time_text
from arena.visible_text import one_line

DIGEST_CHARS_SHOWN: Final = 16
FILES_NAMED_MAX: Final = 3
MINUTE_S: Final = GRANULARITIES[MINUTE]
SOURCE_CHARS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class PriceFacts:
    """A price file, without its rows.

    Attributes:
        path: Path of the file.
        name: Name of the file.
        product_id: Product of the prices.
        format: Name of the format.
        venue: Venue of the prices, or "".
        bars: Number of bars.
        missing: Number of missing bars between the first and the last.
        quiet: Number of bars with quotes and without a trade.
        empty: Number of rows without a price.
        merged: Number of rows that repeated others.
        first_s: Start of the first bar, Unix seconds.
        last_s: End of the last bar, Unix seconds.
        price_digits: Digits after the point of the finest price.
        digest: SHA-256 of the rows, in hex.
        low: The lowest price, quotes included.
        high: The highest price, quotes included.
        day_volume: The largest volume of 24 hours, in base units; 0 if it cannot reach 18 digits.
        bar_s: Length of the bars in seconds.
        left_out: Why the product is not traded, or "".
    """

    path: str
    name: str
    product_id: str
    format: str
    venue: str
    bars: int
    missing: int
    quiet: int
    empty: int
    merged: int
    first_s: int
    last_s: int
    price_digits: int
    digest: str
    low: Decimal
    high: Decimal
    day_volume: Decimal = Decimal(0)
    bar_s: int = MINUTE_S
    left_out: str = ""

    @property
    def source(self) -> str:
        """Source of the prices: "BTC-USD.csv (Kraken)"."""
        name = self.name[:SOURCE_CHARS_MAX]
        return f"{name} ({self.venue})" if self.venue else name

    @property
    def line(self) -> str:
        """The content on one line; or why the file is left out."""
        if self.left_out:
            source = one_line(self.source, SOURCE_CHARS_MAX)
            return f"{self.product_id} is left out ({source}): {self.left_out}"
        span = f"{time_text(self.first_s)} to {time_text(self.last_s)}"
        parts = [
            f"{self.product_id}  {one_line(self.source, SOURCE_CHARS_MAX)}",
            f"{self.count_text} {span}",
            f"{self.missing:,} missing" if self.missing else "no gaps",
        ]
        parts += [f"{self.merged:,} repeated rows"] if self.merged else []
        parts += [f"{self.quiet:,} with quotes only"] if self.quiet else []
        return f"{', '.join(parts)}; rows {self.digest[:DIGEST_CHARS_SHOWN]}"

    @property
    def count_text(self) -> str:
        """The number of bars: "40 minutes", "40 bars of 1h"."""
        if self.bar_s == MINUTE_S:
            return counted(self.bars, "minute")
        return f"{counted(self.bars, 'bar')} of {granularity_of(self.bar_s)}"

    def as_json(self) -> dict[str, JsonValue]:
        """The output of `arena candles check --json`."""
        return {
            "path": self.path,
            "ok": True,
            "product": self.product_id,
            "format": self.format,
            "venue": self.venue,
            "granularity": granularity_of(self.bar_s),
            "bars": self.bars,
            "minutes": self.bars * self.bar_s // MINUTE_S,
            "missing": self.missing,
            "quiet": self.quiet,
            "empty_rows": self.empty,
            "repeated_rows": self.merged,
            "first": time_text(self.first_s),
            "last": time_text(self.last_s),
            "price_digits": self.price_digits,
            "digest": self.digest,
        }


def sources_text(files: Sequence[PriceFacts]) -> str:
    """Sources of the prices of some files, on a line of ASCII: names, venues, a digest.

    The digest is of the rows, not of the bytes: the first digits of `digest_of`.
    """
    named = [file.source for file in files[:FILES_NAMED_MAX]]
    if len(files) > FILES_NAMED_MAX:
        named.append(f"{len(files) - FILES_NAMED_MAX} more")
    names = ascii(one_line(", ".join(named), SOURCE_CHARS_MAX))[1:-1]
    return f"{names}; rows {digest_of(files)[:DIGEST_CHARS_SHOWN]}"


def digest_of(files: Sequence[PriceFacts]) -> str:
    """SHA-256 of the rows of some files, in hex.

    For one file, the digest of its rows; for more, that of sorted lines `product digest`.
    """
    if len(files) == 1:
        return files[0].digest
    lines = sorted(f"{file.product_id} {file.digest}\n" for file in files)
    return sha256("".join(lines).encode()).hexdigest()
