"""All figures of a row are of the compared part of the season, or are labelled."""

from dataclasses import replace
from statistics import fmean, stdev

import pytest

from judge.leaderboard import Leaderboard, leaderboard
from judge.leaderboard_text import compared_return, render_leaderboard
from judge.statistics.looks import Horizon
from tests.judge.seasons import BASELINES, MATRIX, make_season

SNAPSHOTS = 150
WHOLE = "drawdown, equity, costs and conduct are for each whole account"


def judged(joined: int, left: int | None) -> Leaderboard:
    """A planned season of two cells and baselines, in which one repeat plays only a part."""
    first, *others = MATRIX[:4] + BASELINES
    entries = (replace(first, joined=joined, left=left), *others)
    season = make_season(snapshots=SNAPSHOTS, entries=entries)
    return leaderboard(season, resamples=199, horizon=Horizon(season.periods, over=True))


@pytest.mark.parametrize(
    ("joined", "left", "begin", "end"),
    [(0, 90, 0, 90), (45, None, 45, 150), (20, 100, 20, 100), (0, None, 0, 150)],
)
def test_return_market_and_repeats_are_of_the_compared_part(
    joined: int, left: int | None, begin: int, end: int
) -> None:
    """Return minus "vs market" is the printed market; a cell's return is that of its repeats."""
    board = judged(joined, left)
    evaluation, season = board.evaluation, board.season
    hold = season.hold[end] / season.hold[begin] - 1
    gains = dict(zip(season.names, season.equity[end] / season.equity[begin] - 1, strict=True))

    assert pytest.approx(hold) == evaluation.hold_return
    assert 5 == len(evaluation.rows)
    for row in evaluation.rows:
        shown = compared_return(row, evaluation)
        own = [gains[one.agent] for one in row.repeats] or [gains[row.agent]]
        assert pytest.approx(fmean(own)) == shown == row.compared_return
        assert pytest.approx(fmean(own) - hold) == row.excess_return
        assert pytest.approx([one.total_return for one in row.repeats] or own) == own
        assert (pytest.approx(stdev(own)) if row.repeats else None) == row.repeat_sd


def test_figures_of_the_whole_account_are_labelled() -> None:
    """The label is there only if the compared part is not the whole season."""
    short, whole = (render_leaderboard(judged(0, left).evaluation) for left in (90, None))

    assert f"vs market, P(best), Sharpe and repeats are for these snapshots; {WHOLE}" in short
    assert "From gross to net, and conduct, of each whole account; amounts in USD" in short
    assert "whole account" not in whole


def test_a_return_without_interval_is_of_the_compared_part() -> None:
    """One period decides it, so it has no interval; it is not the return of the whole season."""
    board = judged(45, None)
    season = board.season
    equity = season.equity.copy()
    equity[100:, 4] *= 0.3
    board = leaderboard(replace(season, equity=equity), resamples=199)
    (row,) = (row for row in board.rows if row.agent == season.names[4])

    assert row.return_interval is None
    assert pytest.approx(equity[150, 4] / equity[45, 4] - 1) == compared_return(
        row, board.evaluation
    )
