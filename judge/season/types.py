"""Types of a season: entries, orders, turns, and the arrays that all figures come from. Pure.

Rows of the arrays are the T snapshots and one closing mark; columns are entries or products. Row t
of an account is its state *before* the orders that answer snapshot t, marked at the bids of
snapshot t; row T is its state after every order, at the bids of the last snapshot. An order belongs
to the snapshot it answers, not to its arrival time, so every reader computes the same figures.

Amounts of single orders are whole units of 10^-8 (`arena.money`); arrays are cash as float64. If
accounts hold several currencies, arrays are a wealth index, and `Season.parts` has the amounts
(`judge.season.currencies`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from arena.gate_counts import GateFigures
from arena.messages import DeadEntry, RejectReason, TurnOutcome
from arena.messages.market import Side
from arena.messages.orders import EXIT_TYPES, OrderType
from arena.money import SCALE, PriceUnits
from arena.risk_report import ExitCounts, RiskCounts
from judge.season.assumptions import Assumptions

FloatArray = NDArray[np.float64]
TimeArray = NDArray[np.datetime64]

EQUITY_FLOOR = 1e-6
"""Lowest equity that a log return is computed from."""
EQUITY_FLOOR_SHARE = 1e-6
"""The same as a share of the first equity: the log return of a total loss is ln 1e-6."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One agent of the season.

    Attributes:
        model: Model of the newest turn; "" if it never answered.
        node: Chat node of the agent.
        kind: "agent" for a competitor, "baseline" for a reference.
        scripted: True if built-in rules answered instead of an LLM.
        seed: Number of the repeat of this strategy and model; None without repeats.
        joined: Index of the first snapshot it decided on; the index after the season's last
            snapshot if it decided on none.
        left: Index after the last snapshot it played; None if it still plays.
        away: Long pauses after which it returned: (index after the last snapshot it played, index
            of the next one).
        cadence: Snapshots between two turns.
        setup: Digest of the contestant's other settings: prompt, prompt size, tools, cadence, kind
            of turns; "" if the roster no longer has the agent.
        quiet: Snapshots for which the entry may have no record although it plays; 0 without gates.
        cutoff: Last month of the model's training data; "" if unknown or without a model.
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
    quiet: int = 0


@dataclass(frozen=True, slots=True)
class FilledOrder:
    """One filled order. Amounts in units of 10^-8, prices in 10^-18.

    Attributes:
        index: Index of the snapshot it answers.
        as_of: Venue time of that snapshot.
        seq: Sequence number of the event in the account log.
        priced_ms: Venue time of the fill's quote, Unix milliseconds.
        seen_bid, seen_ask: Best prices in the snapshot; None if it had none.
        bid, ask: Best prices at the fill.
        price: Fill price, slippage included.
        notional, fee, slippage: Cash.
        latency_cost: Cash lost against the price seen (< 0: gained).
        realised: Profit of a sell after all fees, at average cost; None for a buy.
        cash_change, quantity_change, cost_change: Changes of the account; profit that was swept
            aside counts as cash.
        cause: Why it filled without a call, such as "triggered"; "" if the agent's call did it.
            `index` is then that of the last snapshot before the fill, and `turn_id` that of the
            turn which placed the order.
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
    order_type: OrderType = "market"
    cause: str = ""

    @property
    def is_exit(self) -> bool:
        """True for the fill of an exit, which sold without being asked."""
        return self.order_type in EXIT_TYPES


@dataclass(frozen=True, slots=True)
class RejectedOrder:
    """One rejected order, with product, side and quantity if they could be read."""

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
class PlacedOrder:
    """A call that placed or cancelled limit orders or exits: neither a fill nor a rejection."""

    index: int
    seq: int
    order_id: str
    turn_id: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class TurnSummary:
    """One turn; only the first record of a turn id counts.

    Attributes:
        index: Index of its snapshot.
        calls: Tool calls of the turn.
        calls_refused: Tool calls that were not answered "ok".
        orders: Calls of the turn for orders: filled, placed, cancelled or rejected.
        invalid: Unusable outputs: a model call without an answer, a call of an unknown tool or with
            wrong arguments (a tool that timed out counts too), calls beyond the round limit.
        skipped: Snapshots skipped since the previous turn.
        cost_usd: None if a price is unknown.
        model_ms, total_ms: Wall time of the arena.
        snapshot_age_ms: Age of the snapshot at the start of the turn.
        final_text: The model's final text, cut at `FINAL_TEXT_MAX` characters.
        decided: True if the model decided something (`arena.agent_health.is_decision`).
        cause: The `Cause` if the turn has no usable decision.
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
        """True if the model decided not to trade; a failed turn is not a hold."""
        return self.decided and self.outcome == "completed" and not self.orders


@dataclass(frozen=True, slots=True)
class LlmSpend:
    """Totals of an entry's model calls; only the first record of a call id counts.

    Attributes:
        cost_usd: Cost of all calls, replayed ones at their recorded cost; None if any is unknown.
        paid_usd: Cost of the calls that were not replayed; None if any is unknown.
        unpriced: Calls whose price is unknown.
        scripted: Calls that built-in rules answered.
        latency_ms: Mean over the successful calls; None without one.
        answered: Calls that an LLM answered.
        seeded: Answered calls that were sent a seed.
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
class CurrencyPart:
    """The accounts in one of several currencies.

    Attributes:
        products: Products that are settled in it.
        equity: [T+1, N] amounts; 0 for an entry without an account in it.
        per_unit: [N] wealth index of one unit of the currency; 0 for an entry without an account.
    """

    currency: str
    products: tuple[str, ...]
    equity: FloatArray
    per_unit: FloatArray


@dataclass(frozen=True, slots=True)
class Season:
    """A whole contest, or its first snapshots, as arrays: T snapshots, N entries, P products.

    Attributes:
        entries: [N] agents first, then baselines, each sorted by name; without `dead` and `apart`.
        times: [T+1] venue times (UTC) of the snapshots; the last one twice.
        bids, asks: [T+1, P] best prices; a missing one is carried forward, NaN before the first.
        equity, cash: [T+1, N] cash; profit that was swept aside is cash. With several currencies a
            wealth index, like `exposure` and `hold`.
        exposure: [T+1, N, P] value of each position at the bid, or at its cost without a bid.
        fills, rejections, decisions: Orders and turns per entry, in the order of the log.
        llm: Model calls per entry.
        hold: [T+1] value of the equal-weight market: an index of all products, bought at the first
            snapshot with the same cash, fees and slippage; not the agent `buy_and_hold`.
        ends: Topic -> partition -> offset after the last record that was read; for a part of a
            season only `market.snapshots`, up to its last snapshot.
        account_digest: `arena.accounts.accounts_digest` of all accounts; "" for a part of a season.
        dead: Entries that decided nothing, or stopped deciding; they are in no array.
        apart: Entries that cannot be compared; they are in no array either.
        gates: What each entry's gates did; () for a part of a season.
        risk: What limits did to each entry's orders; () for a part of a season.
        exits: How many exits each entry placed, and what became of them; likewise.
        parts: The accounts in each of several currencies, the main one first; () with one currency.
        versions: Agent -> versions of its text that it decided by, if they are several.
        shadow_llm: Model calls of the shadow agents of trials, which are not entries; empty for a
            part of a season.
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
    fills: tuple[tuple[FilledOrder, ...], ...]
    rejections: tuple[tuple[RejectedOrder, ...], ...]
    decisions: tuple[tuple[TurnSummary, ...], ...]
    llm: tuple[LlmSpend, ...]
    hold: FloatArray
    snapshot_ids: tuple[str, ...]
    ends: dict[str, dict[int, int]]
    account_digest: str
    assumptions: Assumptions
    dead: tuple[DeadEntry, ...] = ()
    apart: tuple[DeadEntry, ...] = ()
    parts: tuple[CurrencyPart, ...] = ()
    gates: tuple[GateFigures, ...] = ()
    risk: tuple[RiskCounts, ...] = ()
    exits: tuple[ExitCounts, ...] = ()
    versions: Mapping[str, int] = field(default_factory=dict)
    shadow_llm: LlmSpend = LlmSpend()

    @property
    def periods(self) -> int:
        """T: the number of return periods, one per snapshot."""
        return len(self.snapshot_ids)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the entries, in order."""
        return tuple(entry.name for entry in self.entries)

    @property
    def periods_per_year(self) -> float:
        """Intervals in a year of 365 days: a crypto market never closes."""
        return 365 * 24 * 3600 / self.interval_s

    @property
    def currencies(self) -> tuple[str, ...]:
        """Currencies of the accounts, the main one first."""
        return tuple(one.currency for one in self.parts) or (self.assumptions.currency,)

    def currency_of(self, product_id: str) -> str:
        """Return the currency that a product is settled in; the main one if it is unknown."""
        found = (one.currency for one in self.parts if product_id in one.products)
        return next(found, self.assumptions.currency)

    def per_unit(self, index: int, product_id: str) -> float:
        """Return what one unit of a product's settlement currency adds to an entry's equity.

        1 with one currency, as equity is an amount; 0 for a currency without an account.
        """
        found = (float(p.per_unit[index]) for p in self.parts if product_id in p.products)
        return next(found, 0.0) if self.parts else 1.0

    def worth(self, index: int, amount: Callable[[FilledOrder], int]) -> float:
        """Return the sum of an amount over an entry's fills, in the unit of its equity.

        Args:
            index: Index of the entry.
            amount: Returns the amount of a fill in units of 10^-8.
        """
        fills = self.fills[index]
        if not self.parts:
            return sum(amount(fill) for fill in fills) / SCALE
        return sum(
            float(part.per_unit[index])
            * (sum(amount(fill) for fill in fills if fill.product_id in part.products) / SCALE)
            for part in self.parts
        )

    def log_returns(self) -> FloatArray:
        """Return ln(equity[t+1] / equity[t]), [T, N]; the last row is the last orders' cost."""
        return log_returns(self.equity)

    def hold_log_returns(self) -> FloatArray:
        """Return the log returns of the equal-weight market, [T]."""
        return log_returns(self.hold)


def log_returns(equity: FloatArray) -> FloatArray:
    """Return log returns along the first axis; equity below the floor counts as the floor.

    The floor is a millionth of the first equity, so the return of a total loss does not depend on
    the unit of the money.
    """
    floor = np.maximum(equity[:1] * EQUITY_FLOOR_SHARE, EQUITY_FLOOR)
    return np.diff(np.log(np.maximum(equity, floor)), axis=0)
