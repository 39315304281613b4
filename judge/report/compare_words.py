"""A comparison of two runs as lines of plain text. Pure."""

from collections.abc import Sequence
from dataclasses import asdict

from arena.visible import laid_out, one_line
from judge.report import words
from judge.report.compare import Comparison, Line
from judge.report.facts import Figures

HEAD = ("", "before", "after", "after less before", "interval", "p adjusted", "verdict")
LEFT = (0, 6)


def compare_document(found: Comparison) -> Figures:
    """The comparison as a JSON tree; differences are season totals of log returns."""
    return asdict(found)


def compare_lines(found: Comparison) -> list[str]:
    """What a person reads."""
    how = "Paired" if found.paired else "Unpaired"
    lines = [
        f"{found.after} against {found.before}",
        f"{how}: {found.why}.",
        f"Buy and hold: {words.change(found.hold_before)} before, "
        f"{words.change(found.hold_after)} after.",
        "",
        *_table([HEAD, *(_row(line) for line in found.lines)]),
        "",
        conclusion(found),
        f"Returns over the season; intervals {found.confidence:.0%}, each for its line alone; "
        "p adjusted over the lines of its kind (Holm).",
    ]
    for names, run in ((found.only_before, found.before), (found.only_after, found.after)):
        if names:
            lines.append(f"Only in {run}: {', '.join(names)}.")
    for names, run in ((found.dead_before, found.before), (found.dead_after, found.after)):
        if names:
            lines.append(f"Dead in {run}, not compared: {', '.join(names)}.")
    if not found.paired:
        lines.append("A paired contest tells more: hold both in lock-step on the same prices.")
    return [laid_out(line) for line in lines]


def conclusion(found: Comparison) -> str:
    """Did it help? In one sentence."""
    first = found.lines[0]
    who = first.before if first.level == "agent" else f"the {first.before}"
    if first.identical:
        return f"Nothing changed for {who}: {first.reason}."
    if first.difference is None:
        return f"No verdict on {who}: {first.reason}."
    size = words.log_change(first.difference.estimate)
    if first.separated:
        did = "did better" if first.difference.estimate > 0 else "did worse"
        return f"After the change {who} {did}: {size}."
    text = f"Cannot tell whether {who} changed ({size})"
    if first.detectable is not None:
        least = words.log_change(first.detectable).lstrip("+")
        text += f"; a difference under {least} could not have been seen"
    return f"{text}."


def _row(line: Line) -> tuple[str, ...]:
    name = line.before if line.before == line.after else f"{line.before} > {line.after}"
    before, after = words.log_change(line.before_total), words.log_change(line.after_total)
    if line.difference is None:
        return name, before, after, words.UNKNOWN, words.UNKNOWN, words.UNKNOWN, line.reason
    ends = f"{words.log_change(line.difference.low)} … {words.log_change(line.difference.high)}"
    p_value = words.UNKNOWN if line.p_adjusted is None else f"{line.p_adjusted:.3f}"
    better = "better" if line.difference.estimate > 0 else "worse"
    verdict = line.reason or (better if line.separated else "not separated")
    difference = words.log_change(line.difference.estimate)
    return name, before, after, difference, ends, p_value, verdict


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
