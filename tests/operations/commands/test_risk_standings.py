"""What the demo says about limits of risk and exits."""

from arena.risk_report import ExitCounts, RiskCounts, RiskDay, RiskReport
from operations.commands.risk_standings import risk_lines


def test_the_standings_say_what_limits_did() -> None:
    """One line counts measured, cut and rejected orders, one the exits."""
    report = RiskReport(
        days={
            ("mo", "2026-11-30"): RiskDay(RiskCounts(approved=3, adjusted=2)),
            ("mo", "2026-12-01"): RiskDay(RiskCounts(rejected={"max_drawdown_pct": 4})),
            ("bo", "2026-12-01"): RiskDay(RiskCounts(approved=1)),
        },
        exits={"mo": ExitCounts(5, 2, 3)},
    )

    assert [
        "Limits of risk: 10 orders, 2 cut, 4 rejected; by agent and limit: arena risk report",
        "Exits: 5 placed, 2 sold a position by themselves, 3 cancelled",
    ] == risk_lines(report)


def test_a_demo_without_limits_says_nothing() -> None:
    """Without limits and exits the lines are left out."""
    assert [] == risk_lines(RiskReport())
