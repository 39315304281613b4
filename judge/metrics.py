"""All metrics of an entry of a season. Pure.

The functions are in `arena.metrics` (curves, fills, exposure), `metrics_currencies` (amounts per
currency) and `metrics_conduct` (decisions, model cost). An undefined metric
is None, with a reason in `Metrics.reasons`.
"""

from dataclasses import asdict, dataclass
from decimal import Decimal

import numpy as np

from arena.metrics import exposure as holdings
from arena.metrics import returns as curve
from arena.metrics import trades as trading
from arena.metrics.sharpe import sharpe_scale
from judge import metrics_conduct as conduct
from judge.metrics_currencies import AMOUNT_NAMES, CurrencyAmounts, currency_amounts
from judge.season.types import Season

WHY_NONE = {
    "total_return": "no period yet, or nothing to begin with",
    "gross_return": "no period yet, or nothing to begin with",
    "total_log_return": "no period yet",
    "mean_log_return": "no period yet",
    "annual_return": "a season of under 30 days says nothing about a year",
    "volatility": "fewer than two periods",
    "sharpe": "fewer than two periods, or the equity never moved",
    "sortino": "no period with a loss",
    "calmar": "the equity never fell, or the season is under 30 days",
    "max_drawdown": "no mark yet",
    "drawdown_periods": "no mark yet",
    "skewness": "fewer than two periods, or the equity never moved",
    "excess_kurtosis": "fewer than two periods, or the equity never moved",
    "excess_return": "no period yet, or nothing to begin with",
    "exposure": "no equity",
    "time_in_market": "no mark yet",
    "leverage": "no equity",
    "cash_ratio": "no equity",
    "concentration": "nothing was ever held",
    "turnover": "no equity",
    "win_rate": "no trade was closed",
    "profit_factor": "no closed trade lost",
    "expectancy_usd": "no trade was closed",
    "average_hold_s": "no trade was closed",
    "biggest_win_usd": "no closed trade won",
    "biggest_loss_usd": "no closed trade lost",
    "llm_usd": "the price of a model call is unknown",
    "llm_paid_usd": "the price of a model call is unknown",
    "net_return": "the price of a model call is unknown, accounts hold no dollars, or there is no "
    "period yet",
    "usd_per_decision": "the price of a model call is unknown, or nothing was decided",
    "invalid_rate": "nothing was decided",
    "hold_share": "nothing was decided",
    "decision_ms": "nothing was decided, or no time was measured: a backtest measures none",
    "model_ms": "nothing was decided, or no time was measured: a backtest measures none",
}
"""Metric -> why it can be None."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """The figures of one entry. Returns, rates and ratios are plain numbers: 0.02 is 2 %.

    If accounts hold several currencies, returns and ratios are of the wealth index
    (`judge.season.currencies`), amounts are in the main currency, and `wallets` has the others.

    Attributes:
        equity_usd: Equity at the end.
        gross_usd: Equity without fees and slippage: equity_usd + fees_usd + slippage_usd.
        gross_return, total_return, net_return: Simple returns over the season: of gross_usd, of
            equity_usd, and of equity_usd less the model cost.
        excess_return: total_return less that of the equal-weight market (`Season.hold`).
        volatility, sharpe, sortino: From log returns; annualised, or per period in a season under
            30 days (`arena.metrics.sharpe`).
        annual_return, calmar: From equity.
        max_drawdown: Largest share lost, >= 0.
        drawdown_periods: Periods from its peak to its end.
        exposure: Mean share of the equity in positions.
        leverage: Largest share of the equity in positions.
        cash_ratio: Mean share of the equity in cash.
        turnover: Traded notional over mean equity.
        trades: Number of fills.
        closed: Number of sells.
        rejected: Number of rejected orders.
        latency_usd: Loss against the price seen; < 0 is a gain.
        llm_usd: Cost of all model calls.
        llm_paid_usd: Cost of the calls that were not replayed.
        decisions: Turns that ran to their end.
        aborted: Turns cut off by the end of their router, as when a contest is stopped and resumed;
            every turn is in one of the two.
        decision_ms, model_ms: Mean wall times of the arena.
        reasons: Metric -> why it is None.
        wallets: Amounts in further currencies; () with one currency.
    """

    equity_usd: float
    gross_usd: float
    gross_return: float | None
    total_return: float | None
    total_log_return: float | None
    mean_log_return: float | None
    annual_return: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    max_drawdown: float | None
    drawdown_periods: int | None
    skewness: float | None
    excess_kurtosis: float | None
    excess_return: float | None
    exposure: float | None
    time_in_market: float | None
    leverage: float | None
    cash_ratio: float | None
    concentration: float | None
    turnover: float | None
    trades: int
    closed: int
    rejected: int
    win_rate: float | None
    profit_factor: float | None
    expectancy_usd: float | None
    average_hold_s: float | None
    biggest_win_usd: float | None
    biggest_loss_usd: float | None
    fees_usd: float
    slippage_usd: float
    latency_usd: float
    llm_usd: Decimal | None
    llm_paid_usd: Decimal | None
    net_return: float | None
    usd_per_decision: float | None
    decisions: int
    aborted: int
    skipped: int
    invalid_rate: float | None
    hold_share: float | None
    decision_ms: float | None
    model_ms: float | None
    tokens: int
    reasons: dict[str, str]
    wallets: tuple[CurrencyAmounts, ...] = ()


def measure(season: Season, index: int) -> Metrics:
    """Return all metrics of one entry.

    Args:
        season: The season.
        index: Index of the entry.
    """
    main, *wallets = currency_amounts(season, index)
    found: dict[str, float | Decimal | None] = {
        **_of_curve(season, index),
        **_of_trades(season, index),
        **_of_conduct(season, index),
        **{name: getattr(main, name) for name in AMOUNT_NAMES if name != "traded_usd"},
    }
    reasons = {name: WHY_NONE[name] for name, value in found.items() if value is None}
    # The keys are the fields; a test measures a season and reads each of them.
    return Metrics(**found, reasons=reasons, wallets=tuple(wallets))  # type: ignore[arg-type]


def as_columns(metrics: Metrics) -> dict[str, float | int | str | None]:
    """Return the figures as a flat row: exact amounts as text, without reasons.

    Amounts in a further currency have its name in place of "usd": `equity_USDT`.
    """
    row = asdict(metrics)
    del row["reasons"], row["wallets"]
    for one in metrics.wallets:
        stems = {name: name.removesuffix("_usd") for name in AMOUNT_NAMES}
        row |= {f"{stem}_{one.currency}": getattr(one, name) for name, stem in stems.items()}
    return {k: format(v, "f") if isinstance(v, Decimal) else v for k, v in row.items()}


def _of_curve(season: Season, index: int) -> dict[str, float | Decimal | None]:
    equity, exposure = season.equity[:, index], season.exposure[:, index]
    returns, year = season.log_returns()[:, index], season.periods_per_year
    fall = curve.max_drawdown(equity)
    scale, unit = sharpe_scale(season.interval_s, len(returns))
    lasting = unit == "year"
    gross = float(equity[-1] + season.worth(index, lambda fill: fill.fee + fill.slippage))
    total, hold = curve.total_return(equity), curve.total_return(season.hold)
    return {
        "gross_return": None if total is None else gross / float(equity[0]) - 1,
        "total_return": total,
        "total_log_return": curve.total_log_return(returns),
        "mean_log_return": curve.mean_log_return(returns),
        "annual_return": curve.annual_return(equity, year) if lasting else None,
        "volatility": curve.volatility(returns, scale),
        "sharpe": curve.sharpe(returns, scale),
        "sortino": curve.sortino(returns, scale),
        "calmar": curve.calmar(equity, year) if lasting else None,
        "max_drawdown": None if fall is None else fall.depth,
        "drawdown_periods": None if fall is None else fall.periods,
        "skewness": curve.skewness(returns),
        "excess_kurtosis": curve.excess_kurtosis(returns),
        "excess_return": None if total is None or hold is None else total - hold,
        "exposure": holdings.mean_exposure(exposure, equity),
        "time_in_market": holdings.time_in_market(exposure),
        "leverage": holdings.max_leverage(exposure, equity),
        "cash_ratio": holdings.cash_ratio(season.cash[:, index], equity),
        "concentration": holdings.concentration(exposure),
    }


def _of_trades(season: Season, index: int) -> dict[str, float | Decimal | None]:
    fills = season.fills[index]
    closed = trading.closed_trades(fills)
    profits = np.array(
        [trade.profit_usd * season.per_unit(index, trade.product_id) for trade in closed],
        dtype=np.float64,
    )
    traded = season.worth(index, lambda fill: fill.notional)
    return {
        "turnover": trading.turnover(traded, season.equity[:, index]),
        "trades": len(fills),
        "closed": len(closed),
        "rejected": len(season.rejections[index]),
        "win_rate": trading.win_rate(profits),
        "profit_factor": trading.profit_factor(profits),
        "average_hold_s": trading.average_hold(closed),
    }


def _of_conduct(season: Season, index: int) -> dict[str, float | Decimal | None]:
    decisions, spend = season.decisions[index], season.llm[index]
    count = conduct.made(decisions)
    cost = conduct.llm_cost(spend, decisions)
    dollars = None if cost is None else float(cost)
    paid = _paid(season, index, dollars)
    ended = [one for one in decisions if one.outcome != "aborted"]
    return {
        "llm_usd": cost,
        "llm_paid_usd": None if cost is None else spend.paid_usd,
        "net_return": conduct.net_return(season.equity[:, index], paid),
        "usd_per_decision": dollars / count if dollars is not None and count else None,
        "decisions": count,
        "aborted": len(decisions) - count,
        "skipped": sum(one.skipped for one in decisions),
        "invalid_rate": conduct.invalid_rate(decisions),
        "hold_share": conduct.hold_share(decisions),
        "decision_ms": conduct.mean_ms([one.total_ms for one in ended]),
        "model_ms": conduct.mean_ms([one.model_ms for one in ended]),
        "tokens": spend.prompt_tokens + spend.completion_tokens,
    }


def _paid(season: Season, index: int, dollars: float | None) -> float | None:
    """Return a model cost in the unit of equity; None if it, or a currency to pay, is unknown."""
    if not dollars:
        return dollars
    unit = season.assumptions.model_currency
    if not season.parts or unit is None:
        return dollars if unit is not None else None
    part = next((one for one in season.parts if one.currency == unit), None)
    rate = 0.0 if part is None else float(part.per_unit[index])
    return dollars * rate if rate else None
