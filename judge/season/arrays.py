"""The arrays of a season: prices, accounts at each snapshot, the equal-weight market. Pure."""

from collections.abc import Sequence

import numpy as np

from arena.money import PRICE_SCALE, SCALE
from judge.season.market import Point
from judge.season.model import Fill, FloatArray


def price_arrays(
    points: Sequence[Point], products: tuple[str, ...]
) -> tuple[FloatArray, FloatArray]:
    """Best bids and asks, [T+1, P]: a missing quote is the one before, NaN before the first."""
    rows = len(points) + 1
    bids = np.full((rows, len(products)), np.nan)
    asks = np.full((rows, len(products)), np.nan)
    for column, product in enumerate(products):
        bid = ask = np.nan
        for row, point in enumerate(points):
            if (quote := point.quotes.get(product)) is not None:
                bid, ask = quote[0] / PRICE_SCALE, quote[1] / PRICE_SCALE
            bids[row, column], asks[row, column] = bid, ask
        bids[-1, column], asks[-1, column] = bid, ask
    return bids, asks


def account_arrays(
    openings: Sequence[int],
    fills: Sequence[Sequence[Fill]],
    products: tuple[str, ...],
    bids: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Cash [T+1, N] and the value of each position [T+1, N, P], in cash.

    Args:
        openings: Starting cash of each entry in units of 10^-8.
        fills: Of each entry; their sums are exact, whatever the order.
        products: Of the last axis; every filled one is among them.
        bids: [T+1, P]; a position without a bid is worth what it cost.
    """
    rows = len(bids)
    cash = np.empty((rows, len(openings)))
    exposure = np.zeros((rows, len(openings), len(products)))
    columns = {product: column for column, product in enumerate(products)}
    for entry, (opening, own) in enumerate(zip(openings, fills, strict=True)):
        cash[:, entry] = _levels(opening, [(f.index, f.cash_change) for f in own], rows)
        for product in {f.product_id for f in own}:
            of_it = [f for f in own if f.product_id == product]
            held = _levels(0, [(f.index, f.quantity_change) for f in of_it], rows)
            cost = _levels(0, [(f.index, f.cost_change) for f in of_it], rows)
            bid = bids[:, columns[product]]
            value = np.where(np.isnan(bid), cost, held * np.nan_to_num(bid))
            exposure[:, entry, columns[product]] = value
    return cash, exposure


def _levels(start: int, changes: list[tuple[int, int]], rows: int) -> FloatArray:
    """A running sum at each row; a change at index i shows from row i + 1 on.

    The sums are taken of whole numbers, so the order of changes does not matter to the last bit.
    """
    indexes: list[int] = []
    levels = [start / SCALE]
    running = start
    for index, change in sorted(changes, key=lambda pair: pair[0]):
        running += change
        if indexes and indexes[-1] == index:
            levels[-1] = running / SCALE
        else:
            indexes.append(index)
            levels.append(running / SCALE)
    return np.array(levels)[np.searchsorted(indexes, np.arange(rows), side="left")]


def hold_curve(
    cash: int, bids: FloatArray, asks: FloatArray, fee: float, slippage: float
) -> FloatArray:
    """Cash of the equal-weight market, [T+1]: an index, beside which every agent is shown.

    An equal share of the cash buys each product at the ask of the first snapshot that has one,
    moved by the slippage, with the fee paid out of the share; it is then marked at the bid, and
    worth its cost before the first one. Row t is the value before the purchase at snapshot t, as
    for every account.

    Args:
        cash: Starting cash in units of 10^-8.
        bids: [T+1, P].
        asks: [T+1, P].
        fee: Share of the notional.
        slippage: Share of the price.
    """
    rows, count = bids.shape
    if not count:
        return np.full(rows, cash / SCALE)
    share = cash / SCALE / count
    value = np.zeros(rows)
    for column in range(count):
        known = np.flatnonzero(~np.isnan(asks[:, column]))
        worth = np.full(rows, share)
        if known.size:
            first = int(known[0])
            quantity = share / (asks[first, column] * (1 + slippage)) / (1 + fee)
            marks = bids[first + 1 :, column]
            worth[first + 1 :] = np.where(np.isnan(marks), share, quantity * marks)
        value += worth
    return value
