"""A comparison of two runs as plain text. Pure."""

from collections.abc import Sequence
from dataclasses import asdict

from arena.visible_text import one_line, visible_line
from judge.formatting import duration_text
from judge.report import formats
from judge.report.compare import DAY_S, ComparisonLine, RunComparison
from judge.report.facts import Figures
from judge.simple_returns import (
    TOO_WIDE,
    per_day,
    simple_detectable,
    simple_interval,
    simple_return,
)

HEAD = ("", "before", "after", "after less before", "interval", "p adjusted", "verdict")
LEFT = (0, 6)


def compare_document(found: RunComparison) -> Figures:
    """Return the comparison as a JSON tree; differences are of log returns, see `unit`."""
    return asdict(found)


def compare_lines(found: RunComparison) -> list[str]:
    """Return the lines to print."""
    how = "Paired" if found.paired else "Unpaired"
    lines = [
        f"{found.after} against {found.before}",
        f"{how}: {found.why}.",
        *_lengths(found),
        f"Equal-weight market: {formats.change(found.hold_before)}{a_unit(found)} before, "
        f"{formats.change(found.hold_after)}{a_unit(found)} after.",
        "",
        *_table([_head(found), *(_row(line) for line in found.lines)]),
        "",
        conclusion(found),
        f"{_what(found)}; intervals {found.confidence:.0%}, each for its line alone; p adjusted "
        "over all lines.",
    ]
    if found.interim:
        rest = "" if found.paired else "; nothing is claimed across markets"
        lines.append(f"One of the runs has not reached its planned end{rest}.")
    for names, run in ((found.only_before, found.before), (found.only_after, found.after)):
        if names:
            lines.append(f"Only in {run}: {', '.join(names)}.")
    for names, run in ((found.dead_before, found.before), (found.dead_after, found.after)):
        if names:
            lines.append(f"Dead in {run}, not compared: {', '.join(names)}.")
    for names, run in ((found.apart_before, found.before), (found.apart_after, found.after)):
        if names:
            lines.append(f"Not comparable in {run}, not compared: {', '.join(names)}.")
    if not found.paired:
        lines.append("A paired contest shows more: run both in lock-step on the same prices.")
    return [visible_line(line) for line in lines]


def conclusion(found: RunComparison) -> str:
    """Return whether the change helped, in one or two sentences."""
    first = found.lines[0]
    who = first.before if first.level == "agent" else f"the {first.before}"
    if first.identical:
        return f"Nothing changed for {who}: {first.reason}."
    if first.difference is None:
        return f"No verdict on {who}: {first.reason}."
    size = _change(first.difference.estimate)
    if first.separated:
        did = "did better" if first.difference.estimate > 0 else "did worse"
        return f"After the change {who} {did}: {size}{_over(found)}."
    text = f"The season cannot tell whether {who} changed ({size}{a_unit(found)})."
    least = simple_detectable(first.detectable)
    if least is None or first.detectable is None:
        return text
    if found.unit:
        size = f"{_plain(least, 2)}{a_unit(found)}"
        return f"{text} A true difference of {size} would have been found in 4 seasons of 5."
    rate = per_day(first.detectable, found.days)
    daily = "" if rate is None else f" ({_plain(rate, 3)} a day)"
    return (
        f"{text} A true difference of {_plain(least, 2)} over "
        f"{duration_text(found.days * DAY_S)}{daily} would have been found in 4 seasons of 5."
    )


def a_unit(found: RunComparison) -> str:
    """Return the unit of rates as " a day"; "" for totals of the whole compared part."""
    if not found.unit:
        return ""
    return f" {'an' if found.unit == 'hour' else 'a'} {found.unit}"


def _lengths(found: RunComparison) -> list[str]:
    """Return the length of each run, if returns are compared as rates."""
    if not found.unit:
        return []
    old, new = map(duration_text, found.lengths_s)
    return [f"Lengths: {old} before, {new} after; returns are those of{a_unit(found)}."]


def _over(found: RunComparison) -> str:
    """Return the unit and the lengths behind a difference of rates; "" for a total."""
    if not found.unit:
        return ""
    old, new = map(duration_text, found.lengths_s)
    return f"{a_unit(found)}, over {old} before and {new} after"


def _what(found: RunComparison) -> str:
    return f"Mean returns of{a_unit(found)}" if found.unit else "Returns over the compared season"


def _head(found: RunComparison) -> tuple[str, ...]:
    unit = f",{a_unit(found)}" if found.unit else ""
    return tuple(f"{name}{unit}" if name in ("before", "after") else name for name in HEAD)


def _row(line: ComparisonLine) -> tuple[str, ...]:
    name = line.before if line.before == line.after else f"{line.before} > {line.after}"
    before, after = _change(line.before_total), _change(line.after_total)
    found = simple_interval(line.difference)
    if line.difference is None or found is None:
        reason = TOO_WIDE if line.difference is not None else line.reason
        return name, before, after, formats.UNKNOWN, formats.UNKNOWN, formats.UNKNOWN, reason
    ends = f"{formats.change(found.low)} … {formats.change(found.high)}"
    p_value = formats.UNKNOWN if line.p_adjusted is None else formats.p_value(line.p_adjusted)
    better = "better" if found.value > 0 else "worse"
    verdict = line.reason or (better if line.separated else "not separated")
    return name, before, after, formats.change(found.value), ends, p_value, verdict


def _change(log_return: float) -> str:
    return formats.change(simple_return(log_return))


def _plain(share: float, digits: int) -> str:
    return formats.change(share, digits).lstrip("+")


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    rows = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[n]) for row in rows) for n in range(len(HEAD))]
    return [
        "  ".join(
            cell.ljust(width) if n in LEFT else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
