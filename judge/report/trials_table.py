"""The report's table of the trials of an agent's texts. Pure."""

from collections.abc import Sequence

from arena.prompt_versions import short_version
from judge.report import formats
from judge.report.agent_sections import NAME_MAX
from judge.report.tables import ReportTable, TableCell, TableHead, TableRow, name_cell, plain
from judge.report.trials import Difference, ShownTrial

REASONS_MAX = 400
NOTE = (
    "Each trial computed its own figures, which are recorded and not computed again here: "
    "challenger less champion, with its interval; below it that of a copy of the champion, noise."
)


def trials_table(name: str, found: Sequence[ShownTrial]) -> ReportTable:
    """Return the trials of an agent's texts.

    Args:
        name: Name of the agent, as it is shown.
        found: The trials, oldest first.
    """
    heads = (
        TableHead("trial", "w stick"),
        TableHead(
            "result", "w", note="promote, keep, undecided; running at the end of the records"
        ),
        TableHead("tried", "w", note="the proposed text, and below it the one in force"),
        TableHead("market", "w", note="live: shadow agents; replay: a lock-step contest"),
        TableHead("periods", note="compared ones, and below them repeats of each text"),
        TableHead("quality, points", note="per turn, the weighted share of checks passed"),
        TableHead("return, %"),
        TableHead("detectable, %", note="difference of return that 4 of 5 such trials would find"),
        TableHead("why", "w"),
    )
    rows = [TableRow(_cells(one)) for one in found]
    return ReportTable(f"Trials of texts of {name}", heads, tuple(rows), notes=(NOTE,))


def _cells(one: ShownTrial) -> tuple[TableCell, ...]:
    ended = "" if one.ended is None else f"{one.ended:%d %b %H:%M}"
    against = f"against {short_version(one.champion)}"
    asked = "" if one.snapshots is None else f" of {one.snapshots:,}"
    periods = formats.UNKNOWN if one.periods is None else f"{one.periods:,}{asked}"
    return (
        name_cell(one.trial_id, ended),
        TableCell(one.state, formats.quote(one.by, NAME_MAX), css="w"),
        TableCell(short_version(one.challenger), against, css="w"),
        TableCell(one.market, formats.quote(one.run, NAME_MAX), css="w"),
        TableCell(periods, f"{one.repeats:,} each", value=one.periods or 0),
        _difference(one.quality, one.noise_quality, 1),
        _difference(one.return_pct, one.noise_return_pct, 2),
        plain(formats.number(one.detectable_pct), one.detectable_pct),
        TableCell(formats.quote("; ".join(one.reasons), REASONS_MAX) or "–", css="long"),
    )


def _difference(found: Difference | None, noise: Difference | None, digits: int) -> TableCell:
    if found is None:
        return TableCell(formats.UNKNOWN)
    under = "" if noise is None else f"noise {_text(noise, digits)}"
    return TableCell(_text(found, digits), under, value=found.estimate)


def _text(one: Difference, digits: int) -> str:
    estimate = formats.minus(f"{one.estimate:+.{digits}f}")
    return f"{estimate} ({formats.spread(one.low, one.high, digits)})"
