"""The lines of `leaderboard.csv`: one per entrant, with the figures of page and message. Pure.

A cell's amounts, counts and rates are means over its repeats, as in its row; its Sharpe ratio and
P(best) are those of its mean return. Single repeats are in `figures.json`.
"""

from collections.abc import Sequence
from decimal import Decimal
from statistics import fmean

from judge.leaderboard_rows import AMOUNTS, COSTS, COUNTS, RATIOS, metric_of
from judge.metrics import Metrics, as_columns
from judge.report.facts import Facts, standing_columns

Value = float | int | str | bool | None


def entrant_row(facts: Facts, rank: int) -> dict[str, Value]:
    """Return one line of the file.

    Args:
        facts: Figures of a run.
        rank: Row of the leaderboard, from 0.
    """
    row = facts.board.rows[rank]
    number = facts.ranking[rank]
    entrant, standing = facts.entrants[number], facts.verdict.standings[number]
    own = [facts.metrics[index] for index in entrant.places]
    interval = row.return_interval
    found: dict[str, Value] = {
        "name": row.agent,
        "strategy": row.strategy,
        "model": row.model,
        "cutoff": row.cutoff,
        "contaminated": row.contaminated,
        "node": row.node,
        "kind": row.kind,
        "scripted": row.scripted,
        "seed": row.seed,
        "repeats": len(own),
        "repeat_sd": row.repeat_sd,
        **standing_columns(standing),
        "return_low": None if interval is None else interval.low,
        "return_high": None if interval is None else interval.high,
        "sharpe_unit": facts.board.evaluation.sharpe_unit,
        **(_means(own) if entrant.is_cell else as_columns(own[0])),
    }
    if entrant.is_cell:
        # Values of the row are taken from it, so that both are rounded alike.
        for column in (*AMOUNTS, *COUNTS, *RATIOS, *COSTS):
            found[metric_of(column)] = _plain(column, getattr(row, column))
    # Return and Sharpe ratio of the compared window, as everywhere.
    return found | {
        "compared_return": row.compared_return,
        "excess_return": row.excess_return,
        "sharpe": None if row.sharpe is None else row.sharpe.value,
    }


def _means(own: Sequence[Metrics]) -> dict[str, Value]:
    """Return each metric's mean over the repeats that have it; None if none has."""
    rows = [as_columns(one) for one in own]
    found: dict[str, Value] = {}
    for name in rows[0]:
        known = [float(value) for row in rows if (value := row[name]) is not None]
        found[name] = fmean(known) if known else None
    return found


def _plain(column: str, value: float | int | Decimal | None) -> Value:
    """Return amounts as numbers, and model costs as exact text."""
    if isinstance(value, Decimal):
        return float(value) if column in AMOUNTS else format(value, "f")
    return value
