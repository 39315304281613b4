"""A price path that ends at a venue time, as if no later data existed. Pure.

`arena backtest lookahead` plays a market twice, once so, and compares what was known before.
"""

from connectors.simulator.listing import ListedProduct
from connectors.simulator.price_path import PricePath, Tick, WholeBar


class HiddenFuture:
    """A price path without what comes after a time.

    Args:
        price_path: The path.
        from_s: Unix seconds, a multiple of the bar's length. The open of the bar that begins then
            is known at that moment; nothing else of it is.
    """

    def __init__(self, price_path: PricePath, from_s: int) -> None:
        """Take the path and the time at which it ends."""
        self._price_path = price_path
        self._from_s = from_s

    @property
    def product(self) -> ListedProduct:
        """The product that is priced."""
        return self._price_path.product

    def step(self, at_s: int) -> Tick | None:
        """The tick of a step before the end; None from there on."""
        return self._price_path.step(at_s) if at_s < self._from_s else None

    def open_tick(self, at_s: int) -> Tick | None:
        """The start of a bar that begins up to the end; None after it."""
        return self._price_path.open_tick(at_s) if at_s <= self._from_s else None

    def whole_bar(self, at_s: int) -> WholeBar | None:
        """The steps of a bar before the end together; None from there on: they have no ticks."""
        return self._price_path.whole_bar(at_s) if at_s < self._from_s else None

    def take_bar(self, at_s: int, bar: WholeBar) -> None:
        """Move on by a bar before the end."""
        self._price_path.take_bar(at_s, bar)

    @property
    def last(self) -> Tick | None:
        """The newest tick of a step."""
        return self._price_path.last

    def has_bar(self, at_s: int) -> bool:
        """True if the path has prices for a bar before the end."""
        return at_s < self._from_s and self._price_path.has_bar(at_s)
