"""Questions about products, with their candles. Pure."""

from dashboard.model import queries
from dashboard.model.frame import Frame
from dashboard.model.queries import UnknownName
from dashboard.model.results import LatestMarket, Symbols
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
