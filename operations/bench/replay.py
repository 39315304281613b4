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
ROUNDS: Final = 3
"""Each figure is the best of so many rounds: other processes only take from it."""
PUBLISHED_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)


def replay_figures(bars: int = BARS, rounds: int = ROUNDS) -> dict[str, Any]:  # Any: for JSON
    """Measure replays of three products.

    Args:
        bars: Candles of each product.
        rounds: Number of rounds.

    Returns:
        `bars_per_s` by candles from snapshot to snapshot; `grown_blocks`, the blocks of memory
        that the second half of a replay adds.
    """
    each_round = range(rounds)
    found = {
        interval: max(_bars_per_s(bars // (1 if interval > 1 else 4), interval) for _ in each_round)
        for interval in INTERVALS
    }
    return {
        "products": PRODUCTS,
        "bars": bars,
        "bars_per_s": {str(interval): round(per_s) for interval, per_s in found.items()},
        "grown_blocks": _grown_blocks(bars),
    }


# Any: a room's class, `connectors.market.lockstep.snapshot_replay.SnapshotReplay`.
def _replay(bars: int, interval: int) -> Any:
    return importlib.import_module(ROOM).benchmark_replay(PRODUCTS, bars, interval)


def _bars_per_s(bars: int, interval: int) -> float:
    replay = _replay(bars, interval)
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
