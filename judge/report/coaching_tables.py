"""The report's chapter on coaching as tables and lines. Pure.

Reasons and texts were written by people and models: they are cut, made visible and escaped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from arena.messages import Evidence
from arena.messages.coaching import DIMENSIONS
from arena.plural import counted
from arena.prompt_versions import short_version
from arena.visible_text import visible
from judge.report import formats
from judge.report.agent_sections import NAME_MAX, anchor
from judge.report.coaching import CoachedAgent, ShownEvaluation, ShownVersion
from judge.report.coaching_figures import Measure, VersionFigures
from judge.report.facts import Facts
from judge.report.tables import ReportTable, TableCell, TableHead, TableRow, name_cell, plain
from judge.report.trials_table import trials_table
from judge.statistics.verdict import PERIODS_MIN
from judge.verdict_text import MARKET

REASON_MAX = 240
NOTE_MAX = 1_000
DIFFERENCES_SHOWN = 5
COACHING_NOTE = (
    "A coach's view: the verdict and the ranks do not use it. A version's figures are those of its "
    "own turns and periods, and its return is shown beside that of the "
    f"{MARKET} over the same periods. Versions played at different times, in different markets, "
    "and a text is often changed after a bad stretch, which is usually followed by a better one "
    "even if nothing is changed. So a difference between versions shows what happened, not what "
    "the text did: arena prompts trial compares two texts on the same snapshots."
)


@dataclass(frozen=True, slots=True)
class TextDiff:
    """What changed from one version to another, line by line."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CoachingSection:
    """One agent, as the chapter shows it.

    Attributes:
        link: HTML id of the agent's own section; "" if it is not ranked.
        counts: How many evaluations and versions it has, and what is left out.
    """

    agent: str
    link: str
    counts: str
    evaluations: ReportTable
    versions: ReportTable
    changes: ReportTable
    figures: ReportTable
    trials: ReportTable
    diffs: tuple[TextDiff, ...]


def coaching_sections(facts: Facts) -> tuple[CoachingSection, ...]:
    """Return the section of each coached agent."""
    return tuple(_section(facts, one) for one in facts.coached)


def evaluations_note(facts: Facts) -> str:
    """Return how many evaluations were computed again from the records; "" without any."""
    again = facts.evaluations
    if again is None:
        return ""
    what = f"{counted(again.compared, 'evaluation')} computed again from the records"
    if again.unknown:
        what += f", {again.unknown:,} could not be: their snapshot or method is unknown"
    if not again.differences:
        return f"{what}: all match."
    shown = "; ".join(again.differences[:DIFFERENCES_SHOWN])
    return formats.quote(
        f"{what}: {counted(len(again.differences), 'difference')}: {shown}.", NOTE_MAX
    )


def _section(facts: Facts, one: CoachedAgent) -> CoachingSection:
    name = formats.quote(one.agent, NAME_MAX)
    names = facts.season.names
    return CoachingSection(
        agent=name,
        link=anchor(names.index(one.agent)) if one.ranked else "",
        counts=_counts(one),
        evaluations=_evaluations_table(name, one.evaluations),
        versions=_versions_table(name, one.versions),
        changes=_changes_table(name, one),
        figures=_figures_table(name, one.versions, facts.options.confidence),
        trials=trials_table(name, one.trials),
        diffs=tuple(_text_diff(version) for version in one.versions if version.diff),
    )


def _counts(one: CoachedAgent) -> str:
    evaluations = len(one.evaluations) + one.evaluations_omitted
    versions = len(one.versions) + one.versions_omitted
    parts = [f"{counted(evaluations, 'evaluation')}, {counted(versions, 'version')} of its text"]
    for shown, omitted, what in (
        (one.evaluations, one.evaluations_omitted, "evaluations"),
        (one.versions, one.versions_omitted, "versions"),
    ):
        if omitted:
            parts.append(f"the newest {len(shown):,} {what} are shown; the records have all")
    if not one.ranked:
        parts.append("it is not ranked, so no return is attributed to its versions")
    return "; ".join(parts)


def _evaluations_table(name: str, found: Sequence[ShownEvaluation]) -> ReportTable:
    heads = (
        TableHead("when, UTC", "w"),
        TableHead("overall", note="0 to 100, with its grade"),
        *(TableHead(one) for one in DIMENSIONS),
        TableHead("trend", "w", note="against the mean of the three evaluations before, in points"),
        TableHead("cause", "w", note="first, on cadence, on demand, or feedback to the judge"),
        TableHead("version", "w", note="of the text in its newest turn"),
    )
    rows = [
        TableRow(
            (
                _when(one.as_of),
                TableCell(_score(one.overall), one.grade, value=_sort(one.overall)),
                *(plain(_score(one.scores.get(n)), one.scores.get(n)) for n in DIMENSIONS),
                TableCell(_trend(one), css="w"),
                TableCell(one.cause, css="w"),
                TableCell(short_version(one.version), css="w"),
            )
        )
        for one in found
    ]
    notes = tuple(dict.fromkeys(formats.quote(o.judged, REASON_MAX) for o in found if o.judged))
    return ReportTable(f"Evaluations of {name}", heads, tuple(rows), notes=notes[-3:])


def _trend(one: ShownEvaluation) -> str:
    if one.trend_change is None:
        return one.trend
    return f"{one.trend} ({formats.minus(f'{one.trend_change:+.1f}')})"


def _versions_table(name: str, found: Sequence[ShownVersion]) -> ReportTable:
    heads = (
        TableHead("version", "w stick"),
        TableHead("state", "w", note="at the end of the records"),
        TableHead("proposed by", "w"),
        TableHead("why", "w"),
        TableHead("in force since, UTC", "w"),
        TableHead("decided by", "w", note="who approved, rejected, confirmed or returned to it"),
        TableHead("evidence before", "w", note="of the evaluation that the proposal is based on"),
        TableHead("evidence after", "w", note="of the evaluation or trial of the last decision"),
    )
    rows = []
    for one in found:
        made = f"from {short_version(one.parent)}" if one.parent else ""
        until = "" if one.expires_at is None else f"until {one.expires_at:%d %b %H:%M}"
        rows.append(
            TableRow(
                (
                    name_cell(short_version(one.version), made),
                    TableCell(one.state, "confirmed" if one.confirmed else "", css="w"),
                    TableCell(one.author, formats.quote(one.by, NAME_MAX), css="w"),
                    TableCell(formats.quote(one.reason, REASON_MAX), one.template, css="long"),
                    TableCell(_time(one.since), until, css="w"),
                    TableCell(
                        formats.quote(one.decided_by, NAME_MAX) or formats.UNKNOWN,
                        formats.quote(one.decided_for, REASON_MAX),
                        css="long",
                    ),
                    TableCell(_evidence(one.evidence), css="w"),
                    TableCell(_evidence(one.evidence_after), css="w"),
                )
            )
        )
    return ReportTable(f"Versions of the text of {name}", heads, tuple(rows))


def _changes_table(name: str, one: CoachedAgent) -> ReportTable:
    heads = (
        TableHead("when, UTC", "w"),
        TableHead("came into force", "w"),
        TableHead("by", "w"),
        TableHead("why", "w"),
    )
    rows = [
        TableRow(
            (
                TableCell(_time(change.as_of), css="w"),
                TableCell(
                    short_version(change.version),
                    f"after {short_version(change.before)}" if change.before else "",
                    css="w",
                ),
                TableCell(change.author, formats.quote(change.by, NAME_MAX), css="w"),
                TableCell(formats.quote(change.reason, REASON_MAX), css="long"),
            )
        )
        for change in one.changes
    ]
    return ReportTable(f"Changes of the text of {name}", heads, tuple(rows))


def _figures_table(name: str, found: Sequence[ShownVersion], confidence: float) -> ReportTable:
    level = f"{confidence:.0%}"
    heads = (
        TableHead("version", "w stick"),
        TableHead("decisions", note="of all turns by this version"),
        TableHead("orders", note="filled, placed, cancelled or rejected"),
        TableHead("orders per turn"),
        TableHead("quality", note="of the decisions, by code, as an evaluation of these turns"),
        TableHead("snapshots", note="periods in which it was in force"),
        TableHead("return", note="of the account in these periods"),
        TableHead("market", note=f"return of the {MARKET} in these periods"),
        TableHead("beyond the market", note="return less the market, paired period by period"),
        TableHead("quality, change", note="less that of the version that it was made from"),
        TableHead(
            "beyond, change", note="bps per snapshot, less the version that it was made from"
        ),
    )
    rows = [
        TableRow((name_cell(short_version(one.version)), *_figure_cells(one.figures)))
        for one in found
        if one.figures is not None
    ]
    notes = (
        f"Ranges are {level} intervals, each for its figure alone, resampled in blocks of time; a "
        f"figure without one says why. Under {PERIODS_MIN} turns or snapshots are too few.",
    )
    return ReportTable(f"What each version of {name} did", heads, tuple(rows), notes=notes)


def _figure_cells(one: VersionFigures) -> tuple[TableCell, ...]:
    return (
        _cell(f"{one.decisions:,} of {one.turns:,}", one.decided, "{:.1f} %"),
        plain(formats.count(one.orders), one.orders),
        _cell(formats.number(one.orders_per_turn.value), one.orders_per_turn, "{:.2f}"),
        _cell(_score(one.quality.value), one.quality, "{:.1f}"),
        plain(formats.count(one.periods), one.periods),
        _cell(formats.change(one.gain.value), one.gain, "", percent=True),
        plain(formats.change(one.market), one.market),
        _cell(formats.change(one.beyond.value), one.beyond, "", percent=True),
        _cell(_change(one.quality_change.value, 1), one.quality_change, "{:+.1f}"),
        _cell(_change(one.beyond_change.value, 2), one.beyond_change, "{:+.2f}"),
    )


def _cell(text: str, measure: Measure, form: str, *, percent: bool = False) -> TableCell:
    """Return a figure with its interval, or why it has none, below it."""
    found = measure.interval
    if found is None:
        under = measure.reason.partition(",")[0]
    elif percent:
        under = formats.spread(found.low * 100, found.high * 100, 2)
    else:
        under = " … ".join(formats.minus(form.format(end)) for end in (found.low, found.high))
    return TableCell(text, under, value=_sort(measure.value))


def _text_diff(one: ShownVersion) -> TextDiff:
    title = f"{short_version(one.parent)} to {short_version(one.version)}"
    return TextDiff(title, tuple(visible(line) for line in one.diff))


def _evidence(one: Evidence | None) -> str:
    if one is None:
        return formats.UNKNOWN
    parts = [
        f"{what} {formats.minus(f'{value:.1f}')}{unit}"
        for what, value, unit in (
            ("overall", one.overall, ""),
            ("quality", one.quality, ""),
            ("return", one.return_pct, " %"),
            ("drawdown", one.drawdown_pct, " %"),
        )
        if value is not None
    ]
    return ", ".join((*parts, f"over {counted(one.turns, 'turn')}"))


def _score(score: float | None) -> str:
    return formats.UNKNOWN if score is None else f"{score:.1f}"


def _change(value: float | None, digits: int) -> str:
    return formats.UNKNOWN if value is None else formats.minus(f"{value:+.{digits}f}")


def _sort(value: float | None) -> float | str:
    return "" if value is None else value


def _time(moment: datetime | None) -> str:
    return formats.UNKNOWN if moment is None else f"{moment:%d %b %H:%M}"


def _when(moment: datetime) -> TableCell:
    return TableCell(f"{moment:%d %b %H:%M:%S}", css="w")
