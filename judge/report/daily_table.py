"""The report's chapter of days: a line per day and entry. Pure."""

from collections.abc import Mapping

from arena.currency import cash_digits
from arena.plural import counted
from judge.report import formats
from judge.report.agent_sections import NAME_MAX, anchor
from judge.report.daily import DailyReport
from judge.report.facts import Facts
from judge.report.tables import ReportTable, TableCell, TableHead, TableRow, name_cell, plain

ROWS_MAX = 250
"""Lines that the page shows, those of the newest days; `daily.json` has all."""
NONE = "none"
JUDGE = TableHead("judge", "w", note="grade and score of the day's last evaluation")
"""The column of coached contests; in others a judge may run or not, and the page is the same."""


def daily_table(facts: Facts) -> ReportTable:
    """Return the newest days of all entries, oldest first, in the order of the leaderboard."""
    heads = (
        TableHead("entry", "w stick", up=True),
        TableHead("day", "w", up=True),
        TableHead("profit", note="change of equity up to the next day's first snapshot"),
        TableHead("return"),
        TableHead("exposure", note="share of equity in positions at the end of the day"),
        TableHead("decisions", note="turns with a decision"),
        TableHead("orders"),
        TableHead("fills", note="with those of exits and limit orders"),
        TableHead("refused", "w", note="refused orders by the rule that did it"),
        TableHead("limits hit", "w", note="rejected and cut orders by the limit that did it"),
        TableHead("near limits", "w", note="approved orders at more than 80 % of a limit"),
        TableHead("limits in force", "w", note="at the end of the day, with cuts of the judge"),
        *([JUDGE] if facts.coached else []),
    )
    season = facts.season
    place = {season.names[n]: (rank, n) for rank, n in enumerate(facts.order)}
    shown = sorted(_shown(facts), key=lambda one: (one.day, place[one.agent][0]))
    digits = cash_digits(season.assumptions.currency)
    rows = tuple(
        _row(one, place[one.agent][1], digits, judged=bool(facts.coached)) for one in shown
    )
    return ReportTable("Days", heads, rows, sortable=True)


def daily_note(facts: Facts) -> str:
    """Return in a sentence what the table has."""
    days = len({one.day for one in facts.daily})
    shown, whole = len(_shown(facts)), len(facts.daily)
    text = f"{counted(days, 'day')} of market time (UTC); daily.json has every refused order."
    if shown < whole:
        return f"{text} The newest {shown:,} of {whole:,} lines are shown; it has all of them."
    return text


def _shown(facts: Facts) -> tuple[DailyReport, ...]:
    """The reports of whole days that the page shows."""
    agents = max(1, len({one.agent for one in facts.daily}))
    days = max(1, ROWS_MAX // agents)
    newest = sorted({one.day for one in facts.daily})[-days:]
    return tuple(one for one in facts.daily if one.day in newest)


def _row(one: DailyReport, n: int, digits: int, *, judged: bool) -> TableRow:
    enforced = one.enforcement.document()
    return TableRow(
        (
            name_cell(formats.quote(one.agent, NAME_MAX), "", anchor(n)),
            TableCell(one.day),
            plain(formats.gain(one.profit, digits), one.profit),
            plain(formats.change(one.change), one.change),
            plain(formats.share(one.exposure), one.exposure),
            plain(formats.count(one.decisions), one.decisions),
            plain(formats.count(one.orders), one.orders),
            plain(formats.count(one.fills), one.fills),
            TableCell(_counts(one.refused), css="long"),
            TableCell(_counts(enforced["risk_block_breakdown"]), css="long"),
            TableCell(_counts(enforced["risk_limit_hints"]), css="long"),
            TableCell(_limits(one), css="long"),
            *([TableCell(_judged(one))] if judged else []),
        ),
        "",
    )


def _limits(one: DailyReport) -> str:
    limits = one.limits
    words = NONE if limits is None or not limits.limits else limits.preset or "own"
    cuts = [f"times {cut.record.factor.normalize():f}" for cut in one.adjustments]
    trips = [f"{limit} tripped" for limit in sorted(one.tripped)]
    return ", ".join([words, *cuts, *trips])


def _judged(one: DailyReport) -> str:
    if not one.evaluations:
        return NONE
    newest = one.evaluations[-1]
    score = formats.number(newest.overall, 0)
    return f"{newest.grade} {score}" if newest.grade else score


def _counts(counts: object) -> str:
    if not isinstance(counts, Mapping):
        return NONE
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{name} {count:,}" for name, count in ranked) or NONE
