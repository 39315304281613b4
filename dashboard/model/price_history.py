"""The price of a product over the kept snapshots, as bars. Pure.

A bar opens at the bid of the snapshot before it, so that bars of one snapshot each still show how
the price moved. They are bids that agents saw; the venue's candles are in `queries.candles`.
"""

from datetime import UTC, datetime

from arena.money import PriceUnits
from dashboard.model import agent_results
from dashboard.model.queries import UnknownName
from dashboard.model.results import PriceBar, PriceHistory
from dashboard.model.view import ArenaView

BARS_MAX = 160
LENGTHS_S = (
    1, 5, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400, 604_800,
)  # fmt: skip


def price_history(view: ArenaView, product_id: str, bars: int = BARS_MAX) -> PriceHistory:
    """Bars of a product's bids at the kept snapshots, oldest first.

    Args:
        view: The view.
        product_id: Id of the product.
        bars: Most bars.

    Raises:
        UnknownName: No snapshot has a price of this product.
    """
    points = [
        (point.as_of_ms, bid)
        for point in view.snapshots.points
        if (bid := point.bids.get(product_id)) is not None
    ]
    if not points:
        known = ", ".join(products(view)) or "none yet"
        raise UnknownName(f"unknown product {product_id!r}", remedy=f"products: {known}")
    length_s = _length_s((points[-1][0] - points[0][0]) / 1000, len(points), bars)
    buckets: dict[int, list[PriceUnits]] = {}
    for ms, bid in points:
        buckets.setdefault(ms // (length_s * 1000), []).append(bid)
    found, before = [], points[0][1]
    for number, bids in sorted(buckets.items()):
        seen = (before, *bids)
        found.append(
            PriceBar(
                start=datetime.fromtimestamp(number * length_s, UTC),
                open=agent_results.price(before),
                high=agent_results.price(max(seen)),
                low=agent_results.price(min(seen)),
                close=agent_results.price(bids[-1]),
            )
        )
        before = bids[-1]
    return PriceHistory(product_id=product_id, bar_s=length_s, bars=tuple(found))


def products(view: ArenaView) -> tuple[str, ...]:
    """Ids of the products with a price in the newest kept snapshot."""
    return tuple(sorted(view.snapshots.points[-1].bids)) if view.snapshots.points else ()


def _length_s(span_s: float, count: int, bars: int) -> int:
    """The shortest length of a bar that gives no more bars than asked for, nor than snapshots."""
    least = span_s / max(1, min(bars, count))
    return next((s for s in LENGTHS_S if s >= least), LENGTHS_S[-1])
