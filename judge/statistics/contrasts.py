"""Which strategy beats which over the models, and which model beats which over the strategies.

A contrast is the difference of two means of paired returns: of two strategies over the same models,
or of two models over the same strategies. The contrasts of both factors are one family, decided
like the pairs of agents, so that a false one is as rare as a false "A beats B". If a matrix has
empty cells, two levels are compared over the cells that both have (complete cases), since a mean
over different models would compare the models too.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np

from judge.statistics.columns import FamilyOptions, compare_columns
from judge.statistics.types import Contrast, FloatArray, Pair

MatrixCell = tuple[str, str]
"""Strategy, model."""

Factor = Literal["strategy", "model"]

COLUMNS_MAX = 256
"""Most means that are resampled at once; 64 agents in any arrangement need fewer."""


class _ContrastSpec(NamedTuple):
    """One contrast that is to be decided."""

    factor: Factor
    a: str
    b: str
    over: tuple[str, ...]
    missing: tuple[str, ...]


def level_contrasts(
    cells: Mapping[MatrixCell, FloatArray], options: FamilyOptions
) -> tuple[Contrast, ...]:
    """Decide every two levels of each factor, all as one family.

    Args:
        cells: Mean log returns [T] over the repeats of each cell with agents.
        options: Settings of the comparison.

    Returns:
        Every two strategies, then every two models, each in the order of the cells.
    """
    wanted = [*_wanted(cells, "strategy"), *_wanted(cells, "model")]
    means: dict[tuple[Factor, str, tuple[str, ...]], int] = {}
    columns: list[FloatArray] = []
    combos: list[tuple[int, int]] = []
    for one in wanted:
        if not one.over:
            continue
        both = []
        for level in (one.a, one.b):
            key = (one.factor, level, one.over)
            if key not in means:
                means[key] = len(columns)
                columns.append(_mean(cells, *key))
            both.append(means[key])
        combos.append((both[0], both[1]))
    if len(columns) > COLUMNS_MAX:
        reason = f"{len(columns)} means are too many to compare; at most {COLUMNS_MAX} can be"
        return tuple(_unknown(one, reason) for one in wanted)
    decided = iter(
        compare_columns(np.column_stack(columns), combos, options).pairs if combos else ()
    )
    return tuple(
        _contrast(one, next(decided)) if one.over else _unknown(one, _nothing_in_common(one))
        for one in wanted
    )


def _wanted(cells: Mapping[MatrixCell, FloatArray], factor: Factor) -> list[_ContrastSpec]:
    own, other = (0, 1) if factor == "strategy" else (1, 0)
    levels = list(dict.fromkeys(cell[own] for cell in cells))
    others = list(dict.fromkeys(cell[other] for cell in cells))
    has = {level: {cell[other] for cell in cells if cell[own] == level} for level in levels}
    return [
        _ContrastSpec(
            factor,
            a,
            b,
            tuple(one for one in others if one in has[a] & has[b]),
            tuple(one for one in others if one in has[a] ^ has[b]),
        )
        for a, b in combinations(levels, 2)
    ]


def _mean(
    cells: Mapping[MatrixCell, FloatArray], factor: Factor, level: str, over: Sequence[str]
) -> FloatArray:
    keys = [(level, one) if factor == "strategy" else (one, level) for one in over]
    mean: FloatArray = np.mean([cells[key] for key in keys], axis=0)
    return mean


def _contrast(one: _ContrastSpec, pair: Pair) -> Contrast:
    return Contrast(
        factor=one.factor,
        a=one.a,
        b=one.b,
        difference=pair.difference,
        p_adjusted=pair.p_adjusted,
        separated=pair.separated,
        detectable=pair.detectable,
        reason=pair.reason,
        over=one.over,
        missing=one.missing,
    )


def _unknown(one: _ContrastSpec, reason: str) -> Contrast:
    return Contrast(
        one.factor, one.a, one.b, None, None, False, None, reason, one.over, one.missing
    )


def _nothing_in_common(one: _ContrastSpec) -> str:
    return f"they have no {'model' if one.factor == 'strategy' else 'strategy'} in common"
