"""The arrays of a season: prices, accounts at each snapshot, the equal-weight market. Pure."""

from collections.abc import Sequence

import numpy as np

from arena.money import PRICE_SCALE, SCALE
from judge.season.market_fold import SnapshotQuotes
from judge.season.types import FilledOrder, FloatArray


def price_arrays(
    snapshots: Sequence[SnapshotQuotes], products: tuple[str, ...]
) -> tuple[FloatArray, FloatArray]:
    """Return best bids and asks, [T+1, P]; a missing quote repeats the last one, NaN before any."""
    rows = len(snapshots) + 1
    bids = np.full((rows, len(products)), np.nan)
    asks = np.full((rows, len(products)), np.nan)
    for column, product in enumerate(products):
        bid = ask = np.nan
        for row, snapshot in enumerate(snapshots):
            if (quote := snapshot.quotes.get(product)) is not None:
                bid, ask = quote[0] / PRICE_SCALE, quote[1] / PRICE_SCALE
            bids[row, column], asks[row, column] = bid, ask
        bids[-1, column], asks[-1, column] = bid, ask
    return bids, asks


def account_arrays(
    starting_cash: Sequence[int],
    fills: Sequence[Sequence[FilledOrder]],
    products: tuple[str, ...],
    bids: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return cash [T+1, N] and the value of each position [T+1, N, P], in cash.

    Args:
        starting_cash: Starting cash of each entry in units of 10^-8.
        fills: Filled orders of each entry; sums are exact, whatever the order.
        products: Products of the last axis; must include every filled one.
        bids: [T+1, P]; a position without a bid is valued at its cost.
    """
    rows = len(bids)
    cash = np.empty((rows, len(starting_cash)))
    exposure = np.zeros((rows, len(starting_cash), len(products)))
    columns = {product: column for column, product in enumerate(products)}
    for entry, (opening, own) in enumerate(zip(starting_cash, fills, strict=True)):
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
    """Return a running sum at each row; a change at index i appears from row i + 1.

    The sums are of integers, so the order of changes does not affect any digit.
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
    """Return the value of the equal-weight market, [T+1]: an index that agents are compared with.

    An equal share of the cash buys each product at the first ask of the season plus slippage; the
    fee is paid out of the share. The position is marked at the bid, or at its cost before the first
    bid. As for every account, row t is the value before the purchase at snapshot t.

    Args:
        cash: Starting cash in units of 10^-8.
        bids: Best bids [T+1, P].
        asks: Best asks [T+1, P].
        fee: Fee as a share of the notional.
        slippage: Slippage as a share of the price.
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
