"""The price files of an arena, read and checked before anything is started.

What is wrong with them is said once, by the command, in seconds: not by a process that was started
after a broker and is started again. Reads the files; writes a line on a terminal while it does.
"""

import sys
import time
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

from arena.pricefiles.facts import PriceFacts
from arena.pricefiles.read import read_price_files
from arena.pricefiles.span import (
    EXCHANGE_HISTORY_S,
    REPLAY_HISTORY_S,
    interval_of,
    snapshots_of,
    span_of,
)
from operations.specs.arena_spec import ArenaSpec
from operations.tradable_prices import mark_untradable

TELL_AFTER_S = 2.0


class Reading:
    """Says how far the reading is, once it takes long; only on a terminal."""

    def __init__(self) -> None:
        """Begin to count the time."""
        self._began_s = time.monotonic()
        self._shown = False

    def tell(self, path: Path, rows: int) -> None:
        """Show how many rows of a file were read."""
        if time.monotonic() - self._began_s < TELL_AFTER_S or not sys.stderr.isatty():
            return
        self._shown = True
        print(f"\r reading {path.name}: {rows:,} rows\x1b[K", end="", file=sys.stderr, flush=True)

    def done(self) -> None:
        """Take the line away."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def check_prices(spec: ArenaSpec, folder: Path) -> tuple[PriceFacts, ...]:
    """What is in the price files of a specification; nothing if it has none.

    One whose product no account can trade has the reason in `left_out`.

    Args:
        spec: The arena.
        folder: What its paths are relative to.

    Raises:
        UsageError: A file cannot be used, no product can be traded, or the files have no time for
            the contest.
    """
    market, contest = spec.market, spec.competition
    replay = market.source == "replay"
    interval_s = interval_of(spec.arena.interval_s) if replay else 0
    if not market.prices:
        return ()
    found = read_facts([folder / name for name in market.prices], spec.arena.products)
    files = mark_untradable(found, spec.rules.starting_cash)
    ends = [(file.first_s, file.last_s) for file in files if not file.left_out]
    if not replay:
        span_of(ends, start=None, history_s=EXCHANGE_HISTORY_S)
        return files
    start = market.begins_at and market.begins_at.astimezone(UTC)
    span = span_of(ends, start=start, history_s=REPLAY_HISTORY_S)
    if contest is not None:
        snapshots_of(span, interval_s, contest.snapshot_count(spec.arena.interval_s))
    return files


def read_facts(paths: Sequence[Path], products: Sequence[str]) -> tuple[PriceFacts, ...]:
    """What is in some price files; one is in memory at a time.

    Raises:
        UsageError: One cannot be used, or they do not fit the products.
    """
    reading = Reading()
    try:
        return tuple(file.facts for file in read_price_files(paths, products, reading.tell))
    finally:
        reading.done()
