"""An agent's account at each snapshot, from the season's folds. Pure.

As in a season, the state at a snapshot is that before the orders which answer it, at its bids. So
what an executor decides after the snapshot changes nothing, and every judge computes the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from judge.season.accounts_fold import IndexedOrder
from judge.season.arrays import account_arrays, price_arrays
from judge.season.assemble import SeasonFolds
from judge.season.currencies import indexed_accounts, settled_products
from judge.season.openings import currency_of, openings_of
from judge.season.rules_used import rule_sets
from judge.season.snapshot_index import index_orders, unread_index
from judge.season.types import FilledOrder, FloatArray

CASH_DIGITS = 8


@dataclass(frozen=True, slots=True)
class AccountTrack:
    """An account from the first snapshot on.

    Attributes:
        equity: Equity at each snapshot; of several currencies the wealth index.
        cash: Cash at the last snapshot.
        largest: Value of the largest position there.
        amount: Equity at the last snapshot in the main currency; None with several currencies.
    """

    equity: tuple[float, ...]
    cash: float
    largest: float
    amount: Decimal | None


def account_track(folds: SeasonFolds, agent: str, last: int) -> AccountTrack:
    """Return an agent's account up to a snapshot.

    Args:
        folds: The folds of the season.
        agent: Name of the agent.
        last: Index of the snapshot.
    """
    market, accounts = folds.market, folds.accounts
    orders: Sequence[IndexedOrder] = list(accounts.orders.get(agent, ()))
    index_orders(market, orders, whole=False, deleted=folds.deleted)
    fills = [
        order.event
        for order in orders
        if isinstance(order.event, FilledOrder) and order.event.index < last
    ]
    unread = unread_index(last, whole=False, deleted=folds.deleted)
    sets = rule_sets(accounts.rules.values(), market.index, last, unread=unread)
    rules = sets[0] if sets else folds.rules
    openings = openings_of(accounts, agent, rules, folds.rules)
    traded = tuple(sorted({fill.product_id for fill in fills}))
    bids, _ = price_arrays(market.snapshots[: last + 1], traded)
    bids = bids[: last + 1]
    if len(openings) == 1:
        cash, exposure = account_arrays([openings[currency_of(rules)]], [fills], traded, bids)
    else:
        groups = settled_products(traded, list(openings), accounts.settled, frozenset(traded))
        cash, exposure, _ = indexed_accounts([openings], [fills], groups, traded, bids)
    equity = _sum(cash[:, 0], exposure[:, 0, :])
    worth = exposure[last, 0, :]
    return AccountTrack(
        equity=tuple(equity.tolist()),
        cash=float(cash[last, 0]),
        largest=float(worth.max()) if worth.size else 0.0,
        amount=_amount(float(equity[last])) if len(openings) == 1 else None,
    )


def _sum(cash: FloatArray, exposure: FloatArray) -> FloatArray:
    """Add positions to cash, one after the other: a sum in another order may differ in a digit."""
    total = np.array(cash)
    for column in range(exposure.shape[1]):
        total = total + exposure[:, column]
    return total


def _amount(equity: float) -> Decimal:
    return Decimal(f"{equity:.{CASH_DIGITS}f}").normalize() + Decimal(0)
