"""The results as Markdown tables, for a terminal and for `docs/verdict.md`. Pure."""

from collections.abc import Iterable, Sequence
from math import expm1

from judge.check.markets import MarketScenario
from judge.check.p_best_calibration import LEADERS_MIN, PBestCheck
from judge.check.paper import PaperTables
from judge.check.return_laws import LAWS
from judge.check.summary import COLUMNS, Coverage, MarketCheck, Power
from judge.statistics import Interval
from judge.statistics.p_best import MISS_MAX, CalibrationBin


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return an aligned Markdown table: the first column to the left, the others to the right."""
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
    """Return false claims and coverage, one line per market."""
    head = ("market", "seasons", "false claims (95 %)", "at any look (95 %)", *COLUMNS.values())
    return markdown_table(
        (*head, "PSR in 5-95 %", "found (95 %)", "unjudged", "verdict"),
        (
            (
                check.market.name,
                f"{check.seasons:,}",
                _share(check.false_claims),
                _share(check.any_look),
                *(_coverage(check.coverage[key]) for key in COLUMNS),
                _coverage(check.psr),
                _share(check.power.found if check.power is not None else None),
                f"{check.unjudged:.1%}",
                _verdict(check),
            )
            for check in checks
        ),
    )


def _verdict(check: MarketCheck) -> str:
    if not check.missed:
        return "kept"
    missed = ", ".join(check.missed)
    return f"MISSED: {missed}" if check.market.promised else f"not promised: {missed}"


def legend(markets: Iterable[MarketScenario]) -> str:
    """Return the meaning of market names, one line for each law and each suffix."""
    used = list(markets)
    laws = [f"- {key}: {law.title}" for key, law in LAWS.items() if key in {m.law for m in used}]
    endings = [
        ("5x384: 5 agents, 384 periods", True),
        ("r0.95: correlation between agents, else 0.50", any(m.correlation != 0.5 for m in used)),
        ("matrix: strategies and models are compared", any(m.strategies for m in used)),
        ("watched: judged at every decision look", any(m.watched == "planned" for m in used)),
        ("open: the same without a planned end", any(m.watched == "open" for m in used)),
        ("better: the first agent truly leads", any(m.lead and m.gap is None for m in used)),
        ("gap20: it leads, and another agent fell 20 %", any(m.gap is not None for m in used)),
    ]
    return "\n".join([*laws, *(f"- {text}" for text, is_used in endings if is_used)])


def power_table(market: MarketScenario, curve: Sequence[tuple[float, Power, float | None]]) -> str:
    """Return a power curve, with the printed and the closed-form detectable difference.

    Args:
        market: A market without a lead.
        curve: Lead in multiples of the closed-form detectable difference, the power, and the
            median printed as detectable.
    """
    return markdown_table(
        (
            f"lead / detectable, {market.name}",
            "true lead",
            "found (95 %)",
            "detectable, printed",
            "on paper",
        ),
        (
            (
                f"{multiple:.2f}",
                f"{expm1(power.lead):+.1%}",
                _share(power.found),
                "-" if printed is None else f"{expm1(printed):.1%}",
                f"{expm1(market.paper.detectable):.1%}",
            )
            for multiple, power, printed in curve
        ),
    )


def p_best_tables(checks: Sequence[PBestCheck]) -> str:
    """Return the calibration of the leaders' P(best): by value, then by the spread of skills."""
    by_given = markdown_table(
        ("agents", "leaders", "given", "truly the best", "verdict"),
        (
            (
                str(check.agents),
                f"{b.leaders:,}",
                f"{b.given:.1%}",
                f"{b.best:.1%}",
                _near(b),
            )
            for check in checks
            for b in check.bins
        ),
    )
    by_spread = markdown_table(
        ("agents", "spread of the skills / luck", "given", "truly the best"),
        (
            (str(check.agents), f"{spread:g}", f"{given:.1%}", f"{best:.1%}")
            for check in checks
            for spread, given, best in check.spreads
        ),
    )
    return f"{by_given}\n\n{by_spread}"


def _near(found: CalibrationBin) -> str:
    if found.leaders < LEADERS_MIN:
        return "few"
    return "kept" if abs(found.given - found.best) <= MISS_MAX else "MISSED"


def interval_table(
    candidates: Sequence[str], rows: Iterable[tuple[MarketScenario, int, Sequence[Coverage]]]
) -> str:
    """Return the coverage of the kinds of intervals, one line per market."""
    return markdown_table(
        ("market", "periods", "seasons", *candidates),
        (
            (m.title, str(m.periods), f"{seasons:,}", *(_coverage(c) for c in found))
            for m, seasons, found in rows
        ),
    )


def paper_text(paper: PaperTables) -> str:
    """Return the closed-form tables with their captions."""
    columns = [f"correlation {value:.2f}" for value in paper.correlations]
    parts = [
        f"What a season of {paper.days:.0f} days can see, at a volatility of "
        f"{paper.volatility:.0%} a year: difference in return (difference in Sharpe ratio)",
        markdown_table(
            ("agents", *columns),
            (
                (str(n), *(f"{expm1(s.detectable):.1%} ({s.detectable_sharpe:.1f})" for s in row))
                for n, row in paper.seasons.items()
            ),
        ),
        f"Days until a true difference is found, {paper.field} agents: the difference is earned "
        f"every {paper.days:.0f} days",
        markdown_table(
            ("true difference", *columns),
            ((name, *(_days(d) for d in row)) for name, row in paper.waits.items()),
        ),
        f"More seeds: detectable over {paper.days:.0f} days, {paper.field} cells that correlate "
        f"by {paper.cell_correlation:.2f}",
        markdown_table(
            ("seeds per cell", *(f"seeds correlate {value:.2f}" for value in paper.seed_levels)),
            ((str(k), *(f"{expm1(d):.1%}" for d in row)) for k, row in paper.seeds.items()),
        ),
        f"More snapshots of the same {paper.marked_seasons} simulated seasons of "
        f"{paper.days:.0f} days: mean of what the verdict prints as detectable, {paper.field} "
        "agents, correlation 0.50",
        markdown_table(
            ("snapshots", "one every", "detectable, printed"),
            ((f"{n:,}", every, f"{expm1(d):.2%}") for n, every, d in paper.marks),
        ),
    ]
    return "\n\n".join(parts)


def _days(days: float) -> str:
    return f"{days:,.1f}" if days < 10.0 else f"{days:,.0f}"


def _share(interval: Interval | None) -> str:
    if interval is None:
        return "-"
    return f"{interval.estimate:.1%} ({interval.low:.1%}-{interval.high:.1%})"


def _coverage(coverage: Coverage | None) -> str:
    return "-" if coverage is None else f"{coverage.share:.1%} ± {coverage.error:.1%}"
