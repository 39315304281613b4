"""The last rows of products that this process has no price of, from the newest snapshot. Pure.

A connector that starts while a venue is down has none of its prices. Its snapshots nevertheless
have the venue's products, as if the process had run all the time: as stale rows with the last
ticker and candles, whose age grows until this process has a price of its own.
"""

from collections.abc import Container, Iterable
from datetime import datetime

from arena.messages import MarketSnapshot, ProductView, Ticker
from connectors.market.candles import CandleBook


class EarlierViews:
    """The rows of the newest snapshot in the log, without the products that have a price again.

    Args:
        snapshot: The newest snapshot; None if there is none.
        wanted: Ids of the configured products; other rows are left out.
        now: Wall time.
        now_s: Monotonic seconds.

    Attributes:
        views: Product id -> its row.
        books: Product id -> its candles.
        tickers: Product id -> its last ticker.
        ticker_offsets: Partition of `market.tickers` -> offset after the last of these tickers.
    """

    def __init__(
        self,
        snapshot: MarketSnapshot | None = None,
        wanted: Container[str] = (),
        *,
        now: datetime | None = None,
        now_s: float = 0.0,
    ) -> None:
        """Take the rows of the configured products."""
        found = () if snapshot is None else snapshot.products
        self.views = {view.product_id: view for view in found if view.product_id in wanted}
        self.books = {product_id: _book_of(view) for product_id, view in self.views.items()}
        self.tickers: dict[str, Ticker] = {
            product_id: view.ticker
            for product_id, view in self.views.items()
            if view.ticker is not None
        }
        self.ticker_offsets = {} if snapshot is None else dict(snapshot.ticker_offsets)
        elapsed_s = 0.0
        if snapshot is not None and now is not None:
            elapsed_s = max(0.0, (now - snapshot.published_at).total_seconds())
        self._published_s = now_s - elapsed_s

    def __contains__(self, product_id: str) -> bool:
        return product_id in self.views

    def age_s(self, product_id: str, now_s: float) -> float | None:
        """Seconds since a product's price was last confirmed; None if it never was.

        Args:
            product_id: Id of one of these products.
            now_s: Monotonic seconds.
        """
        age_ms = self.views[product_id].age_ms
        return None if age_ms is None else age_ms / 1000 + now_s - self._published_s

    def drop(self, product_ids: Iterable[str]) -> None:
        """Leave out products that this process has prices of."""
        for product_id in product_ids:
            self.views.pop(product_id, None)
            self.books.pop(product_id, None)
            self.tickers.pop(product_id, None)


def _book_of(view: ProductView) -> CandleBook:
    """The candles of a row; as time advances they move to coarser windows, as others do."""
    book = CandleBook()
    for window in view.windows.values():
        for candle in window.candles:
            book.keep(candle)
    return book
