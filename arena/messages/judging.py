"""What the judge says of a season, or of its beginning.

Shares and ratios are numbers: 0.02 is 2 %. Where a figure is undefined it is None, and `reasons`
says why. An evaluation carries no wall time: two judges of the same records write the same bytes.
"""

from typing import Literal

from pydantic import Field

from arena.messages.base import CURRENCY_FIELD, Currency, Message, Part, Utc
from arena.money import WireDecimal


class Estimate(Part):
    """A figure and the interval around it, at the evaluation's confidence."""

    value: float
    low: float
    high: float


class Repeat(Part):
    """One of the agents that play the same cell: the same strategy and model, another seed.

    Attributes:
        equity_usd: At the end of the season. total_return: simple, over its compared part.
    """

    agent: str
    seed: int | None
    equity_usd: WireDecimal
    total_return: float | None


class LeaderboardRow(Part):
    """One entrant of the leaderboard: a cell of the matrix with all its repeats, or one agent.

    Attributes:
        rank_low, rank_high: Best and worst rank that the season leaves open, from 1.
        agent: Its name; that of the cell if it has repeats.
        model: "" where it never answered. scripted: True where rules answered, not an LLM.
        seed: Of the only agent; None if it has none, or if there are repeats.
        repeats: The compared agents of a cell, even if all others of it are dead or left; empty
            for an agent without repeats. Amounts, counts and returns are then means over them.
        repeat_sd: Standard deviation of the repeats' returns; None without repeats.
        equity_usd: At the last bids, to a step of cash.
        return_interval: Of the compared part of the season (`Evaluation.compared_from`).
        gross_return: Before fees and slippage; `total_return` is after them.
        cutoff: The model's training cut-off, such as "2025-01"; "" if it is not known.
        total_return: Simple, over the whole season, as `gross_return`, `net_return`, drawdown and
            amounts are. compared_return: over the compared part, if that is shorter, like all other
            figures. excess_return: compared_return less that of the equal-weight market.
        drawdown: Share lost from a high, >= 0. drawdown_periods: from that high to its end.
        sharpe: Of log returns, annualised if `Evaluation.sharpe_unit` is "year", else per period.
        psr, dsr: probabilistic and deflated Sharpe ratio.
        p_best: Probability that it is truly the best, shrunken towards an even field.
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
    repeats: tuple[Repeat, ...] = ()
    repeat_sd: float | None = None
    equity_usd: WireDecimal
    total_return: float | None = None
    gross_return: float | None = None
    return_interval: Estimate | None = None
    compared_return: float | None = None
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
    aborted: int = 0
    skipped: int = 0
    invalid_rate: float | None = None
    hold_share: float | None = None
    cutoff: str = ""
    reasons: dict[str, str] = Field(default_factory=dict)


class DeadEntry(Part):
    """An entry that is dead, or that cannot be compared: it has no row and no rank.

    Attributes:
        cause: In words. code: the `Cause`, for programs; "" if it is not known.
        turns: In a row, up to the newest, without a decision.
        remedy: What to do about it.
        seed: The repeat of its cell; None if it has none. setup: digest of its prompt, tools and
            cadence; "" if the roster does not have it.
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
    seed: int | None = None
    setup: str = ""
    recorded_turns: int = 0
    decisions: int = 0


class Claim(Part):
    """A claim that one entrant beats another, decided over all pairs at once.

    Attributes:
        winner, loser: Entrants.
        measure: "return", or "alpha" for the return beyond what market exposure explains.
        snapshots: After how many snapshots it was first made.
        withdrawn: After how many a later look withdrew it; None if it holds. why: in words;
            of a claim that holds, why the next look will have to decide on it, else "".
        survives_stress: True if it would hold had the worst period of any entrant of the same
            exposure hit the winner once; None if that is not known.
    """

    winner: str
    loser: str
    measure: Literal["return", "alpha"] = "return"
    snapshots: int
    withdrawn: int | None = None
    why: str = ""
    survives_stress: bool | None = None


class Detectable(Part):
    """The true difference that this season would have shown in 4 of 5 seasons, of a pair.

    Attributes:
        difference: Simple return over the compared season. per_day: the same for one day; None
            if the season is too short for it to be of use.
    """

    a: str
    b: str
    difference: float
    per_day: float | None = None


class Evaluation(Message):
    """The standings after a snapshot, with what can and cannot be told from them.

    Attributes:
        evaluation_id: From snapshot, confidence, seed and resamples: two judges that agree on
            those agree on the rest.
        snapshots: Of the season so far; `snapshot_id` and `as_of` are of the last one.
        confidence: Of every interval. seed, resamples: of the resampling.
        hold_return: Of the equal-weight market over the compared part: an equal share of the cash
            in each product, bought once, with fees and slippage; None before any period.
        detectable: A true difference of season returns at the top that is found in 4 seasons of
            5; None where nothing can be said. detectables: the same by pair at the top.
        planned: Snapshots that the season is to have; None if it has no planned end.
        interim: True if the season is not over: its claims obey the boundary of looks.
        look, looks: Decision looks so far, and in all (None without a planned end).
        compared_from: Index of the first snapshot of the compared part, in which every entrant
            was present. compared: how many periods that part has.
        claims: Every "A beats B", withdrawn ones too.
        sharpe_unit: What the Sharpe ratios are of.
        design: What the design bought, one sentence each: repeats, adjustment, common numbers.
        warnings: What makes the figures doubtful, one sentence each.
        verdict: In words. rows: best first. dead: entries that are not ranked, by name.
        apart: Entries that are not ranked because their figures are not one contestant's.
        method, assumptions: One sentence each, to be shown beside the figures.
        reasons: Column -> why the whole of it is None.
        currency: What accounts hold. Amounts are in it, also of fields that end in `_usd`; only
            what models cost (`llm_usd`, `llm_paid_usd`) is in US dollars.
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
    detectables: tuple[Detectable, ...] = ()
    planned: int | None = None
    interim: bool = False
    look: int = 0
    looks: int | None = None
    compared_from: int = 0
    compared: int = 0
    claims: tuple[Claim, ...] = ()
    sharpe_unit: Literal["year", "period"] = "year"
    design: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    verdict: str
    rows: tuple[LeaderboardRow, ...]
    dead: tuple[DeadEntry, ...] = ()
    apart: tuple[DeadEntry, ...] = ()
    method: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    reasons: dict[str, str] = Field(default_factory=dict)
    ends: dict[str, dict[int, int]] = Field(default_factory=dict)
    account_digest: str = ""
    currency: Currency = CURRENCY_FIELD
