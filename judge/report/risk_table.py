"""The report's table of limits of risk and of exits. Pure."""

from arena.currency import cash_digits
from arena.risk_report import ExitCounts, RiskCounts
from judge.report import formats
from judge.report.agent_sections import NAME_MAX, anchor
from judge.report.facts import Facts
from judge.report.tables import ReportTable, TableCell, TableHead, TableRow, name_cell, plain
from judge.season import Season


def has_risk(season: Season) -> bool:
    """Return True if an entry was under limits of risk, or placed a limit order or an exit."""
    counted = any(one != RiskCounts() for one in season.risk)
    return counted or any(one != ExitCounts() for one in season.exits)


def risk_table(facts: Facts) -> ReportTable:
    """Return what limits did to the orders of each entry, and what became of its exits."""
    heads = (
        TableHead("entry", "w stick", up=True),
        TableHead(
            "limits", "w", note="limits that it ran under, in the order in which they were set"
        ),
        TableHead("approved", note="orders within all limits"),
        TableHead("adjusted", note="orders that a limit cut"),
        TableHead("rejected", note="orders that a limit refused"),
        TableHead("by limit", "w", note="rejected and adjusted orders by the limit that did it"),
        TableHead("near misses", "w", note="approved orders at more than 80 % of a limit"),
        TableHead("not measured", "w", note="orders for which a limit could not be measured"),
        TableHead("trips", "w", note="breaches of a limit of loss: sells only from then on"),
        TableHead("armed", note="exits placed: stop-loss, take-profit, trailing stop, time exit"),
        TableHead("fired", note="exits that sold"),
        TableHead("cancelled", note="exits that ended without a sell"),
        TableHead("realised by exits", note="profit of what exits sold, after fees"),
    )
    season = facts.season
    rows = []
    for index in facts.order:
        risk = season.risk[index] if season.risk else RiskCounts()
        exits = season.exits[index] if season.exits else ExitCounts()
        profit = season.worth(index, lambda fill: (fill.realised or 0) if fill.is_exit else 0)
        stopped = dict(risk.rejected)
        for limit, count in risk.cut.items():
            stopped[limit] = stopped.get(limit, 0) + count
        digits = cash_digits(season.assumptions.currency)
        cells = (
            name_cell(formats.quote(season.names[index], NAME_MAX), "", anchor(index)),
            TableCell("; ".join(risk.settings) or "none", css="long"),
            plain(formats.count(risk.approved), risk.approved),
            plain(formats.count(risk.adjusted), risk.adjusted),
            plain(formats.count(risk.blocked), risk.blocked),
            TableCell(_by_limit(stopped), css="long"),
            TableCell(_by_limit(risk.near), css="long"),
            TableCell(_by_limit(risk.unknown), css="long"),
            TableCell(_by_limit(risk.tripped), css="long"),
            plain(formats.count(exits.armed), exits.armed),
            plain(formats.count(exits.fired), exits.fired),
            plain(formats.count(exits.cancelled), exits.cancelled),
            plain(formats.gain(profit, digits) if exits.fired else formats.UNKNOWN, profit),
        )
        rows.append(TableRow(cells, ""))
    return ReportTable("Risk and exits", heads, tuple(rows), sortable=True)


def risk_note(facts: Facts) -> str:
    """Return in a sentence what limits and exits did in all."""
    season = facts.season
    orders = sum(one.approved + one.adjusted + one.blocked for one in season.risk)
    adjusted = sum(one.adjusted for one in season.risk)
    blocked = sum(one.blocked for one in season.risk)
    armed = sum(one.armed for one in season.exits)
    fired = sum(one.fired for one in season.exits)
    return (
        f"Of {orders:,} orders under limits of risk {adjusted:,} were adjusted and {blocked:,} "
        f"rejected. {fired:,} of {armed:,} exits sold. What an exit sells counts as a trade of the "
        "entry, at the time of the sell; it is an order of no turn."
    )


def _by_limit(counts: dict[str, int]) -> str:
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{limit} {count:,}" for limit, count in ranked) or "none"
