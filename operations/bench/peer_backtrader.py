"""One run of backtrader, for `operations.bench.peers`: a crossing of two averages, bar by bar.

A script of its own, in an environment that has backtrader: `python peer_backtrader.py FILE`. Prints
JSON. Imports nothing of the arena.
"""

import json
import sys
import time
from importlib import import_module
from typing import Any

FAST, SLOW = 10, 20


def run(path: str) -> dict[str, Any]:  # Any: for JSON
    """Play a file of minutes.

    Args:
        path: CSV with a header, and columns ts (Unix seconds), open, high, low, close, volume.
    """
    bt = import_module("backtrader")
    counts = {"bars": 0, "orders": 0}

    base: Any = bt.Strategy  # Any: a class of an optional library

    class Cross(base):  # type: ignore[misc]  # as above
        """Buys when the fast average crosses above the slow one, and sells when it falls below."""

        def __init__(self) -> None:
            self.fast = bt.indicators.EMA(period=FAST)
            self.slow = bt.indicators.EMA(period=SLOW)

        def prenext(self) -> None:
            """Count a bar before the averages are known."""
            counts["bars"] += 1

        def next(self) -> None:
            """Decide on a bar."""
            counts["bars"] += 1
            if self.fast[0] > self.slow[0] and not self.position:
                counts["orders"] += 1
                self.buy(size=1)
            elif self.fast[0] < self.slow[0] and self.position:
                counts["orders"] += 1
                self.sell(size=1)

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.broker.setcash(100_000_000)
    cerebro.addstrategy(Cross)
    data = bt.feeds.GenericCSVData(
        dataname=path,
        dtformat=1,
        timeframe=bt.TimeFrame.Minutes,
        openinterest=-1,
    )
    cerebro.adddata(data)
    began_s = time.process_time()
    cerebro.run()
    return {**counts, "cpu_s": time.process_time() - began_s, "version": bt.__version__}


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1])))
