"""The looks of a season: error spending against Brownian paths, and the claims at looks."""

import numpy as np
import pytest
from scipy import stats

from judge.statistics.looks import (
    ERROR_SPENT,
    FINISHED,
    Horizon,
    anytime_level,
    look_times,
    nominal_levels,
    planned_looks,
)
from judge.statistics.multiplicity import CLAIM_LEVEL
from judge.statistics.pairs import LookMemo, PairDecision, PairHistory
from judge.statistics.types import FloatArray, SeasonVerdict
from judge.statistics.verdict import judge_returns

PLANNED = 384


def test_two_looks_have_pococks_closed_form() -> None:
    """The recursion gives the levels of a bivariate normal for two looks."""
    levels = nominal_levels([1, 2], [0.01, 0.05])
    first, second = (float(stats.norm.isf(level / 2.0)) for level in levels)
    corner = stats.multivariate_normal(cov=[[1.0, 0.5**0.5], [0.5**0.5, 1.0]])
    inside = corner.cdf([first, second], lower_limit=[-first, -second])

    assert levels[0] == pytest.approx(0.01, rel=1e-6)
    assert 1.0 - inside == pytest.approx(0.05, abs=2e-4)


def test_paths_cross_as_often_as_was_spent() -> None:
    """Over all looks a Brownian path crosses the boundary with the error that is spent."""
    steps = np.random.default_rng(1).standard_normal((60_000, PLANNED // 48))
    times = np.array([look.periods for look in planned_looks(PLANNED)])
    paths = np.cumsum(steps, axis=1)[:, times // 48 - 1] / np.sqrt(times // 48)
    limits = [stats.norm.isf(look.level / 2.0) for look in planned_looks(PLANNED)]

    assert (np.abs(paths) > limits).any(axis=1).mean() == pytest.approx(ERROR_SPENT, abs=0.002)


def test_looks_are_at_eighths_from_the_half_on() -> None:
    """No look before the half, none under 60 periods, the last at the planned end."""
    assert (192, 240, 288, 336, 384) == look_times(PLANNED, 1_000)
    assert (192, 240) == look_times(PLANNED, 250)
    assert (60, 70, 80) == look_times(80, 80)
    assert () == look_times(40, 40)
    levels = [look.level for look in planned_looks(PLANNED)]
    assert levels == sorted(levels)
    assert 0.7 * ERROR_SPENT < levels[-1] < ERROR_SPENT


def test_a_season_that_ends_early_spends_the_rest_at_its_end() -> None:
    """The earlier looks do not change; the last one has all the remaining error."""
    early = Horizon(PLANNED, over=True).looks(300)

    assert [192, 240, 288, 300] == [look.periods for look in early]
    assert early[:3] == pytest.approx(planned_looks(PLANNED)[:3])
    assert early[-1].level > planned_looks(PLANNED)[3].level


def test_without_an_end_the_looks_become_rarer() -> None:
    """Each look is when the season has grown by a quarter; the level falls slowly, not to 0."""
    assert (60, 75, 94, 117) == look_times(None, 120)
    assert look_times(None, 100_000)[-1] > 80_000
    assert all(1e-5 < anytime_level(n) < ERROR_SPENT for n in look_times(None, 1_000_000))


@pytest.mark.parametrize(
    ("horizon", "periods", "count", "following"),
    [
        (FINISHED, 100, 1, None),
        (Horizon(PLANNED, over=False), 200, 5, 240),
        (Horizon(PLANNED, over=False), 500, 5, None),
        (Horizon(PLANNED, over=True), PLANNED, 5, None),
        (Horizon(None, over=False), 61, None, 75),
        (Horizon(None, over=True), 75, 2, None),
        (Horizon(None, over=True), 80, 3, None),
    ],
)
def test_remaining_looks_are_counted(
    horizon: Horizon, periods: int, count: int | None, following: int | None
) -> None:
    """The number of looks that remain, and when the next one is."""
    assert (count, following) == (horizon.count(periods), horizon.next_look(periods))


def test_one_look_is_at_the_claim_level() -> None:
    """A season that was not watched has one look."""
    (look,) = FINISHED.looks(300)

    assert (300, CLAIM_LEVEL) == (look.periods, look.level)


def test_the_end_of_an_unplanned_season_is_one_more_look() -> None:
    """Its level is that of a sequence that is valid at any time."""
    looks = Horizon(None, over=True).looks(100)

    assert [60, 75, 94, 100] == [look.periods for look in looks]
    assert looks[-1].level == anytime_level(100) == Horizon(None, over=False).level_at(100)
    assert CLAIM_LEVEL == FINISHED.level_at(100)


CLAIM, EXCLUDES_ZERO, CONTAINS_ZERO, AGAINST = (
    PairDecision(1, 1),
    PairDecision(0, 1),
    PairDecision(0, 0),
    PairDecision(0, -1),
)


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        ([CONTAINS_ZERO, EXCLUDES_ZERO], PairHistory(None, None)),
        ([EXCLUDES_ZERO, CLAIM, EXCLUDES_ZERO], PairHistory(2, None)),
        ([CLAIM, CONTAINS_ZERO, EXCLUDES_ZERO], PairHistory(1, 2)),
        ([CLAIM, AGAINST, CLAIM], PairHistory(1, 2)),
        ([CLAIM, CLAIM], PairHistory(1, None)),
    ],
)
def test_a_claim_stays_until_its_interval_contains_zero(
    decisions: list[PairDecision], expected: PairHistory
) -> None:
    """It needs no second test; after a withdrawal it is not made again."""
    history, sign = PairHistory(), 0
    for number, decision in enumerate(decisions, 1):
        history, sign = history.after(number, decision, sign)

    assert expected == history


def season(seed: int, lead: float = 0.0) -> FloatArray:
    """Two agents, the first better by a constant in each period."""
    returns = 0.005 * np.random.default_rng(seed).standard_normal((PLANNED, 2))
    returns[:, 0] += lead
    return returns


def watched(returns: FloatArray, horizon: Horizon, memo: LookMemo | None = None) -> SeasonVerdict:
    """The verdict on two agents up to now."""
    return judge_returns(
        returns, "ab", periods_per_year=8760.0, resamples=299, horizon=horizon, memo=memo
    )


def test_a_claim_is_made_once_and_seen_by_every_later_verdict() -> None:
    """Verdicts of a part and of the whole season agree about the same look."""
    returns, horizon = season(3, 0.0016), Horizon(PLANNED, over=False)
    memo: LookMemo = {}
    claimed = []
    for periods in (191, 192, 230, 240, 300, 384):
        found = watched(returns[:periods], horizon, memo)
        assert found == watched(returns[:periods], horizon)
        (pair,) = found.pairs
        claimed.append(pair.claimed_at)
        assert pair.separated == (pair.claimed_at is not None)
        assert found.look == len(look_times(PLANNED, periods))

    assert claimed[0] is None
    (at,) = set(claimed) - {None}
    first = claimed.index(at)
    assert [at] * len(claimed[first:]) == claimed[first:]
    assert at in look_times(PLANNED, PLANNED)
    assert len(memo) == 4


def test_between_two_looks_nothing_is_claimed() -> None:
    """However large the difference is, a claim needs a look."""
    returns = season(1, 0.05)
    found = watched(returns[:191], Horizon(PLANNED, over=False))

    assert not found.pairs[0].separated
    assert (0, 5, 192) == (found.look, found.looks, found.next_look)
    assert found.interim
