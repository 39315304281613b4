"""The check as Markdown tables, for a terminal and for `docs/verdict.md` alike. Pure."""

from collections.abc import Iterable, Sequence
from math import expm1

from judge.check_markets import Market
from judge.check_paper import PaperTables
from judge.check_runs import Coverage, MarketCheck, PowerCheck
from judge.statistics import Interval


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns line up; the first column left, the others right."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = [
        "| "
        + " | ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in cells
    ]
    rule = "|" + "|".join(
        "-" * (width + 2) if i == 0 else "-" * (width + 1) + ":" for i, width in enumerate(widths)
    )
    return "\n".join([lines[0], rule + "|", *lines[1:]])


def market_table(checks: Sequence[MarketCheck]) -> str:
    """False claims and coverage, one line per market."""
    head = (
        "market",
        "agents",
        "correlation",
        "periods",
        "seasons",
        "false claims (95 %)",
        "difference",
        "total",
        "Sharpe difference",
        "Sharpe",
        "Bradley-Terry",
        "unjudged",
        "verdict",
    )
    return table(
        head,
        (
            (
                check.market.title,
                str(check.market.agents),
                "-" if check.market.law == "spells" else f"{check.market.correlation:.2f}",
                str(check.market.periods),
                f"{check.seasons:,}",
                _share(check.false_claims),
                _coverage(check.difference),
                _coverage(check.total),
                _coverage(check.sharpe_difference),
                _coverage(check.sharpe),
                _coverage(check.strength),
                f"{check.unjudged:.1%}",
                f"MISSED: {', '.join(check.missed)}" if check.missed else "kept",
            )
            for check in checks
        ),
    )


def power_table(checks: Sequence[PowerCheck]) -> str:
    """Power curves, and the printed detectable effect beside the one on paper."""
    head = (
        "true difference / detectable",
        "agents",
        "correlation",
        "true difference",
        "found (95 %)",
        "detectable, printed",
        "on paper",
    )
    return table(
        head,
        (
            (
                f"{check.job.multiple:.2f}",
                str(check.job.agents),
                f"{check.job.correlation:.2f}",
                f"{expm1(check.job.multiple * check.job.paper.detectable):+.1%}",
                _share(check.found),
                f"{expm1(check.detectable):.1%}",
                f"{expm1(check.job.paper.detectable):.1%}",
            )
            for check in checks
        ),
    )


def interval_table(
    candidates: Sequence[str], rows: Iterable[tuple[Market, int, Sequence[Coverage]]]
) -> str:
    """Coverage of the candidates for an interval, one line per market."""
    return table(
        ("market", "periods", "seasons", *candidates),
        (
            (m.title, str(m.periods), f"{seasons:,}", *(_coverage(c) for c in found))
            for m, seasons, found in rows
        ),
    )


def paper_text(paper: PaperTables) -> str:
    """A season on paper: four tables with their captions."""
    columns = [f"correlation {value:.2f}" for value in paper.correlations]
    parts = [
        f"What a season of {paper.days:.0f} days can see, at a volatility of "
        f"{paper.volatility:.0%} a year: difference in return (difference in Sharpe ratio)",
        table(
            ("agents", *columns),
            (
                (str(n), *(f"{expm1(s.detectable):.1%} ({s.detectable_sharpe:.1f})" for s in row))
                for n, row in paper.seasons.items()
            ),
        ),
        f"Days until a true difference is found, {paper.field} agents: the difference is earned "
        f"every {paper.days:.0f} days",
        table(
            ("true difference", *columns),
            ((name, *(_days(d) for d in row)) for name, row in paper.waits.items()),
        ),
        f"More seeds: detectable over {paper.days:.0f} days, {paper.field} cells that correlate "
        f"by {paper.cell_correlation:.2f}",
        table(
            ("seeds per cell", *(f"seeds correlate {value:.2f}" for value in paper.seed_levels)),
            ((str(k), *(f"{expm1(d):.1%}" for d in row)) for k, row in paper.seeds.items()),
        ),
        f"More snapshots of the same {paper.marked_seasons} simulated seasons of "
        f"{paper.days:.0f} days: mean of what the verdict prints as detectable, {paper.field} "
        "agents, correlation 0.50",
        table(
            ("snapshots", "one every", "detectable, printed"),
            ((f"{n:,}", every, f"{expm1(d):.2%}") for n, every, d in paper.marks),
        ),
    ]
    return "\n\n".join(parts)


def _days(days: float) -> str:
    return f"{days:,.1f}" if days < 10.0 else f"{days:,.0f}"


def _share(interval: Interval) -> str:
    return f"{interval.estimate:.1%} ({interval.low:.1%}-{interval.high:.1%})"


def _coverage(coverage: Coverage) -> str:
    return f"{coverage.share:.1%} ± {coverage.error:.1%}"
