"""The judge's evaluation of a season, or of a season so far.

Shares and ratios are numbers: 0.02 is 2 %. An undefined figure is None, and `reasons` has the
reason. An evaluation has no wall time: two judges of the same records write the same bytes.
"""

from typing import Literal

from pydantic import Field

from arena.messages.base import CURRENCY_FIELD, Currency, Message, MessagePart, Utc, is_empty
from arena.money import WireDecimal


class Estimate(MessagePart):
    """A figure and the interval around it, at the evaluation's confidence."""

    value: float
    low: float
    high: float


class Repeat(MessagePart):
    """One of the agents of a cell: the same strategy and model with another seed.

    Attributes:
        equity_usd: Equity at the end of the season.
        total_return: Simple return over the compared part of the season.
        wallets: Further currency -> equity in it.
    """

    agent: str
    seed: int | None
    equity_usd: WireDecimal
    total_return: float | None
    wallets: dict[Currency, WireDecimal] = Field(default_factory=dict, exclude_if=is_empty)


class WalletAmounts(MessagePart):
    """Amounts of an entrant in one further currency; none of them is converted.

    Attributes:
        currency: Currency of all amounts.
        equity, fees, slippage, latency, biggest_win, biggest_loss: As `equity_usd` and so on of
            the row.
        trades: Number of filled orders in it.
    """

    currency: Currency
    equity: WireDecimal
    fees: WireDecimal
    slippage: WireDecimal
    latency: WireDecimal
    biggest_win: WireDecimal | None = None
    biggest_loss: WireDecimal | None = None
    trades: int = 0


class LeaderboardRow(MessagePart):
    """One entrant of the leaderboard: a cell with all its repeats, or one agent.

    Attributes:
        rank_low, rank_high: Best and worst rank that the data allow, from 1.
        agent: Name of the agent, or of the cell if there are repeats.
        model: Model id; "" if it never answered.
        scripted: True if built-in rules answered, not an LLM.
        seed: Seed of the only agent; None if it has none, or if there are repeats.
        repeats: The compared agents of a cell, even if all others are dead or have left; empty for
            an agent without repeats. Amounts, counts and returns are then means over them.
        repeat_sd: Standard deviation of the repeats' returns; None without repeats.
        equity_usd: Equity at the last bids, to a step of cash.
        return_interval: Return over the compared part of the season (`Evaluation.compared_from`).
        gross_return: Return before fees and slippage; `total_return` is after them.
        cutoff: The model's training cut-off, such as "2025-01"; "" if unknown.
        contaminated: "contaminated" if the prices are those of a real market before that cut-off,
            "partly" if the first are: the model may have read what happened. "" if not.
        total_return: Simple return over the whole season, like `gross_return`, `net_return`,
            drawdown and amounts.
        compared_return: Return over the compared part, if it is shorter, like all other figures.
        excess_return: `compared_return` minus the return of the equal-weight market.
        drawdown: Largest share lost from a high, >= 0.
        drawdown_periods: Periods from that high to the end of the drawdown.
        sharpe: Sharpe ratio of log returns, annualised if `Evaluation.sharpe_unit` is "year", else
            per period.
        psr, dsr: Probabilistic and deflated Sharpe ratio.
        p_best: Probability of being truly the best, shrunken towards equal probabilities.
        latency_usd: Amount lost against the price seen; negative for a gain.
        llm_usd: Cost of all model calls.
        llm_paid_usd: Cost of the calls without those answered from a recording.
        net_return: Return after the models' cost.
        trades: Number of filled orders.
        closed: Number of sells.
        rejected: Number of rejected orders.
        invalid_rate: Share of decisions with unusable output.
        hold_share: Share of the turns with a decision that have no order.
        reasons: Column -> why it is None.
        versions: Versions of its text that it decided by, if they are several: its return mixes
            them. Of a cell the most of a repeat. 0 for an agent that played by one text.
        wallets: Amounts in further currencies. If there are any, returns, Sharpe ratio, drawdown
            and turnover are of the wealth index: the mean over the currencies of equity over
            starting cash.
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
    contaminated: str = Field(default="", exclude_if=is_empty)
    reasons: dict[str, str] = Field(default_factory=dict)
    wallets: tuple[WalletAmounts, ...] = Field(default=(), exclude_if=is_empty)
    versions: int = Field(default=0, exclude_if=is_empty)


class DeadEntry(MessagePart):
    """An entry that is dead, or that cannot be compared: it has no row and no rank.

    Attributes:
        cause: The cause as text.
        code: The `Cause`, for programs; "" if unknown.
        turns: Turns without a decision, in a row up to the newest.
        remedy: What to do about it.
        seed: Seed of the repeat; None if it has none.
        setup: Digest of its prompt, tools and cadence; "" if it is not on the roster.
        recorded_turns: Number of all turns.
        decisions: Number of turns with a decision.
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


class Claim(MessagePart):
    """A claim that one entrant beats another, decided over all pairs at once.

    Attributes:
        winner, loser: Entrants.
        measure: "return", or "alpha" for the return beyond what market exposure explains.
        snapshots: Number of snapshots when it was first made.
        withdrawn: Number of snapshots when a later look withdrew it; None if it holds.
        why: Why it was withdrawn; for a claim that holds, why the next look must decide it, else
            "".
        survives_stress: True if it would still hold if the winner had suffered the worst period of
            any entrant with the same exposure once; None if unknown.
    """

    winner: str
    loser: str
    measure: Literal["return", "alpha"] = "return"
    snapshots: int
    withdrawn: int | None = None
    why: str = ""
    survives_stress: bool | None = None


class Detectable(MessagePart):
    """The true difference of a pair that 4 of 5 seasons like this one would detect.

    Attributes:
        difference: Difference of simple returns over the compared part of the season.
        per_day: The difference for one day; None if the season is too short for it.
    """

    a: str
    b: str
    difference: float
    per_day: float | None = None


class Evaluation(Message):
    """The standings after a snapshot, with the statistical claims that they support.

    Attributes:
        evaluation_id: Derived from snapshot, confidence, seed and resamples: two judges that agree
            on these agree on the rest.
        snapshots: Number of snapshots so far; `snapshot_id` and `as_of` are those of the last one.
        confidence: Confidence level of every interval.
        seed, resamples: Seed and number of the resamples.
        hold_return: Return of the equal-weight market over the compared part: an equal share of
            the cash in each product, bought once, with fees and slippage; None before any period.
        detectable: True difference of season returns at the top that 4 of 5 seasons would detect;
            None if unknown.
        detectables: The same by pair at the top.
        planned: Planned number of snapshots; None without a planned end.
        interim: True if the season is not over: its claims obey the boundary of looks.
        look, looks: Number of decision looks so far, and in total (None without a planned end).
        compared_from: Index of the first snapshot of the compared part, in which every entrant
            was present.
        compared: Number of periods in that part.
        claims: Every "A beats B", including withdrawn ones.
        sharpe_unit: Unit of the Sharpe ratios.
        design: Effects of the design, one sentence each: repeats, adjustment, common numbers.
        warnings: Reasons to doubt the figures, one sentence each.
        verdict: The verdict as text.
        rows: Rows of the leaderboard, best first.
        dead: Dead entries, which are not ranked, by name.
        apart: Entries that are not ranked because several contestants used their name.
        method, assumptions: Sentences to show beside the figures.
        reasons: Column -> why all of it is None.
        currency: Currency of the accounts and of all amounts, even in fields that end in `_usd`;
            only model costs (`llm_usd`, `llm_paid_usd`) are in US dollars.
        wallets: Further currencies of the accounts; `LeaderboardRow.wallets` has the amounts.
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
    wallets: tuple[Currency, ...] = Field(default=(), exclude_if=is_empty)
