"""The four dimensions of an evaluation and their formulas. Pure.

    returns      50 + 10 x return in percent                                          weight .30
    risk         100 - 2 x (drawdown - 20) - (largest position - 30) - cash penalty   weight .25
    quality      share of the checks passed, by weight; 60 % of it with a judge       weight .25
    consistency  100 - 50 x cv of the returns between snapshots                       weight .20

Every score is clamped to 0..100 and rounded to two decimals, half to even. Figures are in percent.
A return is not annualised: of minutes of data, that would make a number without meaning.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from arena.messages import CheckCount, Dimension, Judged
from judge.evaluations.checks import WEIGHTS
from judge.season.types import EQUITY_FLOOR

DIMENSION_WEIGHTS: Mapping[str, float] = {
    "returns": 0.30,
    "risk": 0.25,
    "quality": 0.25,
    "consistency": 0.20,
}
DRAWDOWN_FREE_PCT = 20.0
CONCENTRATION_FREE_PCT = 30.0
CASH_LOW_PCT, CASH_LOW_PENALTY = 5.0, 20.0
CASH_HIGH_PCT, CASH_HIGH_PENALTY = 80.0, 15.0
CODE_SHARE = 0.6
"""Share of the code's score in the quality, if a model judged turns too."""
RETURNS_MIN = 5
"""Fewest returns between snapshots for a score of consistency."""
NEUTRAL = 50.0
DIGITS = 2
INPUT_DIGITS = 6
FINE_DIGITS = 12
CV_MAX = 1e6
"""Coefficient of variation from which on returns have no mean worth the name."""
GRADES: tuple[tuple[float, Literal["A", "B", "C", "D"]], ...] = (
    (90.0, "A"),
    (80.0, "B"),
    (70.0, "C"),
    (60.0, "D"),
)


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """What an account did in the window, in percent.

    Attributes:
        return_pct: Return from the first to the last equity.
        drawdown_pct: Largest loss since an earlier high.
        concentration_pct: Largest position at the last snapshot, as a share of equity.
        cash_pct: Cash at the last snapshot, as a share of equity.
        returns: Returns between snapshots, as shares.
    """

    return_pct: float
    drawdown_pct: float
    concentration_pct: float
    cash_pct: float
    returns: tuple[float, ...]


def figures_of(equity: Sequence[float], cash: float, largest: float) -> AccountFigures:
    """The figures of an account.

    Args:
        equity: Equity at each snapshot of the window, at least one.
        cash: Cash at the last snapshot.
        largest: Value of the largest position at the last snapshot.
    """
    first, last, high, drawdown = equity[0], equity[-1], equity[0], 0.0
    for level in equity:
        high = max(high, level)
        if high > 0:
            drawdown = max(drawdown, 1 - level / high)
    returns = tuple(_change(before, after) for before, after in pairwise(equity))
    return AccountFigures(
        return_pct=_rounded(100 * _change(first, last)),
        drawdown_pct=_rounded(min(100 * drawdown, 100.0)),
        concentration_pct=_share_pct(largest, last),
        cash_pct=_share_pct(cash, last),
        returns=returns,
    )


def _change(before: float, after: float) -> float:
    """The return between two levels; none from a total loss on."""
    return after / before - 1 if before > EQUITY_FLOOR else 0.0


def _share_pct(part: float, equity: float) -> float:
    return _rounded(min(100 * part / equity, 100.0)) if equity > EQUITY_FLOOR else 0.0


def returns_dimension(account: AccountFigures) -> Dimension:
    """Score the return: +5 % is 100, -5 % is 0."""
    score = NEUTRAL + 10 * account.return_pct
    return _dimension("returns", score, {"return_pct": account.return_pct})


def risk_dimension(account: AccountFigures) -> Dimension:
    """Score drawdown, concentration and cash."""
    score = 100.0
    score -= 2 * max(account.drawdown_pct - DRAWDOWN_FREE_PCT, 0.0)
    score -= max(account.concentration_pct - CONCENTRATION_FREE_PCT, 0.0)
    if account.cash_pct < CASH_LOW_PCT:
        score -= CASH_LOW_PENALTY
    if account.cash_pct > CASH_HIGH_PCT:
        score -= CASH_HIGH_PENALTY
    inputs = {
        "drawdown_pct": account.drawdown_pct,
        "concentration_pct": account.concentration_pct,
        "cash_pct": account.cash_pct,
    }
    return _dimension("risk", score, inputs)


def consistency_dimension(account: AccountFigures) -> Dimension:
    """Score how even the returns between snapshots are, by their coefficient of variation."""
    returns = account.returns
    if len(returns) < RETURNS_MIN:
        return _dimension(
            "consistency", NEUTRAL, {"returns": len(returns)}, f"fewer than {RETURNS_MIN} returns"
        )
    mean = math.fsum(returns) / len(returns)
    spread = math.sqrt(math.fsum((r - mean) ** 2 for r in returns) / (len(returns) - 1))
    inputs = {
        "returns": len(returns),
        "mean_pct": round(100 * mean, FINE_DIGITS),
        "sd_pct": round(100 * spread, FINE_DIGITS),
    }
    if not any(returns):
        return _dimension("consistency", NEUTRAL, inputs, "the account did not move")
    if abs(mean) <= spread / CV_MAX:
        return _dimension("consistency", 0.0, inputs, "its returns have no mean")
    cv = _rounded(spread / abs(mean))
    return _dimension("consistency", 100 - 50 * cv, inputs | {"cv": cv})


def quality_dimension(checks: Mapping[str, CheckCount], judged: Judged | None) -> Dimension:
    """Score the decisions: the share of turns that passed each check, by weight."""
    rates = {
        name: one.passed / (one.passed + one.failed)
        for name, one in checks.items()
        if one.passed + one.failed
    }
    weight = sum(WEIGHTS[name] for name in rates)
    if not weight:
        return _dimension("quality", None, {}, "no check applied")
    code = _rounded(100 * math.fsum(WEIGHTS[n] * rate for n, rate in rates.items()) / weight)
    inputs = {"code": code}
    if judged is None or judged.credit is None:
        return _dimension("quality", code, inputs, "by code alone")
    credit = _rounded(100 * judged.credit)
    return _dimension("quality", _with_judged(code, credit), inputs | {"judged": credit})


def quality_interval(dimension: Dimension, judged: Judged | None) -> tuple[float, float] | None:
    """The interval of the quality score after correction; None without a calibration."""
    code = dimension.inputs.get("code")
    if judged is None or not isinstance(code, float):
        return None
    low, high = judged.corrected_low, judged.corrected_high
    if low is None or high is None:
        return None
    return _clamped(_with_judged(code, 100 * low)), _clamped(_with_judged(code, 100 * high))


def _with_judged(code: float, credit: float) -> float:
    """The quality of both scores, each from 0 to 100."""
    return CODE_SHARE * code + (1 - CODE_SHARE) * credit


def overall_of(dimensions: Mapping[str, Dimension]) -> float | None:
    """The weighted mean of the dimensions that have a score; None without any."""
    scored = [(one.score, one.weight) for one in dimensions.values() if one.score is not None]
    if not scored:
        return None
    total = math.fsum(weight for _, weight in scored)
    return _clamped(math.fsum(score * weight for score, weight in scored) / total)


def grade_of(overall: float | None) -> Literal["A", "B", "C", "D", "F"] | None:
    """The grade of an overall score."""
    if overall is None:
        return None
    return next((grade for least, grade in GRADES if overall >= least), "F")


def _dimension(
    name: str, score: float | None, inputs: Mapping[str, float], note: str = ""
) -> Dimension:
    return Dimension(
        score=None if score is None else _clamped(score),
        weight=DIMENSION_WEIGHTS[name],
        inputs=dict(inputs),
        note=note,
    )


def _rounded(value: float) -> float:
    """A figure as a record has it, so that scores can be computed again from the record."""
    return round(value, INPUT_DIGITS) + 0.0


def _clamped(score: float) -> float:
    return round(min(max(score, 0.0), 100.0), DIGITS) + 0.0
