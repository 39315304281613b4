"""Metrics of fills: closed trades at average cost, turnover, and trading costs. Pure.

Every sell closes a trade: the part of the position that it sells. Its profit is after the fees of
both sides, at the average cost of the position, exactly as in `arena.accounts`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from arena.metrics.sharpe import FloatArray
from arena.money import SCALE


class _Fill(Protocol):
    """What these metrics read of a fill; amounts are units of 10^-8.

    Attributes:
        index: Index of the snapshot that it belongs to.
        priced_ms: Venue time of the price, Unix milliseconds.
        realised: Profit of a sell; None for a buy.
        cost_change: Change of the position's cost.
    """

    @property
    def index(self) -> int: ...
    @property
    def order_id(self) -> str: ...
    @property
    def product_id(self) -> str: ...
    @property
    def side(self) -> str: ...
    @property
    def quantity(self) -> int: ...
    @property
    def priced_ms(self) -> int: ...
    @property
    def realised(self) -> int | None: ...
    @property
    def cost_change(self) -> int: ...
    @property
    def notional(self) -> int: ...
    @property
    def fee(self) -> int: ...
    @property
    def slippage(self) -> int: ...
    @property
    def latency_cost(self) -> int: ...


@dataclass(frozen=True, slots=True)
class ClosedTrade:
    """A trade closed by one sell.

    Attributes:
        index: Index of the snapshot of the sell.
        profit_usd: Profit after all fees.
        cost_usd: Cost of the part sold, fees included.
        hold_s: Venue seconds from the quantity-weighted entry to the sell.
    """

    index: int
    order_id: str
    product_id: str
    profit_usd: float
    cost_usd: float
    hold_s: float


def closed_trades(fills: Sequence[_Fill]) -> tuple[ClosedTrade, ...]:
    """Return the closed trades of an entry's fills, in the order of the log.

    A sell without a recorded profit (of a position not bought in these fills) is left out.
    """
    held: dict[str, tuple[int, int]] = {}
    closed: list[ClosedTrade] = []
    for fill in fills:
        quantity, entry_ms = held.get(fill.product_id, (0, fill.priced_ms))
        if fill.side == "buy":
            total = quantity + fill.quantity
            entry_ms = (entry_ms * quantity + fill.priced_ms * fill.quantity) // total
            held[fill.product_id] = (total, entry_ms)
            continue
        held[fill.product_id] = (quantity - fill.quantity, entry_ms)
        if fill.realised is not None:
            closed.append(
                ClosedTrade(
                    index=fill.index,
                    order_id=fill.order_id,
                    product_id=fill.product_id,
                    profit_usd=fill.realised / SCALE,
                    cost_usd=-fill.cost_change / SCALE,
                    hold_s=(fill.priced_ms - entry_ms) / 1000,
                )
            )
    return tuple(closed)


def win_rate(profits: FloatArray) -> float | None:
    """Return the share of closed trades with a profit; None without closed trades."""
    return float(np.mean(profits > 0)) if len(profits) else None


def profit_factor(profits: FloatArray) -> float | None:
    """Return the sum of the profits over the sum of the losses; None without a loss."""
    lost = float(-profits[profits < 0].sum())
    return float(profits[profits > 0].sum()) / lost if lost > 0 else None


def expectancy(profits: FloatArray) -> float | None:
    """Return the mean profit of a closed trade, in cash; None without closed trades."""
    return float(profits.mean()) if len(profits) else None


def biggest_win(profits: FloatArray) -> float | None:
    """Return the largest profit of a closed trade, in cash; None without a profit."""
    return float(profits.max()) if len(profits) and profits.max() > 0 else None


def biggest_loss(profits: FloatArray) -> float | None:
    """Return the largest loss of a closed trade, in cash, below zero; None without a loss."""
    return float(profits.min()) if len(profits) and profits.min() < 0 else None


def average_hold(trades: Sequence[ClosedTrade]) -> float | None:
    """Return the mean holding time of closed trades in venue seconds; None without any."""
    return sum(trade.hold_s for trade in trades) / len(trades) if trades else None


def traded(fills: Sequence[_Fill]) -> float:
    """Return the sum of the notionals, in cash, without fees."""
    return sum(fill.notional for fill in fills) / float(SCALE)


def turnover(notional: float, equity: FloatArray) -> float | None:
    """Return traded notional over mean equity: 2 is the whole account bought and sold once.

    None if the mean equity is not positive.
    """
    mean = float(equity.mean()) if len(equity) else 0.0
    return notional / mean if mean > 0 else None


def fees(fills: Sequence[_Fill]) -> float:
    """Return the fees paid, in cash."""
    return float(sum(fill.fee for fill in fills) / SCALE)


def before_costs(equity_usd: float, fills: Sequence[_Fill]) -> float:
    """Return the equity without the fees and slippage of the same orders.

    It is the last equity plus all fees and slippage. What those amounts would have earned is left
    out, so gross less fees less slippage is the equity, to the step of cash.
    """
    return float(equity_usd + sum(fill.fee + fill.slippage for fill in fills) / SCALE)


def slippage(fills: Sequence[_Fill]) -> float:
    """Return the cash lost against the best prices at the fills."""
    return float(sum(fill.slippage for fill in fills) / SCALE)


def latency_cost(fills: Sequence[_Fill]) -> float:
    """Return the cash lost by price moves between snapshot and fill (< 0: gained).

    Per fill: quantity x (ask used - ask seen) for a buy, quantity x (bid seen - bid used) for a
    sell.
    """
    return float(sum(fill.latency_cost for fill in fills) / SCALE)
