"""One run of nautilus_trader, for `operations.bench.peers`: a crossing of two averages in Python.

A script of its own, in an environment that has nautilus_trader: `python peer_nautilus.py FILE`.
Prints JSON. Imports nothing of the arena.
"""

import csv
import json
import sys
import time
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

FAST, SLOW = 10, 20
BAR_TYPE = "BTCUSDT.BINANCE-1-MINUTE-LAST-EXTERNAL"
NANOSECONDS = 1_000_000_000
SIZE = Decimal("0.5")


def run(path: str) -> dict[str, Any]:  # Any: for JSON
    """Play a file of minutes; reading it is not counted.

    Args:
        path: CSV with a header, and columns ts (Unix seconds), open, high, low, close, volume.
    """
    package = import_module("nautilus_trader")
    engines = import_module("nautilus_trader.backtest.engine")
    config = import_module("nautilus_trader.config")
    model = import_module("nautilus_trader.model")
    enums = import_module("nautilus_trader.model.enums")
    indicators = import_module("nautilus_trader.indicators")
    strategies = import_module("nautilus_trader.trading.strategy")
    kit = import_module("nautilus_trader.test_kit.providers")
    counts = {"bars": 0, "orders": 0}
    instrument = kit.TestInstrumentProvider.btcusdt_binance()
    bar_type = model.BarType.from_str(BAR_TYPE)

    base: Any = strategies.Strategy  # Any: a class of an optional library

    class Cross(base):  # type: ignore[misc]  # as above
        """Buys when the fast average crosses above the slow one, and sells when it falls below."""

        def on_start(self) -> None:
            """Subscribe to the bars."""
            self.fast = indicators.ExponentialMovingAverage(FAST)
            self.slow = indicators.ExponentialMovingAverage(SLOW)
            self.register_indicator_for_bars(bar_type, self.fast)
            self.register_indicator_for_bars(bar_type, self.slow)
            self.subscribe_bars(bar_type)

        def on_bar(self, bar: object) -> None:
            """Decide on a bar."""
            counts["bars"] += 1
            if not self.indicators_initialized():
                return
            is_flat = self.portfolio.is_flat(instrument.id)
            if self.fast.value > self.slow.value and is_flat:
                self.send(enums.OrderSide.BUY)
            elif self.fast.value < self.slow.value and not is_flat:
                self.send(enums.OrderSide.SELL)

        def send(self, side: object) -> None:
            """Send a market order."""
            counts["orders"] += 1
            quantity = instrument.make_qty(SIZE)
            self.submit_order(self.order_factory.market(instrument.id, side, quantity))

    logging = config.LoggingConfig(bypass_logging=True)
    engine = engines.BacktestEngine(config=engines.BacktestEngineConfig(logging=logging))
    engine.add_venue(
        venue=model.Venue("BINANCE"),
        oms_type=enums.OmsType.NETTING,
        account_type=enums.AccountType.CASH,
        base_currency=None,
        starting_balances=[model.Money(100_000_000, model.currencies.USDT)],
    )
    engine.add_instrument(instrument)
    engine.add_data(_bars(model, instrument, bar_type, path))
    engine.add_strategy(Cross(config.StrategyConfig()))
    began_s = time.process_time()
    engine.run()
    return {**counts, "cpu_s": time.process_time() - began_s, "version": package.__version__}


# Any: classes of an optional library.
def _bars(model: Any, instrument: Any, bar_type: Any, path: str) -> list[Any]:
    bars = []
    with Path(path).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            at_ns = (int(row["ts"]) + 60) * NANOSECONDS
            prices = [
                instrument.make_price(Decimal(row[name]))
                for name in ("open", "high", "low", "close")
            ]
            volume = instrument.make_qty(Decimal(row["volume"]))
            bars.append(model.Bar(bar_type, *prices, volume, at_ns, at_ns))
    return bars


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1])))
