"""Adjusted differences: returns less what the market explains, without look-ahead."""

from itertools import combinations

import numpy as np
import pytest

from arena.money import SCALE
from judge.check.appetites import adjusted_season, appetite_season
from judge.season.arrays import hold_curve
from judge.statistics.adjusted import adjusted_returns, alpha_pairs, exposure_shares
from judge.statistics.looks import Horizon
from judge.statistics.pairs import LookMemo
from judge.statistics.types import FloatArray
from judge.statistics.variance import claim_cosines, long_run_variance

PERIODS = 240


def market(seed: int = 0, periods: int = PERIODS) -> FloatArray:
    """Fat-tailed log returns."""
    return 0.006 * np.random.default_rng(seed).standard_t(4, periods)


def held(exposures: FloatArray, index: FloatArray) -> FloatArray:
    """Log returns of accounts that hold these shares of an index, and cash for the rest."""
    found: FloatArray = np.log1p(exposures * np.expm1(index)[:, None])
    return found


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_constant_market_share_has_no_adjusted_return(share: float) -> None:
    """The market explains a constant share completely, however large it is."""
    index, exposures = market(), np.full((PERIODS, 1), share)

    np.testing.assert_allclose(
        adjusted_returns(held(exposures, index), exposures, index), 0.0, atol=1e-15
    )


def test_a_gain_beyond_the_market_remains_after_adjustment() -> None:
    """What an agent earns besides its market position remains in its adjusted return."""
    index, exposures = market(), np.full((PERIODS, 1), 0.5)
    earned = held(exposures, index) + 0.001

    np.testing.assert_allclose(adjusted_returns(earned, exposures, index), 0.001, atol=1e-14)


def test_later_periods_do_not_change_earlier_adjusted_returns() -> None:
    """The first rows are equal with and without later periods, so earlier looks do not change."""
    returns, exposures, index = appetite_season(np.random.default_rng(1), PERIODS, 3)
    whole = adjusted_returns(returns, exposures, index)

    np.testing.assert_array_equal(
        adjusted_returns(returns[:100], exposures[:100], index[:100]), whole[:100]
    )


def test_exposure_that_follows_the_market_has_no_alpha() -> None:
    """An agent that buys after rises has no alpha in a market without memory.

    An adjustment by the season's mean exposure would give a negative one, as that exposure is
    high in seasons that rose.
    """
    index = 0.006 * np.random.default_rng(2).standard_normal((600, PERIODS))
    before = np.hstack([np.zeros((600, 1)), np.cumsum(index, axis=1)[:, :-1]])
    exposures = 1.0 / (1.0 + np.exp(-before / 0.05))
    found = np.array(
        [
            adjusted_returns(held(e[:, None], m), e[:, None], m).sum()
            for e, m in zip(exposures, index, strict=True)
        ]
    )
    means = exposures.mean(axis=1, keepdims=True)
    season = (np.log1p(exposures * np.expm1(index)) - means * index).sum(axis=1)

    def off(totals: FloatArray) -> float:
        return float(abs(totals.mean()) / (totals.std() / np.sqrt(totals.size)))

    assert off(found) < 3.0
    assert off(season) > 10.0


@pytest.mark.parametrize("drift", [0.0, 0.15, -0.15])
def test_false_claims_stay_rare_in_a_drifting_market(drift: float) -> None:
    """Agents without skill and of unequal exposure are seldom separated after adjustment.

    Student's t replaces the resampling here; `arena verdict-check` counts the real decision.
    """
    claims, raw = 0, 0
    seasons, count = 400, claim_cosines(PERIODS)
    for seed in range(seasons):
        returns, exposures, index = appetite_season(
            np.random.default_rng([3, seed]), PERIODS, 2, drift=drift
        )
        gaps = [x[:, :1] - x[:, 1:] for x in (returns, adjusted_returns(returns, exposures, index))]
        t_raw, t_adjusted = (
            float(abs(gap.mean()) / np.sqrt(long_run_variance(gap, count)[0] / PERIODS))
            for gap in gaps
        )
        raw, claims = raw + (t_raw > 2.9), claims + (t_adjusted > 2.9)

    assert claims <= 0.04 * seasons
    if drift:
        assert raw > 0.04 * seasons


def test_adjustment_halves_the_variance_of_unequal_appetites() -> None:
    """The variance of a difference falls to less than a half."""
    totals = np.array(
        [
            [x[:, 0].sum() - x[:, 1].sum() for x in (returns, adjusted)]
            for seed in range(200)
            for returns, adjusted in [_both(seed)]
        ]
    )
    raw, left = totals.var(axis=0)

    assert 0.2 < left / raw < 0.55


def _both(seed: int) -> tuple[FloatArray, FloatArray]:
    found = appetite_season(np.random.default_rng([4, seed]), PERIODS, 2)
    again = adjusted_season(np.random.default_rng([4, seed]), PERIODS, 2, 0.0)
    return found[0], again


def test_alpha_claims_are_a_separate_family() -> None:
    """A steady gain is claimed against every other agent, with pairs in the verdict's order."""
    returns, exposures, index = appetite_season(np.random.default_rng(5), PERIODS, 4)
    returns[:, 2] += 0.004
    found = alpha_pairs(returns, exposures, index, resamples=299)

    assert list(combinations(range(4), 2)) == [(pair.a, pair.b) for pair in found.pairs]
    assert {(0, 2), (1, 2), (2, 3)} == {(p.a, p.b) for p in found.pairs if p.separated}
    assert found.totals[2] is not None
    assert found.totals[2].low > 0.0


def test_alpha_is_claimed_at_looks() -> None:
    """A running season claims alpha at its looks, with the same result with and without a cache."""
    returns, exposures, index = appetite_season(np.random.default_rng(6), PERIODS, 2)
    returns[:, 1] += 0.004
    horizon = Horizon(320, over=False)
    memo: LookMemo = {}
    first = alpha_pairs(returns, exposures, index, resamples=299, horizon=horizon, memo=memo)
    again = alpha_pairs(returns, exposures, index, resamples=299, horizon=horizon, memo=memo)
    (pair,) = first.pairs

    assert first == again
    assert memo
    assert pair.separated
    assert pair.claimed_at is not None
    assert pair.claimed_at < PERIODS


def test_too_short_a_season_has_a_reason() -> None:
    """Fewer than 60 periods give no decision and a reason."""
    returns, exposures, index = appetite_season(np.random.default_rng(7), 30, 2)
    (pair,) = alpha_pairs(returns, exposures, index).pairs

    assert "too early: 30 periods, at least 60 are needed" == pair.reason
    assert not pair.separated


def test_market_share_is_position_value_over_equity() -> None:
    """The share is taken at the start of the period, and is 0 for an account worth nothing."""
    equity = np.array([[100.0, 100.0], [80.0, 0.0], [90.0, 0.0]])
    exposure = np.array(
        [[[0.0, 0.0], [50.0, 50.0]], [[20.0, 20.0], [0.0, 0.0]], [[9.0, 0], [0, 0]]]
    )

    np.testing.assert_allclose(exposure_shares(equity, exposure), [[0.0, 1.0], [0.5, 0.0]])


@pytest.mark.parametrize(
    ("exposures", "index", "message"),
    [
        (np.full((PERIODS, 2), 1.2), market(), "entrant 0 in period 0 was 1.2"),
        (np.full((PERIODS, 2), np.nan), market(), "send a share of equity, 0 to 1"),
        (np.zeros((PERIODS, 3)), market(), r"send \[T, N\], \[T, N\] and \[T\]"),
        (np.zeros((PERIODS, 2)), np.full(PERIODS, -np.inf), "period 0 was not finite"),
    ],
)
def test_wrong_shapes_and_shares_are_refused(
    exposures: FloatArray, index: FloatArray, message: str
) -> None:
    """The error names the wrong value and what to pass."""
    with pytest.raises(ValueError, match=message):
        adjusted_returns(np.zeros((PERIODS, 2)), exposures, index)


def test_a_product_without_a_bid_is_valued_at_its_cost() -> None:
    """A product with an ask and no bid leaves no missing value in the index."""
    bids = np.array([[np.nan, 1.0], [np.nan, 1.1], [10.0, 1.2], [10.0, 1.2]])
    asks = np.array([[10.0, 1.0]] * 4)
    curve = hold_curve(100 * SCALE, bids, asks, fee=0.0, slippage=0.0)

    np.testing.assert_allclose(curve, [100.0, 105.0, 110.0, 110.0])
