"""The judge's newest evaluation on the screen and in the standings document. Pure."""

import re
from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue
from rich.text import Text

from arena.messages import Evaluation, LeaderboardRow
from dashboard import text
from dashboard.grid import Column, fit
from dashboard.palette import QUIET

_IN_BRACKETS = re.compile(r" \([^)]*\)")
_UNSEEN = re.compile(r"; a difference under (.+) could not have been seen in .*")


def judged_columns(columns: Sequence[Column], place: int, confidence: float) -> tuple[Column, ...]:
    """The columns of the ranking with the judge's two at a place; others give way to them."""
    mine = (
        Column("ranks", "right", optional=1, floor=3),
        Column(f"{confidence:.0%} interval", "right", optional=2),
    )
    later = [replace(one, optional=one.optional + 2 * bool(one.optional)) for one in columns]
    return (*later[:place], *mine, *later[place:])


def ranks_cell(row: LeaderboardRow | None) -> Text:
    """The ranks that are open to an agent: "1-3"; "-" where it was not judged."""
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
    """One line of what can be told; nothing where there is no evaluation.

    Where the room is short, the second sentence goes first, then the names in brackets, then the
    length of the season.
    """
    if evaluation is None:
        return []
    words = text.one_line(evaluation.verdict)
    head = f"judge, {text.count(evaluation.snapshots)} snapshots: "
    first = words.split(". ")[0].rstrip(".")
    bare = _IN_BRACKETS.sub("", first)
    for candidate in (words, first, bare, _UNSEEN.sub(r"; below \1 cannot be seen", bare)):
        if len(head) + len(candidate) <= width:
            break
    return [fit(Text.assemble((head, QUIET), candidate), width)]


def verdict_document(evaluation: Evaluation | None) -> JsonValue:
    """The evaluation in the standings document; None where there is none."""
    if evaluation is None:
        return None
    return {
        "snapshots": evaluation.snapshots,
        "words": evaluation.verdict,
        "confidence": evaluation.confidence,
        "detectable": evaluation.detectable,
        "hold_return": evaluation.hold_return,
    }


def judged_document(row: LeaderboardRow | None) -> JsonValue:
    """What the evaluation says of one agent; None where it says nothing."""
    if row is None:
        return None
    interval = row.return_interval
    return {
        "rank_low": row.rank_low,
        "rank_high": row.rank_high,
        "return_low": interval.low if interval else None,
        "return_high": interval.high if interval else None,
        "p_best": row.p_best,
    }
