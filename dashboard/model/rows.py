"""Rows of a frame: immutable, without logic.

Amounts are in units of 10^-8, prices in units of 10^-18; None means unknown and is shown as "-".
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from arena.agent_health import DeadAgent
from arena.currency import DEFAULT_CURRENCY
from arena.gate_counts import GateFigures
from arena.messages import LeaderboardRow
from arena.money import PriceUnits
from dashboard.model.risk_rows import RiskRow
from dashboard.model.wealth import INDEX_ONE, CurrencyRow, index_of


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One agent in the ranking.

    Attributes:
        rank: Rank from 1; 0 for agents without a rank.
        agent: Name of the agent.
        colour: Index of the agent among all names in order, for its colour in every pane.
        strategy: Strategy of the agent.
        kind: "agent" or "baseline".
        node: Name of its chat node.
        model: Model of its newest turn or call; "" before the first.
        scripted: True if scripted rules answer instead of an LLM; None before the first answer.
        opening: Opening cash; None without an account.
        equity: Cash and positions at the best bid; None without an account.
        recent_pnl: Change of equity in five minutes of venue time; with several currencies, of the
            wealth index.
        max_drawdown: The largest loss from a high at the kept snapshots, and that high, in the
            unit of `whole`; None if unknown.
        cash: Cash; None without an account.
        fees: Fees paid.
        slippage: Slippage paid.
        latency_cost: Loss from the price seen to the best price at the fill.
        realised: Realised profit.
        fills: Number of filled orders.
        rejections: Number of rejected orders.
        turns: Number of ended turns.
        turns_aborted: Turns that a crash aborted.
        skipped: Snapshots that were skipped for newer ones.
        gates: What its gates did in the kept turns.
        tokens: Tokens of its model calls.
        cost_usd: Cost of the model calls whose price is known; None if there is none.
        unpriced: Number of model calls whose price is unknown.
        scraped: Profit set aside, part of the equity and not of the cash.
        held: Product id and quantity of every product of the market, and of any other position.
        judged: Its row in the newest evaluation, or None.
        dead: Why it is not ranked; None if it is alive.
        dead_since: End of the first turn of those without a decision up to the newest.
        not_comparable: Why the judge cannot compare it; "" if it can.
        estimated: True if the tokens of some calls are estimates.
        digits: Decimals of amounts.
        currencies: Its accounts in several currencies, the main one first; () if it has one. The
            amounts above are of the main account, counts are of all.
        risk: Its limits of risk, and its open orders.
        shadow_of: The agent whose text it tries; "" if it is not a shadow agent.
    """

    rank: int
    agent: str
    colour: int
    strategy: str
    kind: Literal["agent", "baseline"]
    node: str
    model: str
    scripted: bool | None
    opening: int | None
    equity: int | None
    recent_pnl: int | None
    max_drawdown: tuple[int, int] | None
    cash: int | None
    fees: int
    slippage: int
    latency_cost: int
    realised: int
    fills: int
    rejections: int
    turns: int
    turns_aborted: int
    skipped: int
    gates: GateFigures
    tokens: int
    cost_usd: Decimal | None
    unpriced: int
    scraped: int = 0
    held: tuple[tuple[str, int], ...] = ()
    judged: LeaderboardRow | None = None
    dead: DeadAgent | None = None
    dead_since: datetime | None = None
    estimated: bool = False
    not_comparable: str = ""
    digits: int = 2
    currencies: tuple[CurrencyRow, ...] = ()
    risk: RiskRow = field(default_factory=RiskRow)
    shadow_of: str = ""

    @property
    def ranked(self) -> bool:
        """True if it has a rank: it is alive, and one contestant."""
        return self.dead is None and not self.not_comparable

    @property
    def gain(self) -> int | None:
        """Growth since the opening of the account, in the unit of `whole`."""
        if self.equity is None or self.opening is None:
            return None
        if self.currencies:
            return index_of((one.equity, one.opening) for one in self.currencies) - INDEX_ONE
        return self.equity - self.opening

    @property
    def whole(self) -> int:
        """What `gain` is a gain of: the opening cash, or the wealth index at the start."""
        return INDEX_ONE if self.currencies else self.opening or 0

    @property
    def cash_part(self) -> tuple[int | None, int | None]:
        """Cash and equity in one unit, for the share of the wealth in cash."""
        if not self.currencies:
            return self.cash, self.equity
        cash = index_of((one.cash, one.opening) for one in self.currencies)
        return cash, index_of((one.equity, one.opening) for one in self.currencies)


@dataclass(frozen=True, slots=True)
class PositionRow:
    """A position of an agent.

    Attributes:
        agent: Name of the agent.
        colour: As in `AgentRow`.
        product_id: Id of the product.
        quantity: Base units.
        average_cost: Cost per base unit.
        bid: Best bid, or None.
        unrealised: Value at the bid less the cost; None without a bid.
        held_s: Seconds of venue time since entry, weighted by quantity.
        digits: Decimals of amounts.
        closed: Why it cannot be sold now; "" if it can.
        unit: Currency of the amounts if accounts hold several; else "".
    """

    agent: str
    colour: int
    product_id: str
    quantity: int
    average_cost: PriceUnits
    bid: PriceUnits | None
    unrealised: int | None
    held_s: float | None
    digits: int = 2
    closed: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class TradeRow:
    """A decided order.

    Attributes:
        order_id: Id of the order.
        at: Wall time of the decision.
        venue_time: Venue time of the price it was decided with.
        agent: Name of the agent.
        colour: As in `AgentRow`.
        action: "buy" or "sell"; "order" if unknown.
        quantity: Base units as text.
        product_id: Id of the product.
        seen: Price in the agent's snapshot, ask for a buy, bid for a sell.
        price: Price of the fill.
        move_bps: Change from `seen` to `price`; positive is up.
        against: True if that change cost the agent.
        latency_ms: Wall time from issuing the order to the decision; None for later steps.
        notional: Value of the fill.
        fee: Fee of the fill.
        words: Reason of a rejection; "" for a fill.
        digits: Decimals of amounts.
        unit: Currency of the amounts if accounts hold several; else "".
    """

    order_id: str
    at: datetime
    venue_time: datetime | None
    agent: str
    colour: int
    action: str
    quantity: str
    product_id: str
    seen: Decimal | None
    price: Decimal | None
    move_bps: Decimal | None
    against: bool
    latency_ms: float | None
    notional: int | None
    fee: int | None
    words: str
    digits: int = 2
    unit: str = ""

    @property
    def filled(self) -> bool:
        """True if it was filled, False if it was rejected."""
        return not self.words


@dataclass(frozen=True, slots=True)
class Series:
    """An agent's equity curve.

    Attributes:
        agent: Name of the agent.
        colour: As in `AgentRow`.
        rank: Rank of the agent.
        opening: Opening cash; with several currencies, the wealth index at the start.
        values: Pairs of venue time in Unix milliseconds and equity or index, oldest first.
        marks: Venue times at which another version of its prompt came into force.
    """

    agent: str
    colour: int
    rank: int
    opening: int
    values: tuple[tuple[int, int | None], ...]
    marks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Thought:
    """The newest text of an agent, or its error.

    Attributes:
        agent: Name of the agent.
        colour: As in `AgentRow`.
        words: The text or the error.
        outcome: Outcome of the newest turn; "" before the first.
        tokens: Tokens of the newest turn.
        ended_at: Wall time at which that turn ended; None in a backtest, which measures no time.
        deciding_s: Wall seconds since the turn in progress started; None if there is none.
        dead: True if the agent is dead.
        estimated: True if the tokens are an estimate.
    """

    agent: str
    colour: int
    words: str
    outcome: str
    tokens: int
    ended_at: datetime | None
    deciding_s: float | None
    dead: bool = False
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class ArenaSummary:
    """The state of the arena: market, costs, health.

    Attributes:
        snapshots: Number of published snapshots.
        as_of: Venue time of the newest snapshot.
        venue_now: Newest venue time.
        simulated: True if the prices are not live.
        speed: Venue seconds per wall second.
        interval_s: Venue seconds from snapshot to snapshot.
        venue: Name of the venue.
        feed_age_s: Wall seconds since the feed was last known alive.
        stale_products: Ids of the products that are stale in the newest snapshot.
        fee_bps: Fee of a fill; None before the rules were read.
        slippage_bps: Slippage of a fill; None before the rules were read.
        llm_calls: Number of model calls.
        llm_errors: Model calls that failed.
        tokens: Tokens of all model calls.
        cost_usd: Cost of the model calls whose price is known; None if there is none.
        unpriced: Number of model calls whose price is unknown.
        partial: True if tokens, costs and turns are sums over the newest records only.
        dead_letters: Records in `dead_letters`.
        malformed: Records that this dashboard could not read.
        malformed_newest: Topic, offset and error of the newest of them.
        broken_log: Error in `account.events`, or "".
        feed_down: Why the feed is down and what to do; "" if it is up.
        market_warning: What else is wrong with the market data, such as a ban; "" if nothing is.
        feed_ended_at: Wall time at which the last connector stopped; None while one runs.
        currency: Currency of accounts; model costs are in US dollars.
        wallets: Further currencies of accounts.
        recorded: True if the prices are those of a real market in the past.
        lock_step: True if the market waits for every decision.
        shadow_calls: Model calls of the shadow agents of trials, which the totals have, too.
        shadow_cost_usd: Their cost, as `cost_usd`.
    """

    snapshots: int
    as_of: datetime | None
    venue_now: datetime | None
    simulated: bool
    speed: float
    interval_s: float
    venue: str
    feed_age_s: float | None
    stale_products: tuple[str, ...]
    fee_bps: Decimal | None
    slippage_bps: Decimal | None
    llm_calls: int
    llm_errors: int
    tokens: int
    cost_usd: Decimal | None
    unpriced: int
    partial: bool
    dead_letters: int
    malformed: int
    malformed_newest: str
    broken_log: str
    feed_down: str = ""
    market_warning: str = ""
    feed_ended_at: datetime | None = None
    currency: str = DEFAULT_CURRENCY
    recorded: bool = False
    lock_step: bool = False
    wallets: tuple[str, ...] = ()
    shadow_calls: int = 0
    shadow_cost_usd: Decimal | None = Decimal(0)


@dataclass(frozen=True, slots=True)
class ReadStatus:
    """Progress of reading the topics.

    Attributes:
        read_share: Share of the records at the start that were read, 0 to 1; None after that.
        unread: Number of unread records.
        silent_s: Seconds since which the broker does not answer, or None.
        ended: "ended 22:39" if the run that is shown has ended; "" while it runs.
    """

    read_share: float | None = None
    unread: int = 0
    silent_s: float | None = None
    ended: str = ""
