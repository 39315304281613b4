"""An agent's limits of risk as bars, and its open orders, as lines. Pure."""

from rich.text import Text

from arena.plural import counted
from dashboard import text
from dashboard.model.risk_rows import LimitRow, OrderRow, RiskRow
from dashboard.terminal.palette import ALARM, QUIET, TITLE, WARNING

BAR_CELLS = 6
NEAR = 0.8
SHORT = {
    "max_symbol_exposure_pct": "product",
    "max_portfolio_exposure_pct": "exposure",
    "max_daily_loss_pct": "day loss",
    "max_drawdown_pct": "drawdown",
    "max_trades_per_day": "buys",
    "min_cash_pct": "least cash",
    "loss_streak_max": "losses",
    "cooldown_after_loss_s": "pause s",
}


def risk_lines(row: RiskRow) -> list[Text]:
    """Limits as bars in a line, open orders in another one; neither without any."""
    lines = []
    if row.preset or row.tripped:
        line = Text.assemble((f"risk {row.preset or 'off'}", TITLE), no_wrap=True)
        if row.tripped:
            until = f" until {row.until:%d %b %H:%M} UTC" if row.until else ""
            line.append(f"  SELLS ONLY{until}", style=ALARM)
        if blocked := row.counts.blocked:
            line.append(f"  {counted(blocked, 'order')} rejected", style=WARNING)
        for one in row.limits:
            line.append("  ")
            line.append(_bar(one))
        lines.append(line)
    if row.exits.armed or row.orders:
        found = row.exits
        line = Text.assemble(("exits ", TITLE), no_wrap=True)
        line.append(f"{found.fired} fired, {found.cancelled} cancelled", style=QUIET)
        for order in row.orders:
            line.append(f"  {_order(order)}")
        lines.append(line)
    return lines


def _bar(one: LimitRow) -> Text:
    """A limit: "product [####  ] 12/25"."""
    filled = min(BAR_CELLS, round(one.used * BAR_CELLS))
    style = ALARM if one.used > 1 else WARNING if one.used > NEAR else ""
    bar = "#" * filled + "." * (BAR_CELLS - filled)
    shown = Text(f"{SHORT.get(one.limit, one.limit)} ", style=QUIET)
    shown.append(f"[{bar}]", style=style)
    shown.append(f" {one.value.normalize():f}/{one.threshold.normalize():f}")
    return shown


def _order(one: OrderRow) -> str:
    """An open order: "stop loss SOL-USD -1.2 %"."""
    kind = one.order_type.replace("_", " ")
    far = "" if one.distance_pct is None else f" {one.distance_pct:+f} %"
    due = f" {one.due:%H:%M}" if one.due and one.distance_pct is None else ""
    side = f"{one.action} " if one.order_type == "limit" else ""
    return f"{side}{kind} {text.one_line(one.product_id, 16)}{far}{due}"
