"""Metrics of an entry's conduct: decisions, outputs, model cost. Pure."""

from collections.abc import Sequence
from decimal import Decimal

from judge.season.types import FloatArray, LlmSpend, TurnSummary


def made(decisions: Sequence[TurnSummary]) -> int:
    """Return the number of completed turns; a turn that a crash cut off does not count."""
    return sum(one.outcome != "aborted" for one in decisions)


def invalid_rate(decisions: Sequence[TurnSummary]) -> float | None:
    """Return the share of decisions with an unusable output (`TurnSummary.invalid`).

    None if nothing was decided.
    """
    count = made(decisions)
    if not count:
        return None
    return sum(one.invalid > 0 for one in decisions if one.outcome != "aborted") / count


def hold_share(decisions: Sequence[TurnSummary]) -> float | None:
    """Return the share of turns without an order among those in which the model decided.

    None if it never decided: a failed turn is not a hold.
    """
    count = sum(one.decided for one in decisions)
    return sum(one.held for one in decisions) / count if count else None


def llm_cost(spend: LlmSpend, decisions: Sequence[TurnSummary]) -> Decimal | None:
    """Return the cost of all model calls in US dollars, replayed ones at their recorded cost.

    None if the price of any is unknown, or turns of a model have no records of their calls.
    """
    if not spend.calls and any(one.rounds for one in decisions):
        return None
    return spend.cost_usd


def net_return(equity: FloatArray, cost_usd: float | None) -> float | None:
    """Return the simple return after the model's cost: (equity[T] - cost) / equity[0] - 1.

    None if the cost is unknown or there is no period.
    """
    if cost_usd is None or len(equity) < 2 or equity[0] <= 0:
        return None
    return float((equity[-1] - cost_usd) / equity[0] - 1)


def mean_ms(values: Sequence[float]) -> float | None:
    """Return the mean of durations in milliseconds; None without one that was measured.

    In a backtest all are zero.
    """
    return sum(values) / len(values) if any(values) else None
