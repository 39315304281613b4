"""The judge's newest evaluation on the screen. Pure."""

import re
from collections.abc import Sequence
from dataclasses import replace

from rich.text import Text

from arena.messages import Evaluation, LeaderboardRow
from arena.plural import counted
from dashboard import text
from dashboard.terminal.grid import Column, fit
from dashboard.terminal.palette import QUIET

VERDICT_CHARS_MAX = 4_000
_IN_BRACKETS = re.compile(r" \([^)]*\)")
_SENTENCES = re.compile(r"(?:(?<=[^.]\.)|(?<=, \.\.\.)) (?=[A-Z0-9])")


def judged_columns(columns: Sequence[Column], index: int, confidence: float) -> tuple[Column, ...]:
    """The columns of the ranking with the judge's two inserted at an index; they have priority."""
    added = (
        Column("ranks", "right", optional=1, cells_min=3, preferred=True),
        Column(f"{confidence:.0%} interval", "right", optional=2, preferred=True),
    )
    later = [replace(one, optional=one.optional + 2 * bool(one.optional)) for one in columns]
    return (*later[:index], *added, *later[index:])


def ranks_cell(row: LeaderboardRow | None) -> Text:
    """The possible ranks of an agent: "1-3"; "-" if it was not judged."""
    if row is None:
        return Text(text.NO_VALUE)
    low, high = row.rank_low, row.rank_high
    return Text(str(low) if low == high else f"{low}-{high}")


def interval_cell(row: LeaderboardRow | None) -> Text:
    """The interval of an agent's return in percent: "-0.38..+2.44"."""
    if row is None or row.return_interval is None:
        return Text(text.NO_VALUE)
    low, high = row.return_interval.low * 100, row.return_interval.high * 100
    return Text(f"{low:+.2f}..{high:+.2f}")


def verdict_line(evaluation: Evaluation | None, width: int) -> list[Text]:
    """The verdict in one line; no line without an evaluation.

    If it is too long, the last sentences are dropped first, with the claims and warnings counted
    instead; then the names in brackets.
    """
    if evaluation is None:
        return []
    words = text.one_line(evaluation.verdict, VERDICT_CHARS_MAX)
    head = f"judge, {counted(evaluation.snapshots, 'snapshot')}: "
    sentences, counts = _SENTENCES.split(words), _counts(evaluation)
    first = _IN_BRACKETS.sub("", sentences[0]).rstrip(".")
    shorter = (" ".join(sentences[:kept]) for kept in range(len(sentences) - 1, 0, -1))
    candidates = (
        f"{words} {warned}" if (warned := _warnings(evaluation)) else words,
        *(f"{kept} {counts}".rstrip() for kept in shorter),
        f"{first}. {counts}".rstrip(". "),
    )
    shown = next((c for c in candidates if len(head) + len(c) <= width), first)
    return [fit(Text.assemble((head, QUIET), shown), width)]


def _counts(evaluation: Evaluation) -> str:
    """The content of the dropped sentences: "3 claims, 1 withdrawn, 2 warnings"."""
    gone = sum(claim.withdrawn is not None for claim in evaluation.claims)
    held = len(evaluation.claims) - gone
    parts = [
        counted(held, "claim") if held else "",
        f"{gone} withdrawn" if gone else "",
        _warnings(evaluation),
    ]
    return ", ".join(filter(None, parts))


def _warnings(evaluation: Evaluation) -> str:
    count = len(evaluation.warnings)
    return counted(count, "warning") if count else ""
