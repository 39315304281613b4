"""Decomposition of the model x strategy matrix: strategies, models, interaction, seed noise.

Two questions have two kinds of noise. Effects and contrasts have the market's noise: they are means
of paired returns, resampled in time. Repeats have the models' own noise: the same cell and market,
another seed. F tests, shares and pairings use only the second kind and are valid for this market
path only.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from judge.statistics.agents import TOO_FLAT
from judge.statistics.columns import FamilyOptions
from judge.statistics.contrasts import level_contrasts
from judge.statistics.looks import FINISHED, Horizon
from judge.statistics.resample import choose_block_length, draw_signs
from judge.statistics.seed_noise import SeedNoise, effect_series
from judge.statistics.student import ROUNDING, is_constant, studentise_means
from judge.statistics.types import Contrast, Effect, FloatArray, Interval, MatrixEffects
from judge.statistics.verdict import PERIODS_MIN, aggregated, too_early


def matrix_effects(
    log_returns: FloatArray,
    strategies: Sequence[str],
    models: Sequence[str],
    *,
    confidence: float = 0.90,
    seed: int = 1,
    resamples: int = 2000,
    horizon: Horizon = FINISHED,
) -> MatrixEffects:
    """Decompose a matrix of agents.

    cell(s, m) = grand mean + strategy(s) + model(m) + interaction(s, m) + seed noise, with effects
    that sum to zero over every factor (Scheffe 1959, The Analysis of Variance, ch. 4), on the
    unweighted means of the cells, so that unequal numbers of repeats shift no effect.

    Args:
        log_returns: Shape [T, N], without the baselines; finite.
        strategies: The strategy of each of the N agents.
        models: The model of each of the N agents.
        confidence: Confidence of the intervals.
        seed: Seed of the resampling.
        resamples: Number of bootstrap replications.
        horizon: Planned length of the season, and whether it is over. With a planned end the
            contrasts are decided once, at that end; without one at every look.

    Returns:
        Effects as season totals of log returns; each interval is for that effect alone.
        The contrasts of both factors are decided together, like the pairs of a verdict. A matrix
        with empty cells has contrasts, but no effects.

    Raises:
        ValueError: The three arguments differ in the number of agents.
    """
    returns = np.asarray(log_returns, dtype=np.float64)
    if returns.ndim != 2 or not returns.shape[1] == len(strategies) == len(models) > 0:
        raise ValueError(
            f"log_returns had shape {returns.shape} for {len(strategies)} strategies and "
            f"{len(models)} models; send [T, N] and N of each"
        )
    rows, columns = list(dict.fromkeys(strategies)), list(dict.fromkeys(models))
    names = [*rows, *columns, *(f"{row} x {column}" for row in rows for column in columns)]
    cells = [
        [i for i, cell in enumerate(zip(strategies, models, strict=True)) if cell == (row, column)]
        for row in rows
        for column in columns
    ]
    reasons: dict[str, str] = {}
    means = _cell_means(returns, rows, columns, cells)
    options = FamilyOptions(confidence, seed, resamples, horizon)
    contrasts = _contrasts(means, options, returns.shape[0], reasons)
    empty = [names[len(rows) + len(columns) + k] for k, cell in enumerate(cells) if not cell]
    if empty:
        reason = f"the matrix has no agent for {empty[0]}"
        return _unknown(rows, columns, names, reason, contrasts, reasons)
    noise = SeedNoise.of(returns.sum(axis=0), cells, (len(rows), len(columns)))
    sizes = _sizes(returns, cells, (len(rows), len(columns)), confidence, seed, resamples, reasons)
    found = [Effect(name, size) for name, size in zip(names, sizes, strict=True)]
    shares, p_values = noise.shares(reasons), noise.p_values(reasons)
    return MatrixEffects(
        strategies=tuple(found[: len(rows)]),
        models=tuple(found[len(rows) : len(rows) + len(columns)]),
        interactions=tuple(found[len(rows) + len(columns) :]),
        seed_noise=noise.interval(confidence, reasons),
        shares=shares,
        p_values=p_values,
        reasons=reasons,
        contrasts=contrasts,
        pairings=noise.pairings(names[len(rows) + len(columns) :], reasons),
    )


def _contrasts(
    means: dict[tuple[str, str], FloatArray],
    options: FamilyOptions,
    periods: int,
    reasons: dict[str, str],
) -> tuple[Contrast, ...]:
    """Decide the contrasts; with a planned end only at that end, not at earlier looks."""
    planned, over = options.horizon.planned, options.horizon.over
    if planned is None:
        return level_contrasts(means, options)
    found = level_contrasts(means, replace(options, horizon=FINISHED))
    if over:
        return found
    reasons["contrasts"] = (
        f"strategies and models are compared with each other once, when the planned {planned:,} "
        f"periods are complete; so far there are {periods:,}"
    )
    return tuple(replace(one, p_adjusted=None, separated=False) for one in found)


def _cell_means(
    returns: FloatArray,
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Sequence[Sequence[int]],
) -> dict[tuple[str, str], FloatArray]:
    """Return the mean returns [T] of the repeats of each cell with agents."""
    named = zip(product(rows, columns), cells, strict=True)
    return {name: returns[:, list(cell)].mean(axis=1) for name, cell in named if cell}


def _unknown(
    rows: Sequence[str],
    columns: Sequence[str],
    names: Sequence[str],
    reason: str,
    contrasts: tuple[Contrast, ...],
    reasons: dict[str, str],
) -> MatrixEffects:
    found = tuple(Effect(name, None) for name in names)
    first, second = len(rows), len(rows) + len(columns)
    keys = ("effects", "seed_noise", "shares", "p_values", "pairings")
    return MatrixEffects(
        found[:first], found[first:second], found[second:], None, None, None,
        reasons | dict.fromkeys(keys, reason), contrasts,
    )  # fmt: skip


def _sizes(
    returns: FloatArray,
    cells: Sequence[Sequence[int]],
    shape: tuple[int, int],
    confidence: float,
    seed: int,
    resamples: int,
    reasons: dict[str, str],
) -> list[Interval | None]:
    count = sum(shape) + shape[0] * shape[1]
    if returns.shape[0] < PERIODS_MIN:
        reasons["effects"] = too_early(returns.shape[0])
        return [None] * count
    size = float(np.abs(returns).max())
    means = np.stack([returns[:, list(cell)].mean(axis=1) for cell in cells], axis=1)
    series, _ = aggregated(effect_series(means.reshape(-1, *shape)))
    series = np.where(np.abs(series).max(axis=0) <= ROUNDING * size, 0.0, series)
    constant = is_constant(series, size)
    block_length = 1.0 if constant.all() else choose_block_length(series[:, ~constant])
    rng = np.random.default_rng([seed, 3])
    result = studentise_means(series, draw_signs(series.shape[0], block_length, resamples, rng), [])
    found = [
        result.agents.interval(column, confidence=confidence, scale=series.shape[0])
        for column in range(count)
    ]
    if None in found:
        reasons["effects"] = TOO_FLAT
    return [
        size if here else None for size, here in zip(found, _exists(shape, reasons), strict=True)
    ]


def _exists(shape: tuple[int, int], reasons: dict[str, str]) -> list[bool]:
    """Return which effects exist: a factor with one level has none, nor does its interaction."""
    rows, columns = shape
    for levels, factor in ((rows, "strategies"), (columns, "models")):
        if levels == 1:
            reasons[factor] = reasons["interactions"] = f"there is only one of the {factor}"
    return [
        *[rows > 1] * rows,
        *[columns > 1] * columns,
        *[rows > 1 and columns > 1] * (rows * columns),
    ]
