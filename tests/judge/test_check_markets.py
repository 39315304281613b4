"""The simulated markets have the moments, the dependence and the true values they state."""

from dataclasses import replace

import numpy as np
import pytest

from judge.check.markets import MarketScenario
from judge.check.real_returns import real_returns
from judge.check.return_laws import LAWS, PERIOD_SD

MIXED = [law for law in LAWS if LAWS[law].correlated and LAWS[law].alike]


@pytest.mark.parametrize("law", MIXED)
def test_markets_have_their_variance_and_correlation(law: str) -> None:
    """Over a long season the deviation and the correlation are within 6 % of those stated."""
    market = MarketScenario(law, 2, 60_000, correlation=0.5)
    season = market.season(np.random.default_rng(3))
    deviations = [float(column.std()) for column in season.T]

    assert [PERIOD_SD] * 2 == pytest.approx(deviations, rel=0.06)
    assert 0.5 == pytest.approx(np.corrcoef(season[:, 0], season[:, 1])[0, 1], abs=0.06)
    assert [0.0, 0.0] == market.truth.totals.tolist()


@pytest.mark.parametrize("law", ["spells", "real", "real-blocks", "crash400"])
def test_the_true_total_is_the_mean_of_many_seasons(law: str) -> None:
    """The mean total of 400 seasons is within three standard errors of the true value."""
    market = MarketScenario(law, 4, 200)
    totals = [market.season(np.random.default_rng(i)).sum(axis=0) for i in range(400)]
    error = np.std([t.mean() for t in totals]) / np.sqrt(400)

    assert np.ptp(market.truth.totals) == 0.0
    assert abs(np.mean(totals) - market.truth.totals[0]) < 3.0 * error


@pytest.mark.parametrize(
    ("law", "lags"),
    [
        ("ar0.3", (0.3, 0.09)),
        ("ar0.8", (0.8, 0.64)),
        ("white+ar0.8", (0.4, 0.32)),
        ("white+ar0.95", (0.0475, 0.0451)),
        ("garch", (0.0, 0.0)),
        ("fat", (0.0, 0.0)),
    ],
)
def test_markets_have_the_autocorrelation_they_state(law: str, lags: tuple[float, float]) -> None:
    """Checks the first two autocorrelations, for agents and for their difference."""
    season = MarketScenario(law, 2, 40_000).season(np.random.default_rng(1))
    for series in (season[:, 0], season[:, 0] - season[:, 1]):
        found = [np.corrcoef(series[k:], series[:-k])[0, 1] for k in (1, 2)]

        assert lags == pytest.approx(found, abs=0.045)


def test_garch_returns_have_volatility_clusters() -> None:
    """The squares of the GARCH returns depend on each other."""
    season = MarketScenario("garch", 1, 20_000).season(np.random.default_rng(1))[:, 0]

    assert np.corrcoef(season[1:] ** 2, season[:-1] ** 2)[0, 1] > 0.04


def test_real_returns_equal_those_of_the_file() -> None:
    """Two years of hours; their sum is the total rise of the price."""
    returns = real_returns()

    assert (20_110,) == returns.shape
    assert np.log(8035.88 / 2509.17) == pytest.approx(returns.sum(), abs=2e-3)
    assert 0.0 == pytest.approx(np.abs(returns / 1e-5 - np.rint(returns / 1e-5)).max(), abs=1e-6)


def test_a_gap_and_a_lead_are_added_to_the_same_season() -> None:
    """One agent falls once, another gains a little in each period, and the rest is unchanged."""
    plain = MarketScenario("normal", 4, 100)
    with_both = replace(plain, gap=-0.5, lead=0.2)
    moved = with_both.season(np.random.default_rng(7)) - plain.season(np.random.default_rng(7))

    assert np.full(100, 0.002) == pytest.approx(moved[:, 0])
    assert not moved[:, 1:3].any()
    assert [np.log(0.5)] == pytest.approx(moved[:, 3][moved[:, 3] != 0.0].tolist())
    assert (3, False) == (with_both.truth.counted, with_both.alike)
    assert [0.2, 0.0] == with_both.truth.totals[:2].tolist()


def test_the_true_sharpe_ratio_is_that_of_a_long_season() -> None:
    """Over 100,000 periods the ratio is within three standard errors of the closed form."""
    market = MarketScenario("spells", 2, 100_000)
    season = market.season(np.random.default_rng(3))
    found = season.mean(axis=0) / season.std(axis=0)

    assert market.truth.sharpes == pytest.approx(found, abs=3 / np.sqrt(100_000))
    assert market.truth.sharpes[0] == pytest.approx(-0.00154, abs=0.00001)
