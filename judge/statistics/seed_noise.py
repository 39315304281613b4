"""The noise between repeats of a cell, and effects that exceed it: F tests, shares, pairings.

Repeats saw the same market, so their noise is that of the models alone, and all results here are
valid for this market path only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from judge.statistics.distributions import chi2_ppf, f_sf, student_isf
from judge.statistics.types import Effect, FloatArray, Interval

FACTORS = ("strategy", "model", "interaction")

INTERACTION_LEVEL = 0.05
"""Level of the joint test of all interactions, and then of each one, by Bonferroni."""

SINGLE = "every cell has one agent; set repeats to 2 or more"
NO_NOISE = "repeats of a cell had exactly the same total: the seed noise is zero"


def effect_series(cells: FloatArray) -> FloatArray:
    """Return the effects of cells along the last two axes.

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


@dataclass(frozen=True, slots=True)
class SeedNoise:
    """Sums of squares of season totals, between cells and within them.

    Attributes:
        squares: Factor -> sum of squares; "seed" is within cells.
        freedom: Factor -> degrees of freedom.
        repeats: Harmonic mean of the number of repeats per cell.
        shape: Number of strategies, number of models.
        interactions: Shape [S M], strategies slowest.
        sizes: Repeats of each cell, shape [S M].
    """

    squares: Mapping[str, float]
    freedom: Mapping[str, int]
    repeats: float
    shape: tuple[int, int]
    interactions: FloatArray
    sizes: FloatArray

    @classmethod
    def of(
        cls, totals: FloatArray, cells: Sequence[Sequence[int]], shape: tuple[int, int]
    ) -> "SeedNoise":
        """Decompose the season totals of agents.

        Args:
            totals: Totals of N agents.
            cells: The agents of each cell, strategies slowest; no cell is empty.
            shape: Number of strategies, number of models.
        """
        rows, columns = shape
        groups = [totals[list(cell)] for cell in cells]
        repeats = float(1.0 / np.mean([1.0 / group.size for group in groups]))
        effects = effect_series(np.array([group.mean() for group in groups]).reshape(shape))
        found = effects**2
        within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
        scale = float((totals**2).sum())
        return cls(
            {
                "strategy": repeats * columns * float(found[:rows].sum()),
                "model": repeats * rows * float(found[rows : rows + columns].sum()),
                "interaction": repeats * float(found[rows + columns :].sum()),
                # A rounding error between equal repeats is not noise.
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
            effects[rows + columns :],
            np.array([group.size for group in groups], dtype=np.float64),
        )

    def interval(self, confidence: float, reasons: dict[str, str]) -> Interval | None:
        """Return the chi-square interval of the standard deviation between repeats."""
        freedom = self.freedom["seed"]
        if freedom == 0:
            reasons["seed_noise"] = SINGLE
            return None
        tail = (1.0 - confidence) / 2.0
        sd = np.sqrt(self.squares["seed"] / np.array([freedom, *self._quantiles(tail, freedom)]))
        return Interval(float(sd[0]), float(sd[1]), float(sd[2]))

    @staticmethod
    def _quantiles(tail: float, freedom: int) -> tuple[float, float]:
        return chi2_ppf(1.0 - tail, freedom), chi2_ppf(tail, freedom)

    def shares(self, reasons: dict[str, str]) -> dict[str, float] | None:
        """Return variance components by the method of moments, at least 0, as shares of their sum.

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
        """Return p-values of F tests against the seed noise, for factors with several levels."""
        freedom = self.freedom["seed"]
        if freedom == 0 or self.squares["seed"] == 0.0:
            reasons["p_values"] = NO_NOISE if freedom else SINGLE
            return None
        noise = self.squares["seed"] / freedom
        return {
            name: f_sf(self.squares[name] / own / noise, own, freedom)
            for name in FACTORS
            if (own := self.freedom[name])
        }

    def pairings(self, names: Sequence[str], reasons: dict[str, str]) -> tuple[Effect, ...]:
        """Return the interactions that exceed the noise between repeats.

        First one F test of all interactions; if it rejects, each of them with a simultaneous
        interval (Bonferroni). The interval covers only the noise between repeats.

        Args:
            names: Names of the cells, strategies slowest.
            reasons: Gets the reason, under "pairings", if there are none.
        """
        own, freedom = self.freedom["interaction"], self.freedom["seed"]
        if not own:
            reasons["pairings"] = "there is only one strategy or one model"
            return ()
        if not freedom:
            reasons["pairings"] = f"it cannot be separated from the noise of the seeds: {SINGLE}"
            return ()
        noise = self.squares["seed"] / freedom
        if noise == 0.0:
            reasons["pairings"] = NO_NOISE
            return ()
        p_value = f_sf(self.squares["interaction"] / own / noise, own, freedom)
        if p_value > INTERACTION_LEVEL:
            reasons["pairings"] = (
                f"they do not exceed the noise between repeats (F test of all, p = {p_value:.3f})"
            )
            return ()
        t_value = student_isf(INTERACTION_LEVEL / (2.0 * len(names)), freedom)
        reach = t_value * np.sqrt(noise * self._interaction_variances())
        found = tuple(
            Effect(name, Interval(float(size), float(size - far), float(size + far)))
            for name, size, far in zip(names, self.interactions, reach, strict=True)
            if abs(size) > far
        )
        if not found:
            reasons["pairings"] = (
                f"together they exceed the noise between repeats (F test of all, p = "
                f"{p_value:.3f}), but no single one does"
            )
        return found

    def _interaction_variances(self) -> FloatArray:
        """Return the variance of each interaction relative to one agent's noise, shape [S M]."""
        rows, columns = self.shape
        left = np.eye(rows) - 1.0 / rows
        right = np.eye(columns) - 1.0 / columns
        variances: FloatArray = np.kron(left, right) ** 2 @ (1.0 / self.sizes)
        return variances
