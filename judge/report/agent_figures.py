"""The figures in each agent's section of the report, as text. Pure."""

from arena.currency import cash_digits
from judge.metrics import Metrics
from judge.report import formats
from judge.verdict_text import MARKET


def agent_figures(found: Metrics, unit: str, currency: str) -> tuple[tuple[str, str], ...]:
    """Return label and text of each figure of an entry, amounts with their currency.

    Args:
        found: Metrics of the entry.
        unit: Unit of Sharpe ratios: "year" or "period".
        currency: Currency of the main account.
    """
    return (*_main_figures(found, unit, currency), *_wallet_figures(found))


def _main_figures(found: Metrics, unit: str, currency: str) -> tuple[tuple[str, str], ...]:
    digits = cash_digits(currency)
    of_main = f", {currency}" if found.wallets else ""
    periods = formats.UNKNOWN if found.drawdown_periods is None else f"{found.drawdown_periods:,}"
    return (
        (f"equity, {currency}", formats.money(found.equity_usd, digits)),
        (f"over the {MARKET}", formats.change(found.excess_return)),
        (f"volatility a {unit}", formats.share(found.volatility, 1 if unit == "year" else 3)),
        (f"Sortino a {unit}", formats.number(found.sortino, 2 if unit == "year" else 3)),
        ("Calmar", formats.number(found.calmar)),
        ("max drawdown", f"{formats.share(found.max_drawdown)} over {periods} periods"),
        ("exposure, mean", formats.share(found.exposure)),
        ("leverage, most", formats.number(found.leverage)),
        ("cash, mean", formats.share(found.cash_ratio)),
        ("concentration", formats.number(found.concentration)),
        ("turnover", formats.number(found.turnover)),
        ("win rate", formats.share(found.win_rate)),
        ("profit factor", formats.number(found.profit_factor)),
        (f"expectancy, {currency}", formats.gain(found.expectancy_usd, digits)),
        ("held on average", formats.duration(found.average_hold_s)),
        (
            f"biggest win, loss{of_main}",
            _both(found.biggest_win_usd, found.biggest_loss_usd, digits),
        ),
    )


def _both(win: float | None, loss: float | None, digits: int) -> str:
    return f"{formats.gain(win, digits)}, {formats.gain(loss, digits)}"


def _wallet_figures(found: Metrics) -> list[tuple[str, str]]:
    """Return the amounts in further currencies."""
    shown: list[tuple[str, str]] = []
    for one in found.wallets:
        digits = cash_digits(one.currency)
        shown += [
            (f"equity, {one.currency}", formats.money(one.equity_usd, digits)),
            (f"fees, {one.currency}", formats.money(one.fees_usd, digits)),
            (f"expectancy, {one.currency}", formats.gain(one.expectancy_usd, digits)),
            (
                f"biggest win, loss, {one.currency}",
                _both(one.biggest_win_usd, one.biggest_loss_usd, digits),
            ),
        ]
    return shown
