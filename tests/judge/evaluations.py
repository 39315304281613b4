"""Evaluations made by hand, for tests of texts."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from arena.messages import (
    Claim,
    DeadEntry,
    Detectable,
    Estimate,
    Evaluation,
    LeaderboardRow,
    Repeat,
)

DAY = 288
"""Snapshots of five minutes in a day."""


def row(
    name: str, low: int, high: int, gain: float = 0.01, *, around: float = 0.02, **changes: Any
) -> LeaderboardRow:
    """A row of the leaderboard; its interval is the return plus or minus `around`."""
    baseline = name in ("buy_and_hold", "cash", "random")
    given: dict[str, Any] = {
        "rank_low": low,
        "rank_high": high,
        "agent": name,
        "strategy": name,
        "model": "gpt-small",
        "node": "gpt",
        "kind": "baseline" if baseline else "agent",
        "scripted": baseline,
        "equity_usd": Decimal("100000") * (1 + Decimal(str(gain))),
        "total_return": gain,
        "gross_return": gain + 0.005,
        "return_interval": Estimate(value=gain, low=gain - around, high=gain + around),
        "excess_return": gain - 0.01,
        "drawdown": 0.031,
        "sharpe": Estimate(value=1.37, low=-0.42, high=3.16),
        "p_best": 0.26,
        "psr": 0.83,
        "dsr": 0.44,
        "fees_usd": Decimal("412.50"),
        "slippage_usd": Decimal("87.50"),
        "latency_usd": Decimal("-12.25"),
        "llm_usd": Decimal("1.2345"),
        "net_return": gain - 0.0000123,
        "trades": 14,
    }
    return LeaderboardRow(**(given | changes))


def cell(name: str, low: int, high: int, gains: tuple[float, ...]) -> LeaderboardRow:
    """A cell with one repeat for each return."""
    repeats = tuple(
        Repeat(
            agent=f"{name}-{k}",
            seed=k,
            equity_usd=Decimal("100000") * (1 + Decimal(str(gain))),
            total_return=gain,
        )
        for k, gain in enumerate(gains, start=1)
    )
    mean = sum(gains) / len(gains)
    return row(name, low, high, mean, repeats=repeats, repeat_sd=0.0129, seed=None)


def dead(name: str, cause: str = "401 Unauthorized: the provider refused the key") -> DeadEntry:
    """A dead entry."""
    return DeadEntry(agent=name, cause=cause, turns=9, code="auth", remedy="check the key")


def claim(winner: str, loser: str, snapshots: int, **changes: Any) -> Claim:
    """A claim."""
    return Claim(winner=winner, loser=loser, snapshots=snapshots, **changes)


def judged(*rows: LeaderboardRow, **changes: Any) -> Evaluation:
    """An evaluation of three days with these rows and without verdict sentences."""
    given: dict[str, Any] = {
        "evaluation_id": "e",
        "snapshot_id": "s",
        "snapshots": 3 * DAY,
        "as_of": datetime(2026, 11, 24, 9, 0, tzinfo=UTC),
        "interval_s": 300.0,
        "confidence": 0.9,
        "seed": 1,
        "resamples": 2_000,
        "hold_return": 0.012,
        "detectable": None,
        "compared": 3 * DAY,
        "planned": 3 * DAY,
        "look": 11,
        "looks": 11,
        "verdict": "",
        "rows": rows or (row("momentum", 1, 3, 0.08), row("buy_and_hold", 1, 3, 0.01),
                         row("scalper", 1, 3, -0.06, around=0.03)),
    }  # fmt: skip
    return Evaluation(**(given | changes))


def live(*rows: LeaderboardRow, **changes: Any) -> Evaluation:
    """The same evaluation after look 5 of 11."""
    given = {"interim": True, "look": 5, "looks": 11, "snapshots": 400, "compared": 400}
    return judged(*rows, **(given | changes))


MOMENTUM_AND_SCALPER = Detectable(a="momentum", b="scalper", difference=0.108, per_day=0.0348)
MOMENTUM_AND_HOLD = Detectable(a="buy_and_hold", b="momentum", difference=0.0693, per_day=0.0226)
