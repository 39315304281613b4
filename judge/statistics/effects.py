"""The model x strategy matrix taken apart: strategies, models, their interaction, and the seeds.

Two questions with two kinds of noise. The sizes of the effects carry the market's noise: they are
contrasts of paired returns, resampled in time. The repeats carry the models' own noise: the same
cell, another seed, the same market. F tests and shares look at the second alone and hold for this
market path only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from judge.statistics.agents import TOO_FLAT
from judge.statistics.resample import choose_block_length, draw_stationary
from judge.statistics.student import ROUNDING, is_constant, studentise_means
from judge.statistics.types import Effect, FloatArray, Interval, MatrixEffects
from judge.statistics.verdict import PERIODS_MIN, thinned

FACTORS = ("strategy", "model", "interaction")


def matrix_effects(
    log_returns: FloatArray,
    strategies: Sequence[str],
    models: Sequence[str],
    *,
    confidence: float = 0.90,
    seed: int = 1,
    resamples: int = 2000,
) -> MatrixEffects:
    """Take a matrix of agents apart.

    cell(s, m) = grand mean + strategy(s) + model(m) + interaction(s, m) + seed noise, with effects
    that sum to zero over every factor (Scheffe 1959, The Analysis of Variance, ch. 4), on the
    unweighted means of the cells, so that unequal numbers of repeats shift no effect.

    Args:
        log_returns: Shape [T, N], without the baselines; finite.
        strategies: The strategy of each of the N agents.
        models: The model of each of the N agents.
        confidence: Of the intervals.
        seed: Of the resampling.
        resamples: Bootstrap replications.

    Returns:
        Effects as season totals of log returns. Every interval stands for itself alone: which
        agent beats which is decided by `judge_returns`, not here.

    Raises:
        ValueError: Where the three arguments do not have the same number of agents.
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
    empty = [names[len(rows) + len(columns) + k] for k, cell in enumerate(cells) if not cell]
    if empty:
        return _unknown(rows, columns, names, f"the matrix has no agent for {empty[0]}")
    noise = _SeedNoise.of(returns.sum(axis=0), cells, (len(rows), len(columns)))
    reasons: dict[str, str] = {}
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
    )


def _unknown(
    rows: Sequence[str], columns: Sequence[str], names: Sequence[str], reason: str
) -> MatrixEffects:
    found = tuple(Effect(name, None) for name in names)
    first, second = len(rows), len(rows) + len(columns)
    keys = ("effects", "seed_noise", "shares", "p_values")
    return MatrixEffects(
        found[:first], found[first:second], found[second:], None, None, None,
        dict.fromkeys(keys, reason),
    )  # fmt: skip


def effect_series(cells: FloatArray) -> FloatArray:
    """Turn cells into effects, along the last two axes.

    Args:
        cells: Shape [..., S, M].

    Returns:
        Shape [..., S + M + S M]: strategies, models, interactions (strategies slowest).
    """
    grand = cells.mean(axis=(-2, -1), keepdims=True)
    rows = cells.mean(axis=-1, keepdims=True) - grand
    columns = cells.mean(axis=-2, keepdims=True) - grand
    both = cells - rows - columns - grand
    return np.concatenate(
        [rows[..., 0], columns[..., 0, :], both.reshape(*cells.shape[:-2], -1)], axis=-1
    )


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
        periods = returns.shape[0]
        reasons["effects"] = f"too early: {periods} periods, at least {PERIODS_MIN} are needed"
        return [None] * count
    size = float(np.abs(returns).max())
    means = np.stack([returns[:, list(cell)].mean(axis=1) for cell in cells], axis=1)
    series, _ = thinned(effect_series(means.reshape(-1, *shape)))
    series = np.where(np.abs(series).max(axis=0) <= ROUNDING * size, 0.0, series)
    constant = is_constant(series, size)
    block_length = 1.0 if constant.all() else choose_block_length(series[:, ~constant])
    rng = np.random.default_rng([seed, 3])
    result = studentise_means(
        series, draw_stationary(series.shape[0], block_length, resamples, rng), []
    )
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
    """Which effects there are: a factor with one level has none, nor has its interaction."""
    rows, columns = shape
    for levels, factor in ((rows, "strategies"), (columns, "models")):
        if levels == 1:
            reasons[factor] = reasons["interactions"] = f"there is only one of the {factor}"
    return [
        *[rows > 1] * rows,
        *[columns > 1] * columns,
        *[rows > 1 and columns > 1] * (rows * columns),
    ]


@dataclass(frozen=True, slots=True)
class _SeedNoise:
    """The sums of squares of season totals, between cells and within them."""

    squares: Mapping[str, float]
    freedom: Mapping[str, int]
    repeats: float
    shape: tuple[int, int]

    @classmethod
    def of(
        cls, totals: FloatArray, cells: Sequence[Sequence[int]], shape: tuple[int, int]
    ) -> "_SeedNoise":
        rows, columns = shape
        groups = [totals[list(cell)] for cell in cells]
        repeats = float(stats.hmean([group.size for group in groups]))
        found = effect_series(np.array([group.mean() for group in groups]).reshape(shape)) ** 2
        within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
        scale = float((totals**2).sum())
        return cls(
            {
                "strategy": repeats * columns * float(found[:rows].sum()),
                "model": repeats * rows * float(found[rows : rows + columns].sum()),
                "interaction": repeats * float(found[rows + columns :].sum()),
                # What rounding leaves between equal repeats is no noise.
                "seed": within if within > 1e-20 * scale else 0.0,
            },
            {
                "strategy": rows - 1,
                "model": columns - 1,
                "interaction": (rows - 1) * (columns - 1),
                "seed": totals.size - rows * columns,
            },
            repeats,
            shape,
        )

    def interval(self, confidence: float, reasons: dict[str, str]) -> Interval | None:
        """Chi-square interval of the standard deviation between repeats."""
        freedom = self.freedom["seed"]
        if freedom == 0:
            reasons["seed_noise"] = "every cell has one agent; set repeats to 2 or more"
            return None
        tail = (1.0 - confidence) / 2.0
        sd = np.sqrt(self.squares["seed"] / np.array([freedom, *self._quantiles(tail, freedom)]))
        return Interval(float(sd[0]), float(sd[1]), float(sd[2]))

    @staticmethod
    def _quantiles(tail: float, freedom: int) -> tuple[float, float]:
        return float(stats.chi2.ppf(1.0 - tail, freedom)), float(stats.chi2.ppf(tail, freedom))

    def shares(self, reasons: dict[str, str]) -> dict[str, float] | None:
        """Variance components by the method of moments, none below 0, as shares of their sum.

        Searle, Casella and McCulloch (1992, Variance Components, ch. 4).
        """
        if self.freedom["seed"] == 0 or min(self.shape) < 2:
            reasons["shares"] = "needs two strategies, two models and two repeats"
            return None
        mean = {name: self.squares[name] / self.freedom[name] for name in self.squares}
        rows, columns = self.shape
        parts = {
            "strategy": (mean["strategy"] - mean["interaction"]) / (self.repeats * columns),
            "model": (mean["model"] - mean["interaction"]) / (self.repeats * rows),
            "interaction": (mean["interaction"] - mean["seed"]) / self.repeats,
            "seed": mean["seed"],
        }
        parts = {name: max(part, 0.0) for name, part in parts.items()}
        whole = sum(parts.values())
        if whole == 0.0:
            reasons["shares"] = "all agents had the same total"
            return None
        return {name: part / whole for name, part in parts.items()}

    def p_values(self, reasons: dict[str, str]) -> dict[str, float] | None:
        """F tests of every factor with two levels or more against the seed noise."""
        freedom = self.freedom["seed"]
        if freedom == 0 or self.squares["seed"] == 0.0:
            reasons["p_values"] = (
                "repeats of a cell had exactly the same total: there is no seed noise"
                if freedom
                else "every cell has one agent; set repeats to 2 or more"
            )
            return None
        noise = self.squares["seed"] / freedom
        return {
            name: float(stats.f.sf(self.squares[name] / own / noise, own, freedom))
            for name in FACTORS
            if (own := self.freedom[name])
        }
