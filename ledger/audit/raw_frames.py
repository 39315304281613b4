"""Finds raw frames of a venue in the recordings of a connector: one JSON line per frame.

Reads what `arena connector <venue> --record` writes: `t` (Unix seconds), `conn` and `data`, or
`data_base64` if the bytes are not UTF-8; `.zst`, `.gz` or plain. A truncated file is read as far as
possible. A ticker of Coinbase comes from a `ticker` frame with its sequence number. One of Binance
has the quotes of a `bookTicker` frame: its sequence number is made from the update id, see
`connectors.venues.binance.protocol`.
"""

import gzip
import io
import zlib
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from arena.bounded_files import LimitedStream, bounded_lines, open_regular, unpacked_limit
from arena.products import split_key

FRAMES_PATTERN = "frames*.jsonl*"
LINE_BYTES_MAX = 9 << 20
"""A frame of 4 MB, escaped as JSON; a longer line is skipped."""
BUFFER_BYTES = 1 << 17
FILE_BYTES_MAX = 64 << 30
"""The largest recording; it is streamed, one line at a time."""


BINANCE = "binance"
TICKERS_PER_UPDATE = 1_000
"""Sequence numbers of tickers with the quotes of one update of Binance."""


@dataclass(frozen=True, slots=True)
class RawFrame:
    """One frame.

    Attributes:
        file, line: Its file and line number.
        raw: Its bytes.
    """

    file: str
    line: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class SentTicker:
    """What a frame says of the ticker that was made from it.

    Attributes:
        bid, ask: The best prices, as the venue wrote them.
        sequence: Its sequence number.
        trade_id: The id of the last trade.
        has_trade_id: False if frames of this kind have none.
    """

    bid: object
    ask: object
    sequence: int
    trade_id: object = None
    has_trade_id: bool = True


def frame_files(run: Path | None, named: Path | None) -> list[Path]:
    """Return the recordings of a run, or the named one."""
    if named is not None:
        return [named]
    return [] if run is None else sorted(run.glob(FRAMES_PATTERN))


def find_frame(files: list[Path], product_id: str, sequence: int) -> RawFrame | None:
    """Return the frame of a product's ticker with a sequence number, or None."""
    venue, symbol = split_key(product_id)
    number = sequence // TICKERS_PER_UPDATE if venue == BINANCE else sequence
    needles = (symbol.encode(), str(number).encode())
    for path in files:
        for frame in _frames(path):
            if all(needle in frame.raw for needle in needles) and sent_ticker(
                frame.raw, product_id, sequence
            ):
                return frame
    return None


def sent_ticker(raw: bytes, product_id: str, sequence: int) -> SentTicker | None:
    """Return what a frame says of a ticker; None if the ticker is not made from it.

    Args:
        raw: The frame.
        product_id: The product of the ticker, with its venue if that is not Coinbase.
        sequence: Its sequence number.
    """
    body = _json(raw)
    venue, symbol = split_key(product_id)
    if venue == BINANCE:
        wrapped = body.get("data")
        quotes = wrapped if isinstance(wrapped, dict) else body
        found = quotes.get("s"), quotes.get("u")
        if found != (symbol, sequence // TICKERS_PER_UPDATE) or "e" in quotes:
            return None
        return SentTicker(quotes.get("b"), quotes.get("a"), sequence, has_trade_id=False)
    if (body.get("product_id"), body.get("sequence")) != (product_id, sequence):
        return None
    if "ticker" not in str(body.get("type", "")):
        return None
    return SentTicker(body.get("best_bid"), body.get("best_ask"), sequence, body.get("trade_id"))


def _frames(path: Path) -> Iterator[RawFrame]:
    try:
        with _open(path) as stream:
            for number, line in enumerate(bounded_lines(stream, LINE_BYTES_MAX), 1):
                body = _json(line)
                if "data" in body:
                    raw = str(body["data"]).encode()
                elif "data_base64" in body:
                    raw = b64decode(str(body["data_base64"]))
                else:
                    continue
                yield RawFrame(path.name, number, raw)
    except (OSError, EOFError, ValueError, zlib.error):
        return


def _open(path: Path) -> BinaryIO:
    raw = open_regular(path, FILE_BYTES_MAX)
    limit, file = unpacked_limit(raw), cast("BinaryIO", raw)
    if path.suffix == ".gz":
        file = cast("BinaryIO", gzip.GzipFile(fileobj=raw))
    if path.suffix == ".zst":
        import pyarrow

        file = pyarrow.input_stream(pyarrow.PythonFile(raw), compression="zstd")
    return io.BufferedReader(LimitedStream(file, path, limit), BUFFER_BYTES)


def _json(text: bytes) -> dict[str, object]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
