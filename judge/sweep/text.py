"""The result of a sweep as text and as JSON. Pure."""

from typing import Any

import numpy as np

from arena.metrics.sharpe import sharpe_scale
from arena.plural import counted
from judge.formatting import DASH, percent, rank_text
from judge.statistics.types import Interval, Pair
from judge.sweep.verdict import SweepResult
from judge.sweep.walk_forward import WalkForward

SURE = 0.95
"""A deflated Sharpe ratio above this is more than the luck of a search."""


def sweep_lines(result: SweepResult) -> list[str]:
    """The result as text: out of sample first, then the finding, then the table."""
    lines = _walk_lines(result)
    lines += [_finding(result), ""]
    return lines


def sweep_rows(result: SweepResult) -> list[tuple[str, ...]]:
    """The table of candidates with its headings, the best first."""
    factor, unit = sharpe_scale(result.interval_s, result.verdict.periods)
    rows: list[tuple[str, ...]] = [
        ("ranks", "candidate", "return", "interval", f"Sharpe/{unit}", "PSR", "DSR")
    ]
    for n in result.order:
        one, standing = result.candidates[n], result.verdict.standings[n]
        ratio = standing.sharpe
        rows.append(
            (
                rank_text(standing.rank_low, standing.rank_high),
                result.names[n],
                percent(float(np.expm1(one.log_returns.sum())), signed=True),
                _interval(standing.total),
                DASH if ratio is None else f"{ratio.estimate * factor:+.2f}",
                _share(standing.psr),
                "baseline" if one.is_baseline else _share(standing.dsr),
            )
        )
    return rows


def sweep_document(result: SweepResult) -> dict[str, Any]:  # Any: a JSON tree
    """The result as JSON; shares and log returns as numbers."""
    document: dict[str, Any] = {
        "periods": result.verdict.periods,
        "trials": result.trials,
        "finding": _finding(result),
        "candidates": [
            {
                "name": result.names[n],
                "point": result.candidates[n].point,
                "entrant": result.candidates[n].name,
                "baseline": result.candidates[n].is_baseline,
                "return": float(np.expm1(result.candidates[n].log_returns.sum())),
                "psr": result.verdict.standings[n].psr,
                "dsr": result.verdict.standings[n].dsr,
                "rank_low": result.verdict.standings[n].rank_low,
                "rank_high": result.verdict.standings[n].rank_high,
            }
            for n in result.order
        ],
    }
    if result.walk is not None:
        document["walk_forward"] = _walk_document(result.walk, result)
    return document


def _walk_document(walk: WalkForward, result: SweepResult) -> dict[str, Any]:  # Any: a JSON tree
    walked = result.walked
    return {
        "return": float(np.expm1(walk.out_of_sample.sum())),
        "psr": walked.psr if walked is not None else None,
        "windows": [
            {
                "begin": choice.begin,
                "chosen": result.names[choice.chosen],
                "train": float(np.expm1(choice.train)),
                "test": float(np.expm1(choice.test)),
            }
            for choice in walk.choices
        ],
    }


def _walk_lines(result: SweepResult) -> list[str]:
    walk, walked = result.walk, result.walked
    if walk is None or walked is None:
        return []
    chosen = sum(choice.train for choice in walk.choices)
    total = percent(float(np.expm1(walk.out_of_sample.sum())), signed=True)
    return [
        f"Out of sample: {total} {_interval(walked.total)} in "
        f"{counted(len(walk.choices), 'window')}, each with the candidate that was best before it; "
        f"in sample these had {percent(float(np.expm1(chosen)), signed=True)}.",
    ]


def _finding(result: SweepResult) -> str:
    """Whether the best candidate is more than luck, and what it is separated from."""
    competing = [n for n in result.order if not result.candidates[n].is_baseline]
    best = competing[0]
    standing = result.verdict.standings[best]
    total = percent(float(np.expm1(result.candidates[best].log_returns.sum())), signed=True)
    head = f"Best in sample: {result.names[best]} with {total}"
    field = f"of {counted(result.trials, 'distinct candidate')}"
    if not result.candidates[best].log_returns.any():
        return f"{head}: it never traded, and every other candidate lost or did nothing, too."
    if standing.dsr is None:
        why = result.verdict.reasons.get("dsr") or result.verdict.reasons.get("sharpe") or ""
        return f"{head}, {field}; its Sharpe ratio cannot be judged{': ' if why else ''}{why}."
    luck = "more than" if standing.dsr > SURE else "not more than"
    beaten = sum(_beats(pair, best) for pair in result.verdict.pairs)
    return (
        f"{head}; deflated Sharpe {standing.dsr:.2f}: {luck} the luck of the best {field}. "
        f"It is separated from {beaten} of {len(result.names) - 1} others."
    )


def _beats(pair: Pair, n: int) -> bool:
    """True if a column is better than the other of a pair, by the decision on all pairs."""
    if not pair.separated or pair.difference is None or n not in (pair.a, pair.b):
        return False
    return (pair.difference.estimate > 0) == (n == pair.a)


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return DASH
    low, high = (float(np.expm1(end)) for end in (interval.low, interval.high))
    return f"[{percent(low, signed=True)}, {percent(high, signed=True)}]"


def _share(share: float | None) -> str:
    return DASH if share is None else f"{share:.2f}"
