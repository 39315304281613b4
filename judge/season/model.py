"""What a season is: entries, their orders and decisions, and the arrays every figure is made of.

Pure. Rows of the arrays are the T snapshots and one closing mark; columns are entries or products.
Row t of an account is its state *before* the orders that answer snapshot t, marked at the bids of
snapshot t; row T is its state after every order, at the bids of the last snapshot. An order belongs
to the snapshot it answers, never to the time it arrived, so every reader computes the same.

Amounts of single orders are whole units of 10^-8 (`arena.money`); arrays are cash as float64.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from arena.currency import DEFAULT_CURRENCY
from arena.messages import DeadEntry, RejectReason, TurnOutcome
from arena.messages.market import Side
from arena.money import PriceUnits

FloatArray = NDArray[np.float64]
TimeArray = NDArray[np.datetime64]

EQUITY_FLOOR = 1e-6
"""The least equity a log return is computed of."""
EQUITY_FLOOR_SHARE = 1e-6
"""The same as a share of the first equity: an account that lost everything has lost ln 1e-6."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One agent of the season.

    Attributes:
        model: The name of the newest turn's model; "" where it never answered.
        node: The chat node it asks.
        kind: "agent" competes; "baseline" is there to compare with.
        scripted: True where built-in rules answered, not an LLM.
        seed: The repeat of this strategy and model, None where there is one.
        joined: Index of the first snapshot it decided on; that after the last snapshot of the
            season if it decided on none.
        left: Index after the last snapshot it played; None if it still plays.
        away: Long pauses after which it came back: (index after the last snapshot it played,
            index of the next one).
        cadence: Snapshots between two of its turns.
        setup: Digest of what else makes a contestant: prompt and its size, tools, cadence; "" if
            the roster does not have it.
        cutoff: Last month of its model's training data; "" if it is unknown, or no model.
    """

    name: str
    strategy: str
    model: str
    node: str
    kind: Literal["agent", "baseline"]
    scripted: bool
    seed: int | None = None
    joined: int = 0
    left: int | None = None
    away: tuple[tuple[int, int], ...] = ()
    cadence: int = 1
    setup: str = ""
    cutoff: str = ""


@dataclass(frozen=True, slots=True)
class Fill:
    """One filled order. Amounts in units of 10^-8, prices in 10^-18.

    Attributes:
        index: Of the snapshot it answers. as_of: venue time of that snapshot.
        seq: Of the event in its account log.
        priced_ms: Venue time of the price it was filled at, Unix milliseconds.
        seen_bid, seen_ask: Best prices in the snapshot; None where it had none.
        bid, ask: Best prices used. price: fill price, slippage included.
        notional, fee, slippage: Cash. latency_cost: cash lost against the price seen (< 0: gained).
        realised: Profit of a sell after all fees, at average cost; None for a buy.
        cash_change, quantity_change, cost_change: What it did to the account; profit that was set
            aside is cash as well.
    """

    index: int
    seq: int
    order_id: str
    turn_id: str
    as_of: datetime
    product_id: str
    side: Side
    quantity: int
    price: PriceUnits
    seen_bid: PriceUnits | None
    seen_ask: PriceUnits | None
    bid: PriceUnits
    ask: PriceUnits
    priced_ms: int
    notional: int
    fee: int
    slippage: int
    latency_cost: int
    realised: int | None
    cash_change: int
    quantity_change: int
    cost_change: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """One refused order; product, side and quantity as far as they could be read."""

    index: int
    seq: int
    order_id: str
    turn_id: str
    as_of: datetime
    product_id: str
    side: Side | None
    quantity: int | None
    reason: RejectReason
    detail: str


@dataclass(frozen=True, slots=True)
class Decision:
    """One turn: the first record of a turn id counts.

    Attributes:
        index: Of its snapshot.
        calls, calls_refused: Tool calls of the turn, and those that were not answered "ok".
        orders: Orders of it that were decided, filled or rejected.
        invalid: Outputs nobody could use: a model call that gave none, a tool call that does not
            exist or whose arguments do not fit (a tool that timed out counts too), no end of calls.
        skipped: Snapshots passed over since the turn before.
        cost_usd: None where a price is unknown.
        model_ms, total_ms: Our wall time. snapshot_age_ms: age of the snapshot at the start.
        final_text: The model's closing words, cut at `FINAL_TEXT_MAX` characters.
        decided: True if the model decided something (`arena.vitals.is_decision`).
        cause: A `Cause` if it gave no usable decision.
    """

    index: int
    turn_id: str
    as_of: datetime
    outcome: TurnOutcome
    error: str
    rounds: int
    calls: int
    calls_refused: int
    orders: int
    invalid: int
    skipped: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: Decimal | None
    model_ms: float
    total_ms: float
    snapshot_age_ms: float
    final_text: str
    decided: bool = True
    cause: str = ""

    @property
    def held(self) -> bool:
        """True if the model decided to place no order; a turn that failed is not a hold."""
        return self.decided and self.outcome == "completed" and not self.orders


@dataclass(frozen=True, slots=True)
class LlmSpend:
    """What an entry's model calls were, from `llm.calls`; the first record of a call id counts.

    Attributes:
        cost_usd: Of all calls, a replayed one at its recorded cost; None where any is unknown.
        paid_usd: Of the calls that were not replayed; None where any is unknown.
        unpriced: Calls whose price is unknown. scripted: calls that no LLM answered.
        latency_ms: Mean over the calls that succeeded; None where none did.
        answered: Calls that an LLM answered. seeded: those of them that were sent a seed.
    """

    calls: int = 0
    failed: int = 0
    replayed: int = 0
    scripted: int = 0
    unpriced: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: Decimal | None = Decimal(0)
    paid_usd: Decimal | None = Decimal(0)
    latency_ms: float | None = None
    answered: int = 0
    seeded: int = 0


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What stands behind the figures; printed beside them.

    Attributes:
        fee_bps, slippage_bps, starting_cash_usd: None where the executor published no rules.
        recorded: True if the prices were once those of a real market.
        source: Where recorded prices come from, in words; "" if the records do not say it.
        interval_s: Venue seconds between snapshots. pacing: None where the reader was not told.
        first, last: Venue times of the first and last snapshot; None where there is none.
        rules_changed: What changed and when, if orders were decided by different rules; else "".
            `fee_bps` and the others are then those the season began with.
        planned: Snapshots that the season was planned to have when it began; None if it has no
            planned end.
        currency: What accounts hold.
        restricted: Products that could not be traded at its last snapshot, and why.
        notes: What was missing or odd, one sentence each.
    """

    venue: str
    simulated: bool
    speed: float
    pacing: str | None
    interval_s: float
    snapshots: int
    first: datetime | None
    last: datetime | None
    products: tuple[str, ...]
    starting_cash_usd: Decimal | None
    fee_schedule: str
    fee_bps: Decimal | None
    slippage_bps: Decimal | None
    rules_changed: str = ""
    notes: tuple[str, ...] = ()
    planned: int | None = None
    recorded: bool = False
    source: str = ""
    currency: str = DEFAULT_CURRENCY
    restricted: tuple[tuple[str, str], ...] = ()

    def lines(self) -> tuple[str, ...]:
        """The assumptions in words, one sentence each."""
        from judge.season.words import assumption_lines

        return assumption_lines(self)


@dataclass(frozen=True, slots=True)
class Season:
    """A whole contest, or its beginning, as arrays. T snapshots, N entries, P products.

    Attributes:
        entries: [N] agents first, then baselines, each by name; without `dead` and `apart`.
        times: [T+1] venue times (UTC) of the snapshots; the last one twice.
        bids, asks: [T+1, P] best prices; a missing one is carried forward, NaN before the first.
        equity, cash: [T+1, N] cash; profit that was set aside is cash.
        exposure: [T+1, N, P] value of each position at the bid, at its cost without a bid.
        fills, rejections, decisions: Per entry, in the order of the log.
        llm: Per entry.
        hold: [T+1] value of the equal-weight market: an index of all products, bought at the first
            snapshot with the same cash, fees and slippage; not the agent `buy_and_hold`.
        ends: Topic -> partition -> offset behind the last record it was made from; for a part of
            a season only `market.snapshots`, up to its last snapshot.
        account_digest: `arena.accounts.accounts_digest` of all accounts; "" for a part of a season.
        dead: Entries that decided nothing, or nothing any more; they are in no array.
        apart: Entries whose figures are not one contestant's; they are in no array either.
    """

    entries: tuple[Entry, ...]
    interval_s: float
    times: TimeArray
    products: tuple[str, ...]
    bids: FloatArray
    asks: FloatArray
    equity: FloatArray
    cash: FloatArray
    exposure: FloatArray
    fills: tuple[tuple[Fill, ...], ...]
    rejections: tuple[tuple[Rejection, ...], ...]
    decisions: tuple[tuple[Decision, ...], ...]
    llm: tuple[LlmSpend, ...]
    hold: FloatArray
    snapshot_ids: tuple[str, ...]
    ends: dict[str, dict[int, int]]
    account_digest: str
    assumptions: Assumptions
    dead: tuple[DeadEntry, ...] = ()
    apart: tuple[DeadEntry, ...] = ()

    @property
    def periods(self) -> int:
        """T: periods of return, one for each snapshot."""
        return len(self.snapshot_ids)

    @property
    def names(self) -> tuple[str, ...]:
        """The entries' names, in their order."""
        return tuple(entry.name for entry in self.entries)

    @property
    def periods_per_year(self) -> float:
        """Intervals in a year of 365 days of 24 hours: a crypto market never closes."""
        return 365 * 24 * 3600 / self.interval_s

    def log_returns(self) -> FloatArray:
        """[T, N] ln(equity[t+1] / equity[t]); the last one is what the last orders cost."""
        return log_returns(self.equity)

    def hold_log_returns(self) -> FloatArray:
        """[T] the same of the equal-weight market."""
        return log_returns(self.hold)


def log_returns(equity: FloatArray) -> FloatArray:
    """Log returns along the first axis; equity below the floor counts as the floor.

    The floor is a millionth of the first equity: what an account that lost everything has lost
    does not depend on the unit of its money.
    """
    floor = np.maximum(equity[:1] * EQUITY_FLOOR_SHARE, EQUITY_FLOOR)
    return np.diff(np.log(np.maximum(equity, floor)), axis=0)
