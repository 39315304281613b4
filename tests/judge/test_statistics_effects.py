"""Effects of the matrix against SciPy, least squares and planted effects."""

import numpy as np
import pytest
from scipy import stats

from judge.statistics import matrix_effects
from judge.statistics.looks import Horizon
from judge.statistics.seed_noise import SeedNoise, effect_series
from judge.statistics.types import FloatArray

STRATEGIES = [s for s in "abc" for _ in range(8)]
MODELS = ["x", "x", "x", "x", "y", "y", "y", "y"] * 3


def matrix(seed: int = 0, periods: int = 120) -> FloatArray:
    """Three strategies, two models, four repeats; shape [T, 24]."""
    rng = np.random.default_rng(seed)
    return 0.01 * (rng.standard_normal((periods, 1)) + 0.3 * rng.standard_normal((periods, 24)))


def f_of(totals: FloatArray, design: FloatArray, dropped: slice) -> float:
    """The p-value of an F test of some columns of a design, by least squares."""
    remaining = np.delete(design, dropped, axis=1)

    def squares(columns: FloatArray) -> float:
        fitted = columns @ np.linalg.lstsq(columns, totals, rcond=None)[0]
        return float(((totals - fitted) ** 2).sum())

    whole, freedom = squares(design), totals.size - design.shape[1]
    lost = design.shape[1] - remaining.shape[1]
    return float(stats.f.sf((squares(remaining) - whole) / lost / (whole / freedom), lost, freedom))


def test_one_model_is_scipys_one_way_analysis() -> None:
    """With one model the F test of the strategies equals SciPy's `f_oneway`."""
    returns = matrix()[:, :12]
    strategies = [s for s in "abc" for _ in range(4)]
    totals = returns.sum(axis=0)
    found = matrix_effects(returns, strategies, ["x"] * 12, resamples=199)
    expected = stats.f_oneway(totals[:4], totals[4:8], totals[8:]).pvalue

    assert found.p_values is not None
    assert ["strategy"] == list(found.p_values)
    assert expected == pytest.approx(found.p_values["strategy"], abs=1e-12)
    assert [None] == [effect.size for effect in found.models]
    assert "there is only one of the models" == found.reasons["models"]


def test_the_f_tests_are_those_of_least_squares() -> None:
    """All three F tests agree with comparing nested least-squares fits."""
    returns = matrix(seed=3)
    totals = returns.sum(axis=0)
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])["abc".index("a") :].repeat(8, axis=0)
    columns = np.array([[1.0 if m == "x" else -1.0] for m in MODELS])
    design = np.hstack([np.ones((24, 1)), rows, columns, rows * columns])
    found = matrix_effects(returns, STRATEGIES, MODELS, resamples=199).p_values

    assert found is not None
    assert f_of(totals, design, slice(1, 3)) == pytest.approx(found["strategy"], abs=1e-10)
    assert f_of(totals, design, slice(3, 4)) == pytest.approx(found["model"], abs=1e-10)
    assert f_of(totals, design, slice(4, 6)) == pytest.approx(found["interaction"], abs=1e-10)


def test_effects_add_up_to_the_cells() -> None:
    """Effects sum to zero over each factor, and together they give the cells."""
    cells = np.random.default_rng(1).standard_normal((5, 3, 2))
    effects = effect_series(cells)
    rows, columns = effects[:, :3], effects[:, 3:5]
    both = effects[:, 5:].reshape(5, 3, 2)
    whole = cells.mean(axis=(1, 2))[:, None, None] + rows[:, :, None] + columns[:, None, :] + both

    np.testing.assert_allclose(cells, whole, atol=1e-12)
    for part in (rows.sum(axis=1), columns.sum(axis=1), both.sum(axis=1), both.sum(axis=2)):
        np.testing.assert_allclose(0.0, part, atol=1e-12)


def test_a_planted_effect_is_assigned_to_its_factor() -> None:
    """Strategy a earns 0.6 more: 0.4 above the mean; models and cells have no effect."""
    returns = matrix(seed=2)
    returns[:, :8] += 0.6 / 120
    found = matrix_effects(returns, STRATEGIES, MODELS, resamples=499)
    sizes = {effect.name: effect.size for effect in (*found.strategies, *found.models)}
    first, model = sizes["a"], sizes["x"]

    assert first is not None
    assert first.low > 0.3
    assert first.high < 0.5
    assert model is not None
    assert model.low < 0.0 < model.high
    assert found.shares is not None
    assert 1.0 == pytest.approx(sum(found.shares.values()))
    assert found.shares["strategy"] > 0.8
    assert "a x x" == found.interactions[0].name


def test_seed_noise_has_a_chi_square_interval() -> None:
    """The deviation between repeats is pooled over the cells and has its exact interval."""
    returns = matrix(seed=5)
    totals = returns.sum(axis=0).reshape(6, 4)
    squares = float(((totals - totals.mean(axis=1, keepdims=True)) ** 2).sum())
    found = matrix_effects(returns, STRATEGIES, MODELS, confidence=0.9, resamples=199).seed_noise

    assert found is not None
    assert found.estimate == pytest.approx(np.sqrt(squares / 18))
    assert found.low == pytest.approx(np.sqrt(squares / stats.chi2.ppf(0.95, 18)))
    assert found.high == pytest.approx(np.sqrt(squares / stats.chi2.ppf(0.05, 18)))


def test_unknown_effects_have_a_reason() -> None:
    """A missing cell, no repeats, equal repeats and a short season each have a reason."""
    returns = matrix()
    missing = matrix_effects(returns[:, :3], list("aab"), list("xyx"), resamples=199)
    single = matrix_effects(returns[:, :4], list("aabb"), list("xyxy"), resamples=199)
    level = np.repeat(returns[:, :4], 2, axis=1)
    equal = matrix_effects(level, list("aaaabbbb"), list("xxyyxxyy"), resamples=199)
    short = matrix_effects(returns[:30], STRATEGIES, MODELS, resamples=199)

    assert "the matrix has no agent for b x y" == missing.reasons["effects"]
    assert all(effect.size is None for effect in missing.strategies)
    assert (None, None, None) == (single.seed_noise, single.shares, single.p_values)
    assert single.strategies[0].size is not None
    assert {"seed_noise", "shares", "p_values", "pairings"} == set(single.reasons)
    assert equal.seed_noise is not None
    assert 0.0 == equal.seed_noise.high
    assert equal.p_values is None
    assert "too early: 30 periods, at least 60 are needed" == short.reasons["effects"]
    assert short.seed_noise is not None


def test_wrong_lengths_are_refused() -> None:
    """Every agent needs a strategy and a model."""
    with pytest.raises(ValueError, match="3 strategies and 4 models"):
        matrix_effects(matrix()[:, :4], list("aab"), list("xyxy"))


def test_strategies_are_compared_over_all_models() -> None:
    """A strategy that earns more beats each other one over both models; the models are equal."""
    returns = matrix(seed=2)
    returns[:, :8] += 0.6 / 120
    found = matrix_effects(returns, STRATEGIES, MODELS, resamples=499).contrasts
    claimed = {(c.factor, c.a, c.b) for c in found if c.separated}
    first = found[0]

    assert [("a", "b"), ("a", "c"), ("b", "c"), ("x", "y")] == [(c.a, c.b) for c in found]
    assert {("strategy", "a", "b"), ("strategy", "a", "c")} == claimed
    assert ("x", "y") == first.over
    assert first.difference is not None
    assert first.difference.low < 0.6 < first.difference.high
    assert first.difference.estimate == pytest.approx(
        returns[:, :8].sum() / 8 - returns[:, 8:16].sum() / 8
    )
    assert first.detectable is not None
    assert 0.0 < first.detectable < 0.6


def test_both_factors_are_one_family() -> None:
    """More models make a claim for a strategy harder: all contrasts are decided together."""
    rng = np.random.default_rng(4)
    strategies = [s for s in "ab" for _ in range(8)]
    models = [m for _ in "ab" for m in "stuvwxyz"]
    returns = 0.01 * rng.standard_normal((240, 16))
    returns[:, :8] += 0.0007
    whole = matrix_effects(returns, strategies, models, resamples=999).contrasts
    pooled = matrix_effects(returns, strategies, ["one"] * 16, resamples=999).contrasts

    assert 1 + 28 == len(whole)
    assert whole[0].difference is not None
    assert pooled[0].difference is not None
    assert whole[0].difference.estimate == pytest.approx(pooled[0].difference.estimate)
    assert whole[0].p_adjusted is not None
    assert pooled[0].p_adjusted is not None
    assert whole[0].p_adjusted > 2 * pooled[0].p_adjusted


def test_levels_are_compared_over_their_common_cells() -> None:
    """The model that one of the strategies lacks is left out and named.

    Model z earns much more and only strategy a has it, which must not count for a.
    """
    strategies, models = list("aaabbc"), list("xyzxyw")
    returns = 0.01 * np.random.default_rng(6).standard_normal((120, 6))
    returns[:, 2] += 0.01
    found = {(c.a, c.b): c for c in matrix_effects(returns, strategies, models).contrasts}
    both = found["a", "b"]

    assert (("x", "y"), ("z",)) == (both.over, both.missing)
    assert not both.separated
    assert both.difference is not None
    assert both.difference.estimate == pytest.approx(
        (returns[:, :2].sum() - returns[:, 3:5].sum()) / 2
    )
    assert "they have no model in common" == found["a", "c"].reason
    assert "they have no strategy in common" == found["x", "w"].reason
    assert found["a", "c"].difference is None
    assert found["x", "z"].difference is not None


def test_undecided_contrasts_have_a_reason() -> None:
    """Two models with equal answers are identical; a short season is too early."""
    returns = 0.01 * np.random.default_rng(7).standard_normal((120, 2))
    alike = matrix_effects(np.repeat(returns, 2, axis=1), list("aabb"), list("xyxy")).contrasts
    short = matrix_effects(returns[:40], list("ab"), list("xx")).contrasts

    assert "identical: the same return in every period" == alike[1].reason
    assert not alike[1].separated
    assert "too early: 40 periods, at least 60 are needed" == short[0].reason


def test_contrasts_are_decided_once() -> None:
    """A planned season decides its matrix only at its end; before that it says when.

    With a decision at every look, slow noise makes a false contrast in 7 % of seasons.
    """
    returns = matrix(seed=2)
    returns[:, :8] += 0.6 / 120
    early, over, free = (
        matrix_effects(returns, STRATEGIES, MODELS, resamples=499, horizon=horizon)
        for horizon in (
            Horizon(400, over=False),
            Horizon(120, over=True),
            Horizon(None, over=False),
        )
    )

    assert not any(one.separated for one in early.contrasts)
    assert early.contrasts[0].difference is not None
    assert early.contrasts[0].p_adjusted is None
    assert (
        "when the planned 400 periods are complete; so far there are 120"
        in (early.reasons["contrasts"])
    )
    assert over.contrasts[0].separated
    assert free.contrasts[0].separated
    assert "contrasts" not in over.reasons
    assert "contrasts" not in free.reasons


def test_a_pairing_is_shown_only_beyond_the_noise_of_the_repeats() -> None:
    """A cell that suits its model has a corrected interval; without one no pairing is shown."""
    returns = matrix(seed=5)
    none = matrix_effects(returns, STRATEGIES, MODELS, resamples=199)
    returns[:, :4] += 0.5 / 120
    found = matrix_effects(returns, STRATEGIES, MODELS, resamples=199)
    totals = returns.sum(axis=0).reshape(6, 4)
    noise = np.sqrt(((totals - totals.mean(axis=1, keepdims=True)) ** 2).sum() / 18)
    reach = stats.t.isf(0.05 / 12, 18) * noise * np.sqrt((2 / 3) * (1 / 2) / 4)

    assert () == none.pairings
    assert none.p_values is not None
    assert f"(F test of all, p = {none.p_values['interaction']:.3f})" in none.reasons["pairings"]
    assert "a x x" in {effect.name for effect in found.pairings}
    for effect in found.pairings:
        assert effect.size is not None
        assert effect.size.high - effect.size.estimate == pytest.approx(reach)
        assert abs(effect.size.estimate) > reach


def test_false_pairings_are_as_rare_as_their_level() -> None:
    """Without interaction, in cells of unequal size, 5 % of matrices show a pairing."""
    rng = np.random.default_rng(8)
    cells = [[0, 1], [2, 3, 4], [5, 6], [7, 8], [9, 10, 11, 12], [13, 14]]
    names = [str(k) for k in range(6)]
    shown = sum(
        bool(SeedNoise.of(rng.standard_normal(15), cells, (3, 2)).pairings(names, {}))
        for _ in range(1500)
    )

    assert 0.02 < shown / 1500 < 0.065
