"""Measures how fast a replay of candles goes where no agent is due: bars per second of CPU.

A bar is a row of one product. Its candle, the tickers and the snapshots are made; nothing is
appended to a broker. Needs no broker.
"""

import gc
import importlib
import sys
import time
from datetime import UTC, datetime
from typing import Any, Final

ROOM: Final = "connectors.market.lockstep.benchmark_replay"
PRODUCTS: Final = 3
BARS: Final = 20_000
INTERVALS: Final = (60, 5, 1)
"""Candles from snapshot to snapshot."""
SEEDED_PARTS: Final = {"whole": 4, "steps": 8}
"""The way seeded bars are played -> the share of `BARS` that is played: they are slower."""
ROUNDS: Final = 3
"""Each figure is the best of so many rounds: other processes only take from it."""
PUBLISHED_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)


def replay_figures(bars: int = BARS, rounds: int = ROUNDS) -> dict[str, Any]:  # Any: for JSON
    """Measure replays of three products.

    Args:
        bars: Candles of each product.
        rounds: Number of rounds.

    Returns:
        `bars_per_s` by candles from snapshot to snapshot; `seeded_bars_per_s`, the same of seeded
        prices at the first interval, whole and in steps; `grown_blocks`, the blocks of memory
        that the second half of a replay adds.
    """
    each_round = range(rounds)
    found = {
        interval: max(
            _bars_per_s(_replay(bars // (1 if interval > 1 else 4), interval)) for _ in each_round
        )
        for interval in INTERVALS
    }
    seeded = {
        way: max(_bars_per_s(_seeded(bars // part, whole=way == "whole")) for _ in each_round)
        for way, part in SEEDED_PARTS.items()
    }
    return {
        "products": PRODUCTS,
        "bars": bars,
        "bars_per_s": {str(interval): round(per_s) for interval, per_s in found.items()},
        "seeded_bars_per_s": {name: round(per_s) for name, per_s in seeded.items()},
        "grown_blocks": _grown_blocks(bars),
    }


# Any: a room's class, `connectors.market.lockstep.snapshot_replay.SnapshotReplay`.
def _replay(bars: int, interval: int) -> Any:
    return importlib.import_module(ROOM).benchmark_replay(PRODUCTS, bars, interval)


def _seeded(bars: int, *, whole: bool) -> Any:  # Any: as above
    room = importlib.import_module(ROOM)
    return room.seeded_replay(PRODUCTS, bars, INTERVALS[0], whole_bars=whole)


def _bars_per_s(replay: Any) -> float:  # Any: as above
    replay.take_candles()
    gc.collect()
    began_s, played = time.process_time(), 0
    while replay.index + 1 < replay.total:
        played += _step(replay)
    return played / (time.process_time() - began_s)


def _step(replay: Any) -> int:  # Any: as above
    """Play to the next snapshot and make it; the number of bars."""
    replay.step()
    closed = len(replay.take_candles())
    replay.snapshot({}, PUBLISHED_AT)
    return closed


def _grown_blocks(bars: int) -> int:
    """Blocks of memory that the second half of a replay adds; its books are full before it."""
    replay = _replay(bars, INTERVALS[0])
    while replay.index < replay.total // 2:
        _step(replay)
    gc.collect()
    before = sys.getallocatedblocks()
    while replay.index + 1 < replay.total:
        _step(replay)
    gc.collect()
    return sys.getallocatedblocks() - before
