"""What the judge says of a season, or of its beginning.

Shares and ratios are numbers: 0.02 is 2 %. Where a figure is undefined it is None, and `reasons`
says why. An evaluation carries no wall time: two judges of the same records write the same bytes.
"""

from typing import Literal

from pydantic import Field

from arena.messages.base import Message, Part, Utc
from arena.money import WireDecimal


class Estimate(Part):
    """A figure and the interval around it, at the evaluation's confidence."""

    value: float
    low: float
    high: float


class LeaderboardRow(Part):
    """One entry of the leaderboard.

    Attributes:
        rank_low, rank_high: Best and worst rank that the season leaves open, from 1.
        model: "" where it never answered. scripted: True where rules answered, not an LLM.
        seed: The repeat of this strategy and model, None where there is one.
        equity_usd: At the last bids, to a micro-dollar.
        total_return: Simple, over the season. excess_return: less that of the buy-and-hold.
        drawdown: Share lost from a high, >= 0. drawdown_periods: from that high to its end.
        sharpe: Annualised, of log returns. psr, dsr: probabilistic and deflated Sharpe ratio.
        p_best: Share of the resampled seasons it came first in.
        latency_usd: Lost against the price seen; negative: gained.
        llm_usd: Of all model calls; llm_paid_usd: without those answered from a recording.
        net_return: After the models' cost.
        trades: Filled orders. closed: sells. rejected: refused orders.
        invalid_rate: Share of decisions with an output nobody could use.
        hold_share: Share, without an order, of the turns in which the model decided something.
        reasons: Column -> why it is None.
    """

    rank_low: int
    rank_high: int
    agent: str
    strategy: str
    model: str
    node: str
    kind: Literal["agent", "baseline"]
    scripted: bool
    seed: int | None = None
    equity_usd: WireDecimal
    total_return: float | None = None
    return_interval: Estimate | None = None
    excess_return: float | None = None
    drawdown: float | None = None
    drawdown_periods: int | None = None
    sharpe: Estimate | None = None
    psr: float | None = None
    dsr: float | None = None
    bradley_terry: Estimate | None = None
    p_best: float | None = None
    sortino: float | None = None
    calmar: float | None = None
    volatility: float | None = None
    fees_usd: WireDecimal
    slippage_usd: WireDecimal
    latency_usd: WireDecimal
    llm_usd: WireDecimal | None = None
    llm_paid_usd: WireDecimal | None = None
    net_return: float | None = None
    win_rate: float | None = None
    profit_factor: float | None = None
    biggest_win_usd: WireDecimal | None = None
    biggest_loss_usd: WireDecimal | None = None
    trades: int = 0
    closed: int = 0
    rejected: int = 0
    turnover: float | None = None
    decisions: int = 0
    skipped: int = 0
    invalid_rate: float | None = None
    hold_share: float | None = None
    reasons: dict[str, str] = Field(default_factory=dict)


class DeadEntry(Part):
    """An entry that is dead, or that cannot be compared: it has no row and no rank.

    Attributes:
        cause: In words. code: the `Cause`, for programs; "" if it is not known.
        turns: In a row, up to the newest, without a decision.
        remedy: What to do about it.
        recorded_turns: All of its turns. decisions: those that hold a decision.
    """

    agent: str
    cause: str
    turns: int
    code: str = ""
    remedy: str = ""
    strategy: str = ""
    model: str = ""
    node: str = ""
    kind: Literal["agent", "baseline"] = "agent"
    scripted: bool = False
    recorded_turns: int = 0
    decisions: int = 0


class Evaluation(Message):
    """The standings after a snapshot, with what can and cannot be told from them.

    Attributes:
        evaluation_id: From snapshot, confidence, seed and resamples: two judges that agree on
            those agree on the rest.
        snapshots: Of the season so far; `snapshot_id` and `as_of` are of the last one.
        confidence: Of every interval. seed, resamples: of the resampling.
        hold_return: Of an equal-weight buy-and-hold of the products; None before any period.
        detectable: Smallest difference of season returns at the top that would have been seen
            with 80 % power; None where nothing can be said.
        verdict: In words. rows: best first. dead: entries that are not ranked, by name.
        apart: Entries that are not ranked because their figures are not one contestant's.
        method, assumptions: One sentence each, to be shown beside the figures.
        reasons: Column -> why the whole of it is None.
    """

    evaluation_id: str
    snapshot_id: str
    snapshots: int
    as_of: Utc | None
    interval_s: float
    confidence: float
    seed: int
    resamples: int
    hold_return: float | None
    detectable: float | None
    verdict: str
    rows: tuple[LeaderboardRow, ...]
    dead: tuple[DeadEntry, ...] = ()
    apart: tuple[DeadEntry, ...] = ()
    method: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    reasons: dict[str, str] = Field(default_factory=dict)
    ends: dict[str, dict[int, int]] = Field(default_factory=dict)
    account_digest: str = ""
