"""Statistics of a season: which differences are real, and how large a detectable one is.

Pure functions on numpy arrays: returns and a seed in, frozen values out.
"""

from judge.statistics.effects import matrix_effects
from judge.statistics.types import (
    AgentStatistics,
    Effect,
    FloatArray,
    Interval,
    MatrixEffects,
    Pair,
    SeasonVerdict,
)
from judge.statistics.verdict import judge_returns

__all__ = [
    "AgentStatistics",
    "Effect",
    "FloatArray",
    "Interval",
    "MatrixEffects",
    "Pair",
    "SeasonVerdict",
    "judge_returns",
    "matrix_effects",
]
