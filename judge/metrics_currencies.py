"""Amounts of an entry per settlement currency. Pure.

An amount is never converted and never added to one in another currency.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from arena.metrics import trades as trading
from judge.season.types import CurrencyPart, FilledOrder, Season


@dataclass(frozen=True, slots=True)
class CurrencyAmounts:
    """The amounts of one entry in one currency, all of them in it.

    Attributes:
        equity_usd: Equity at the end; the names are those of `judge.metrics.Metrics`.
        traded_usd: Notional of all fills.
    """

    currency: str
    equity_usd: float
    gross_usd: float
    traded_usd: float
    fees_usd: float
    slippage_usd: float
    latency_usd: float
    expectancy_usd: float | None
    biggest_win_usd: float | None
    biggest_loss_usd: float | None
    trades: int


AMOUNT_NAMES = tuple(one.name for one in fields(CurrencyAmounts) if one.name.endswith("_usd"))
"""Fields that are amounts."""


def currency_amounts(season: Season, index: int) -> tuple[CurrencyAmounts, ...]:
    """Return the amounts of an entry in each currency, the main one first.

    A currency in which the entry has no account has zeros.
    """
    if not season.parts:
        own = season.fills[index]
        return (_amounts(season.assumptions.currency, float(season.equity[-1, index]), own),)
    return tuple(
        _amounts(part.currency, float(part.equity[-1, index]), fills_in(season, index, part))
        for part in season.parts
    )


def fills_in(season: Season, index: int, part: CurrencyPart) -> tuple[FilledOrder, ...]:
    """Return the fills of an entry that were settled in a currency."""
    return tuple(fill for fill in season.fills[index] if fill.product_id in part.products)


def _amounts(currency: str, equity: float, fills: Sequence[FilledOrder]) -> CurrencyAmounts:
    profits = np.array([t.profit_usd for t in trading.closed_trades(fills)], dtype=np.float64)
    return CurrencyAmounts(
        currency=currency,
        equity_usd=equity,
        gross_usd=trading.before_costs(equity, fills),
        traded_usd=trading.traded(fills),
        fees_usd=trading.fees(fills),
        slippage_usd=trading.slippage(fills),
        latency_usd=trading.latency_cost(fills),
        expectancy_usd=trading.expectancy(profits),
        biggest_win_usd=trading.biggest_win(profits),
        biggest_loss_usd=trading.biggest_loss(profits),
        trades=len(fills),
    )
