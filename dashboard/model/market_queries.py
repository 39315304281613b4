"""Questions about products, with their candles. Pure."""

from dashboard.model import queries
from dashboard.model.frame import Frame
from dashboard.model.indicator_values import indicator_values
from dashboard.model.queries import UnknownName
from dashboard.model.results import IndicatorValues, LatestMarket, Symbols
from dashboard.model.view import ArenaView


def symbols(view: ArenaView) -> Symbols:
    """The products that have a price."""
    return Symbols(symbols=tuple(sorted(view.market.marks)))


def latest_market(view: ArenaView, frame: Frame, symbol: str) -> LatestMarket:
    """The newest price of a product, and all of its candles.

    Raises:
        UnknownName: There is no such product.
    """
    prices = (one for one in queries.prices(view, frame).prices if one.product_id == symbol)
    price = next(prices, None)
    if price is None:
        known = ", ".join(symbols(view).symbols) or "none yet"
        raise UnknownName(f"unknown product {symbol!r}", remedy=f"products: {known}")
    newest = view.market.newest
    product = newest.view(symbol) if newest else None
    windows = product.windows if product else {}
    found = (queries.candles(view, symbol, granularity) for granularity in windows)
    return LatestMarket(
        symbol=symbol,
        price=price,
        candles=tuple(sorted(found, key=lambda one: one.granularity_s)),
    )


def indicators(view: ArenaView, product_id: str) -> IndicatorValues:
    """The indicators of a product, as in the newest snapshot.

    Raises:
        UnknownName: The newest snapshot has no such product.
    """
    newest = view.market.newest
    product = newest.view(product_id) if newest else None
    if newest is None or product is None:
        known = ", ".join(one.product_id for one in newest.products) if newest else "none yet"
        raise UnknownName(f"unknown product {product_id!r}", remedy=f"products: {known}")
    return indicator_values(product, newest.as_of)
