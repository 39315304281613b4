"""The candles of the executor, for limits that are computed from them.

Follows `market.candles` while a limit needs it, and gives the records before the offsets of an
order's snapshot, so that a verdict does not depend on how far this process has read.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Final

from arena.bus.base import Bus
from arena.indicators import Bar
from arena.money import PRICE_DIGITS, PriceUnits
from arena.risk_limits import RiskLimits
from trading_tools.candle_follower import CandleFollower
from trading_tools.candle_store import CandleView, UnknownProduct
from trading_tools.risk.checks import RATE_SCALE, measures_of
from trading_tools.risk.inputs import RiskInputs
from trading_tools.risk.value_at_risk import hourly_closes, value_at_risk

POLL_S: Final = 0.2
"""How often it is looked whether a limit needs candles."""
KEPT_MAX: Final = 8
"""Snapshots whose figures are kept: orders of many agents share them."""


class RiskCandles:
    """Follows candles when limits need them.

    Args:
        bus: The bus; it must be started.
        needed: True while a limit is computed from candles.
    """

    def __init__(self, bus: Bus, needed: Callable[[], bool]) -> None:
        """Create it; nothing is read before `run`."""
        self._bus = bus
        self._needed = needed
        self._follower = CandleFollower(bus)
        self._kept: dict[tuple[tuple[int, int], ...], CandleFigures] = {}

    async def run(self) -> None:
        """Wait until a limit needs candles, then follow them until cancelled."""
        while not self._needed():
            await self._bus.clock.sleep(POLL_S)
        await self._follower.run()

    async def figures(self, offsets: Mapping[int, int], timeout_s: float) -> "CandleFigures | None":
        """The figures of a snapshot, once its candles were read; None if that took too long.

        Args:
            offsets: `ToolCall.candle_offsets`.
            timeout_s: Seconds to wait.
        """
        key = tuple(sorted(offsets.items()))
        if key in self._kept:
            return self._kept[key]
        try:
            async with self._bus.clock.timeout(timeout_s):
                view = await self._follower.view(offsets)
        except TimeoutError:
            return None
        if len(self._kept) >= KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        found = self._kept[key] = CandleFigures(view, offsets)
        return found


class CandleFigures:
    """Figures from the candles of one snapshot, each computed once. Pure.

    Args:
        view: The candles.
        offsets: Partition -> offset before which they are used.
    """

    def __init__(self, view: CandleView, offsets: Mapping[int, int]) -> None:
        """Take the candles of a snapshot."""
        self.offsets = dict(offsets)
        self._view = view
        self._minutes: dict[str, list[Bar]] = {}
        self._closes: dict[str, dict[int, float]] = {}

    def closes(self, product_id: str) -> Mapping[int, float]:
        """Closes of the hours of a product; {} without candles."""
        if product_id not in self._closes:
            self._closes[product_id] = hourly_closes(self._of(product_id), self._view.bar_s)
        return self._closes[product_id]

    def newest_close(self, product_id: str) -> PriceUnits | None:
        """Close of the newest closed minute; None without candles."""
        minutes = self._of(product_id)
        if not minutes:
            return None
        return PriceUnits(int(Decimal(repr(minutes[-1].close)).scaleb(PRICE_DIGITS)))

    def _of(self, product_id: str) -> list[Bar]:
        if product_id not in self._minutes:
            with suppress(UnknownProduct):
                self._minutes[product_id] = self._view.minutes(product_id)
        return self._minutes.get(product_id, [])


def with_candles(inputs: RiskInputs, limits: RiskLimits, candles: CandleFigures) -> RiskInputs:
    """An order's inputs with the figures of candles that its limits need."""
    close = found = None
    if limits.max_price_jump_pct is not None:
        close = candles.newest_close(inputs.product_id)
    if limits.max_var_pct is not None:
        costs = measures_of(inputs)
        found = value_at_risk(
            limits,
            {p: candles.closes(p) for p in {inputs.product_id, *inputs.positions}},
            inputs.positions,
            inputs.product_id,
            mark=inputs.bids.get(inputs.product_id, inputs.price),
            lost=costs.lost,
            rate_scale=RATE_SCALE,
            equity=inputs.equity,
            candle_offsets=candles.offsets,
        )
    return replace(inputs, last_minute_close=close, value_at_risk=found)
