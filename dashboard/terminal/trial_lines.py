"""Trials of an agent's texts on its screen of the coach: a table, and what was found. Pure."""

from collections.abc import Sequence

from rich.text import Text

from arena.prompt_versions import short_version
from arena.trial_words import figure_text
from dashboard import text
from dashboard.model.results import TrialResult
from dashboard.terminal.grid import Column, blank, table, wrap
from dashboard.terminal.palette import QUIET, WARNING

TRIALS = (
    Column("trial", cells_min=12),
    Column("result", cells_min=9),
    Column("tried", cells_min=8, optional=1),
    Column("against", cells_min=8, optional=2),
    Column("market", optional=2),
    Column("periods", "right"),
    Column("quality, points", "right"),
    Column("noise", "right", optional=1),
    Column("return, %", "right"),
    Column("noise", "right", optional=1),
)
SHADOWS = (
    Column("text", cells_min=10),
    Column("shadow agent", cells_min=20, grow=True),
    Column("decisions", "right"),
    Column("return", "right"),
    Column("calls", "right"),
    Column("cost", "right"),
)


def trial_lines(found: Sequence[TrialResult], width: int, *, gap: bool) -> list[Text]:
    """The trials, the shadow agents of one that runs, and why the others ended as they did.

    Args:
        found: The trials, the newest first.
        width: Cells of a line.
        gap: Begin with an empty line.
    """
    if not found:
        return []
    lines = [blank(width)] if gap else []
    lines += table(TRIALS, [_cells(one) for one in found], width)
    for one in found:
        style = WARNING if one.state == "running" else QUIET
        lines += wrap(f"{one.trial_id} {text.clean(one.words)}", width, style=style)
    if rows := [shadow for one in found for shadow in one.shadows]:
        lines += [blank(width)]
        lines += table(
            SHADOWS,
            [
                [
                    Text(words)
                    for words in (
                        one.arm,
                        text.one_line(one.agent, 60),
                        text.count(one.decisions),
                        "-" if one.return_pct is None else f"{one.return_pct:+.2f}%",
                        text.count(one.calls),
                        "unknown" if one.cost_usd is None else text.cost(one.cost_usd),
                    )
                ]
                for one in rows
            ],
            width,
        )
    return lines


def _cells(one: TrialResult) -> list[Text]:
    words = (
        one.trial_id,
        one.verdict or one.state,
        short_version(one.challenger),
        short_version(one.champion),
        one.market,
        text.count(one.played),
        figure_text(one.quality, 1),
        figure_text(one.noise_quality, 1),
        figure_text(one.return_pct, 2),
        figure_text(one.noise_return_pct, 2),
    )
    return [Text(word or "-") for word in words]
