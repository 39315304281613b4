"""The indicators of a product: the newest values, and how some of them moved. Pure."""

from datetime import datetime
from decimal import Decimal

from arena.messages import ProductView
from arena.money import price_text
from dashboard.model.equity_curves import TRACED, Point, thin
from dashboard.model.results import IndicatorRow, IndicatorRun, IndicatorTraces, IndicatorValues
from dashboard.model.view import ArenaView

POINTS = 300
"""Approximate number of snapshots in a trace."""


def indicator_values(product: ProductView, as_of: datetime) -> IndicatorValues:
    """Every indicator of a product in a snapshot, by granularity."""
    windows = product.indicators
    names = dict.fromkeys(name for window in windows.values() for name in window.values)
    return IndicatorValues(
        product_id=product.product_id,
        as_of=as_of,
        runs=tuple(
            IndicatorRun(granularity=name, since=one.since, bars=one.bars, gap=one.gap)
            for name, one in windows.items()
        ),
        rows=tuple(
            IndicatorRow(
                name=name,
                values={g: one.values[name] for g, one in windows.items() if name in one.values},
            )
            for name in names
        ),
    )


def all_indicator_values(view: ArenaView) -> tuple[IndicatorValues, ...]:
    """The indicators of all products that have some, in the order of the newest snapshot."""
    newest = view.market.newest
    if newest is None:
        return ()
    return tuple(indicator_values(p, newest.as_of) for p in newest.products if p.indicators)


def indicator_traces(view: ArenaView, product_id: str, points: int = POINTS) -> IndicatorTraces:
    """The bid of a product and the indicators of `TRACED` at the kept snapshots, oldest first.

    Args:
        view: The view.
        product_id: Id of the product.
        points: Approximate number of snapshots.
    """
    kept = list(view.snapshots.points)
    first = kept[0].offset if kept else 0
    chosen = thin(kept, first, points)
    return IndicatorTraces(
        product_id=product_id,
        times=tuple(point.as_of_ms for point in chosen),
        bids=tuple(_bid(point, product_id) for point in chosen),
        values={
            name: tuple(_value(point, product_id, place) for point in chosen)
            for place, name in enumerate(TRACED)
        },
    )


def _bid(point: Point, product_id: str) -> Decimal | None:
    bid = point.bids.get(product_id)
    return None if bid is None else Decimal(price_text(bid))


def _value(point: Point, product_id: str, place: int) -> float | None:
    traced = point.traced.get(product_id)
    return None if traced is None else traced[place]
