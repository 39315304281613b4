"""Measures an agent's own trading with the judge's functions (`arena.metrics`). Pure.

Returns are from one closed trade to the next, with positions at cost; the last point of the curve
is the equity at the newest bids. Ratios are per closed trade and are not annualised. Only the
newest fills are known (`arena.trade_history`), and the answer says how many were measured.
"""

from collections.abc import Sequence
from datetime import timedelta

from pydantic import JsonValue

from arena.account_state import Account
from arena.money import SCALE, units_text
from arena.plural import counted
from arena.trade_history import FILLS_REMEMBERED, TradeRow
from trading_tools.account_records import AccountRecords
from trading_tools.context import Answer
from trading_tools.portfolio import duration
from trading_tools.transaction_history import at_of

DIGITS = 6
"""Digits after the point of figures."""

Figures = dict[str, JsonValue]


def performance(records: AccountRecords, window_s: int | None) -> Answer:
    """The answer of `get_performance_metrics`.

    Args:
        records: The account.
        window_s: Seconds of venue time to look back; None for all fills that are remembered.
    """
    begin = None if window_s is None else records.venue_at - timedelta(seconds=window_s)
    parts = []
    for wallet, account in records.accounts():
        rows = [
            row
            for row in records.history
            if row.currency == wallet and (begin is None or at_of(row) >= begin)
        ]
        parts.append((records.unit(wallet), measured(records, account, rows)))
    main, *others = parts
    value: Figures = main[1] | ({"wallets": dict(others)} if others else {})
    span = "all remembered fills" if window_s is None else f"the last {duration(window_s)}"
    lines = [f"Over {span} (of at most {FILLS_REMEMBERED} fills):"]
    lines += [f"{unit}: {_text(figures, unit)}" for unit, figures in parts]
    return Answer("\n".join(lines), value)


def measured(records: AccountRecords, account: Account, rows: Sequence[TradeRow]) -> Figures:
    """The figures of one account; None for what is undefined.

    Args:
        records: Prices.
        account: The account.
        rows: Its fills, oldest first.
    """
    # Loads numpy, which no other part of the executor needs.
    import numpy as np

    from arena.metrics import returns as curve
    from arena.metrics import trades

    closed = [row for row in rows if row.action == "sell"]
    equity = account.equity(records.bids)
    booked = [row.booked for row in closed]
    first = closed[0].booked - closed[0].realised if closed else equity
    values = np.array([first, *booked, equity], dtype=np.float64) / SCALE
    profits = np.array([row.realised for row in closed], dtype=np.float64) / SCALE
    gains = np.diff(np.log(values[: len(booked) + 1])) if np.all(values > 0) else np.array([])
    fall = curve.max_drawdown(values)
    opening = account.opening
    return {
        "equity": units_text(equity),
        "total_return_pct": _rounded((equity - opening) * 100 / opening) if opening else None,
        "fills": len(rows),
        "closed_trades": len(closed),
        "realised": units_text(sum(row.realised for row in closed)),
        "win_rate_pct": _percent(trades.win_rate(profits)),
        "profit_factor": _rounded(trades.profit_factor(profits)),
        "expectancy": _rounded(trades.expectancy(profits)),
        "biggest_win": _rounded(trades.biggest_win(profits)),
        "biggest_loss": _rounded(trades.biggest_loss(profits)),
        "max_drawdown_pct": None if fall is None else _percent(fall.depth),
        "sharpe_per_trade": _rounded(curve.sharpe(gains, 1.0)),
        "sortino_per_trade": _rounded(curve.sortino(gains, 1.0)),
        "fees": units_text(account.fees),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def _percent(share: float | None) -> float | None:
    return None if share is None else _rounded(share * 100)


def _text(figures: Figures, unit: str) -> str:
    def shown(name: str, form: str = "{:.2f}") -> str:
        value = figures[name]
        return "unknown" if value is None else form.format(value)

    def one_of(name: str, none: str) -> str:
        value = figures[name]
        return none if value is None else f"{name.replace('_', ' ')} {value:+.2f}"

    if not figures["closed_trades"]:
        return (
            f"equity {figures['equity']} {unit}, {shown('total_return_pct', '{:+.2f}')} % since the"
            f" start; no closed trade, {counted(int(str(figures['fills'])), 'fill')}; deepest fall"
            f" {shown('max_drawdown_pct')} %; fees so far {figures['fees']} {unit}."
        )
    return (
        f"equity {figures['equity']} {unit}, {shown('total_return_pct', '{:+.2f}')} % since the"
        f" start; {counted(int(str(figures['closed_trades'])), 'closed trade')} of"
        f" {counted(int(str(figures['fills'])), 'fill')}, realised"
        f" {figures['realised']}; win rate {shown('win_rate_pct', '{:.1f}')} %, profit factor"
        f" {shown('profit_factor')}, per trade {shown('expectancy', '{:+.2f}')} {unit},"
        f" {one_of('biggest_win', 'no win')}, {one_of('biggest_loss', 'no loss')}; deepest"
        f" fall {shown('max_drawdown_pct')} %, Sharpe {shown('sharpe_per_trade')} and Sortino"
        f" {shown('sortino_per_trade')} per closed trade; fees so far {figures['fees']} {unit}."
    )
