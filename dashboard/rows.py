"""The rows people read: immutable pieces of a frame. No logic beyond what a field is.

Amounts are units of 10^-8, prices of 10^-18; None is "not known" and is shown as "-".
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from arena.agent_health import DeadAgent
from arena.currency import DEFAULT_CURRENCY
from arena.messages import LeaderboardRow
from arena.money import PriceUnits


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One agent in the ranking.

    Attributes:
        rank: From 1, 0 for those without; agents without an account come later, the dead last.
        colour: Index of the agent among all names in order, for its colour in every pane.
        scripted: True where built-in rules answer and no LLM; None before the first answer.
        recent_pnl: Equity less that of five venue minutes ago.
        latency_cost: Lost between the price seen and the best price at the fill.
        cost_usd: Of the model calls whose price is known; None where none is. unpriced: the others.
        scraped: Profit set aside, part of the equity and not of the cash.
        held: Quantity of every product the market has, and of any other that is held.
        judged: What the newest evaluation says of it; None where there is none.
        dead: Why it is not ranked; None if it is alive.
        not_comparable: Why its figures are not one contestant's, as the judge says it; "" if they are.
        estimated: True if the tokens of some calls are estimates.
        digits: After the point that amounts are shown with.
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
    tokens: int
    cost_usd: Decimal | None
    unpriced: int
    scraped: int = 0
    held: tuple[tuple[str, int], ...] = ()
    judged: LeaderboardRow | None = None
    dead: DeadAgent | None = None
    estimated: bool = False
    not_comparable: str = ""
    digits: int = 2

    @property
    def ranked(self) -> bool:
        """True if it has a rank: it is alive, and one contestant."""
        return self.dead is None and not self.not_comparable

    @property
    def gain(self) -> int | None:
        """Equity less the cash the account was opened with."""
        if self.equity is None or self.opening is None:
            return None
        return self.equity - self.opening


@dataclass(frozen=True, slots=True)
class PositionRow:
    """What an agent holds of a product; `held_s` is venue time. digits: see `AgentRow`.

    Attributes:
        closed: Why it cannot be sold now; "" if it can.
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


@dataclass(frozen=True, slots=True)
class TradeRow:
    """A decided order.

    Attributes:
        at: Wall time of the decision. venue_time: of the price it was made with.
        seen: Price in the agent's snapshot, ask for a buy, bid for a sell. price: of the fill.
        move_bps: From seen to price; positive is up. against: True where that cost the agent.
        latency_ms: From issuing the order to the decision, wall time.
        words: For a rejection: why.
        digits: See `AgentRow`.
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
    latency_ms: float
    notional: int | None
    fee: int | None
    words: str
    digits: int = 2

    @property
    def filled(self) -> bool:
        """True where it was filled, False where it was rejected."""
        return not self.words


@dataclass(frozen=True, slots=True)
class Series:
    """An agent's equity curve: pairs of venue time in milliseconds and equity, and its opening."""

    agent: str
    colour: int
    rank: int
    opening: int
    values: tuple[tuple[int, int | None], ...]


@dataclass(frozen=True, slots=True)
class Thought:
    """The newest words of an agent, or what kept it from having any.

    Attributes:
        deciding_s: Wall seconds since the turn under way began; None where none is.
        dead: The agent is dead. estimated: its tokens are an estimate.
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
    """Where the arena stands: market, costs, health.

    Attributes:
        snapshots: Published so far.
        recorded: True if the prices were once those of a real market.
        lock_step: True if the market waits for every decision.
        partial: True where tokens, costs and turns are sums over the newest records only.
        currency: What accounts hold; what models cost is in US dollars.
        feed_down: Why the venue sends nothing and what to do; "" if it does.
        feed_ended_at: When the last connector stopped; None while one runs.
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
    feed_ended_at: datetime | None = None
    currency: str = DEFAULT_CURRENCY
    recorded: bool = False
    lock_step: bool = False


@dataclass(frozen=True, slots=True)
class ReadStatus:
    """How the reading of the topics goes.

    Attributes:
        read_share: Of what was there at the start, 0 to 1; None once it is all read.
        behind: Records not yet read. silent_s: since when the broker gave no answer, or None.
        ended: "ended 22:39" if the run that is shown has ended; "" while it runs.
    """

    read_share: float | None = None
    behind: int = 0
    silent_s: float | None = None
    ended: str = ""
