"""Folds `market.candles` into the indicators of each product. Pure.

The connector folds what it appends, and every reader may fold the same records: up to the
`candle_offsets` of a snapshot they give the indicators in it.
"""

from arena.indicators.feature_sets import FeatureSet
from arena.indicators.product_indicators import ProductIndicators
from arena.messages import ClosedCandle, IndicatorWindow


class CandleFold:
    """The indicators of several products.

    Args:
        features: The indicators to compute.
    """

    def __init__(self, features: FeatureSet) -> None:
        """Start without candles."""
        self._features = features
        self._products: dict[str, ProductIndicators] = {}
        self._rewinds: dict[str, int] = {}

    def take(self, message: ClosedCandle) -> None:
        """Fold a record; those of an earlier market, or before a restart, do not count.

        Args:
            message: Records must come in the order of the log.
        """
        product_id = message.product_id
        known = self._rewinds.get(product_id, -1)
        if message.rewinds > known or (message.restarts and message.rewinds == known):
            self._rewinds[product_id] = message.rewinds
            self._products[product_id] = ProductIndicators(self._features, message.granularity_s)
        if message.rewinds >= known:
            self._products[product_id].take(message.candle)

    def windows(self, product_id: str) -> dict[str, IndicatorWindow]:
        """The indicators of a product by granularity; empty before its first candle."""
        found = self._products.get(product_id)
        return {} if found is None else found.windows()
