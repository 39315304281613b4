"""The lines of an agent's limits and open orders."""

from datetime import UTC, datetime
from decimal import Decimal

from arena.money import PriceUnits
from arena.risk_report import ExitCounts, RiskCounts
from dashboard.model.risk_rows import LimitRow, OrderRow, RiskRow
from dashboard.terminal.risk_lines import risk_lines

UNTIL = datetime(2026, 12, 1, tzinfo=UTC)


def test_limits_are_bars_and_orders_have_their_distance() -> None:
    """A limit that is nearly used up, a breach, and a stop below the bid; 80 columns are enough."""
    limits = (LimitRow("max_symbol_exposure_pct", Decimal("12"), Decimal(25), 0.48),)
    level = PriceUnits(139 * 10**18)
    stop = OrderRow("id", "SOL-USD", "stop_loss", "sell", 0, 0, level, Decimal("-1.2"), None)
    row = RiskRow(
        "standard",
        limits,
        "max_daily_loss_pct",
        UNTIL,
        RiskCounts(rejected={"max_symbol_exposure_pct": 2}),
        ExitCounts(3, 1, 1),
        (stop,),
    )

    first, second = (line.plain for line in risk_lines(row))

    assert "risk standard  SELLS ONLY until 01 Dec 00:00 UTC  2 orders rejected" in first
    assert "product [###...] 12/25" in first
    assert "exits 1 fired, 1 cancelled  stop loss SOL-USD -1.2 %" == second
    assert len(second) <= 80


def test_agent_without_limits_and_exits_has_no_line() -> None:
    """Nothing changes on its screen."""
    assert [] == risk_lines(RiskRow())
