"""Reads and checks the price files of an arena before anything is started.

The command reports an error in seconds, before it starts a broker and processes that would fail
repeatedly. Reads the files; shows its progress on a terminal.
"""

import sys
import time
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

from arena.candle_cache.names import cache_venue
from arena.candle_cache.range import PriceRange, ends_of, first_snapshot, read_prices
from arena.granularities import MINUTE
from arena.pricefiles.bars import bar_of_files, require_minutes
from arena.pricefiles.facts import PriceFacts
from arena.pricefiles.formats import SUFFIXES
from arena.pricefiles.read import read_price_files
from arena.pricefiles.rows import MINUTE_S
from arena.pricefiles.span import (
    EXCHANGE_HISTORY_S,
    REPLAY_HISTORY_BARS,
    interval_of,
    snapshots_of,
    span_of,
)
from arena.settings import Settings
from operations.commands.redrawn_line import RedrawnLine
from operations.specs.arena_spec import ArenaSpec
from operations.tradable_prices import mark_untradable

SHOW_AFTER_S = 2.0


class ReadingProgress:
    """Shows the progress of reading on a terminal, if it takes long."""

    def __init__(self) -> None:
        """Start the clock."""
        self._began_s = time.monotonic()
        self._line = RedrawnLine(sys.stderr)

    def show(self, path: Path, rows: int) -> None:
        """Show how many rows of a file were read."""
        if self._line.is_terminal and time.monotonic() - self._began_s >= SHOW_AFTER_S:
            self._line.draw(f" reading {path.name}: {rows:,} rows")

    def done(self) -> None:
        """Erase the line."""
        self._line.clear()


def check_prices(spec: ArenaSpec, folder: Path) -> tuple[PriceFacts, ...]:
    """Return the facts about the price files of a specification; empty if it has none.

    A file whose product no account can trade has the reason in `left_out`.

    Args:
        spec: The arena.
        folder: The folder to which its paths are relative.

    Raises:
        UsageError: A file is invalid, no product can be traded, or the files are too short for the
            contest.
    """
    market, contest = spec.market, spec.competition
    replay = market.source == "replay"
    if not market.prices:
        if replay:
            interval_of(spec.arena.interval_s, market.bar_s or MINUTE_S)
        return ()
    used = PriceRange(market.start, market.end, Settings().cache_home, market.granularity or MINUTE)
    paths = [Path(p) if cache_venue(p) else folder / p for p in market.prices]
    reading = ReadingProgress()
    try:
        read = read_prices(paths, spec.arena.products, used, reading.show)
        found = tuple(file.facts for file in read)
    finally:
        reading.done()
    files = mark_untradable(found, spec.rules.starting_cash)
    ends = ends_of(paths, [file for file in files if not file.left_out], used)
    lengths = [(file.path, file.bar_s) for file in found]
    if not replay:
        require_minutes(lengths)
    bar_s = bar_of_files(lengths, market.granularity)
    asked_s = (spec.features.history_minutes or 0) * MINUTE_S
    needed_s = spec.features.chosen.for_bars(bar_s).minutes * MINUTE_S
    if not replay:
        history_s = max(EXCHANGE_HISTORY_S, asked_s, needed_s)
        span_of(ends, start=first_snapshot(paths, used), history_s=history_s)
        return files
    interval_s = interval_of(spec.arena.interval_s, bar_s)
    count = None if contest is None else contest.snapshot_count(spec.arena.interval_s)
    start = first_snapshot(paths, used)
    span = span_of(
        ends,
        start=start and start.astimezone(UTC),
        history_s=max(REPLAY_HISTORY_BARS, -(-asked_s // bar_s)) * bar_s,
        wanted_s=needed_s,
        length_s=None if count is None else (count - 1) * interval_s,
        bar_s=bar_s,
    )
    if count is not None:
        snapshots_of(span, interval_s, count)
    return files


def price_files_of(path: Path) -> list[Path]:
    """Return the files in a folder whose ending is one of price files, by name, or the file itself.

    Hidden files are left out.
    """
    inside = sorted(path.iterdir()) if path.is_dir() else [path]
    return [
        each
        for each in inside
        if each.name.lower().endswith(SUFFIXES) and not each.name.startswith(".")
    ]


def read_facts(paths: Sequence[Path], products: Sequence[str]) -> tuple[PriceFacts, ...]:
    """Return the facts about price files; one file is in memory at a time.

    Raises:
        UsageError: A file is invalid, or the files do not match the products.
    """
    reading = ReadingProgress()
    try:
        return tuple(file.facts for file in read_price_files(paths, products, reading.show))
    finally:
        reading.done()
