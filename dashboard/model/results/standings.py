"""The ranking, with the dead, the halts and the rules. Pure."""

from pydantic import Field

from arena.messages.base import Utc, is_empty
from arena.money import WireDecimal
from dashboard.model.results.base import Kind, Result


class Judged(Result):
    """An agent's row in the newest evaluation of the judge.

    Attributes:
        rank_low, rank_high: Best and worst rank that the data allow, from 1.
        return_low, return_high: Interval of the return, at `Verdict.confidence`.
        p_best: Probability of being truly the best.
        entrant: The judge's row: the agent, or the cell that it is a repeat of.
    """

    rank_low: int
    rank_high: int
    return_low: float | None
    return_high: float | None
    p_best: float | None
    entrant: str


class WalletStanding(Result):
    """An agent's account in one of several currencies; all amounts are in it."""

    currency: str
    equity: WireDecimal
    return_pct: WireDecimal | None
    cash: WireDecimal
    scraped: WireDecimal
    fees: WireDecimal
    slippage: WireDecimal
    latency_cost: WireDecimal
    realised: WireDecimal
    trades: int
    rejections: int


class GatesResult(Result):
    """When an agent is asked, and what its gates did in the kept turns.

    Attributes:
        settings: Its gates and cadence as text; "off" if it is asked on every snapshot.
        asked: Turns.
        skipped: Reason -> snapshots on which it was not asked.
        calls_saved_estimate: Mean model calls of its turns, times the snapshots on which a gate or
            the cadence held it back.
        usd_saved_estimate: Their cost in the same way; None if a price is unknown.
    """

    settings: str
    asked: int
    skipped: dict[str, int]
    calls_saved_estimate: float
    usd_saved_estimate: WireDecimal | None


class LimitResult(Result):
    """A limit of risk that can be measured now; `used` is 1 at the limit."""

    limit: str
    value: WireDecimal
    threshold: WireDecimal
    used: float


class RiskResult(Result):
    """What limits of risk did to an agent's orders, and how near it is to them.

    Attributes:
        preset: The preset in force; "custom" for other limits; "" without any.
        approved, adjusted: Numbers of orders.
        rejected: Limit -> orders that it rejected.
        near: Limit -> approved orders at more than 80 % of it.
        tripped: Limit of loss -> breaches.
        sells_only: The limit after whose breach it may only sell; "" if it may buy.
        sells_only_until: Venue time until then; None until an operator lifts it.
        limits: The limits of the main account that can be measured now.
    """

    preset: str
    approved: int
    adjusted: int
    rejected: dict[str, int]
    near: dict[str, int]
    tripped: dict[str, int]
    sells_only: str
    sells_only_until: Utc | None
    limits: tuple[LimitResult, ...]


class ExitsResult(Result):
    """Exits of an agent: placed, fired, and cancelled."""

    armed: int
    fired: int
    cancelled: int


class OpenOrderResult(Result):
    """An open order of an agent.

    Attributes:
        quantity: Of a limit order; None for an exit, which sells all that is held.
        filled: Base units so far.
        level: The bid at which an exit fires, or the limit; None for a time exit.
        distance_pct: From the bid to the level in percent.
        due: When it expires, or when a time exit fires.
    """

    order_id: str
    product_id: str
    order_type: str
    action: str
    quantity: WireDecimal | None
    filled: WireDecimal
    level: WireDecimal | None
    distance_pct: WireDecimal | None
    due: Utc | None


class AgentStanding(Result):
    """An agent: its account, its turns, and what they cost.

    Attributes:
        rank: Rank by equity, or by growth with several currencies; None if dead or not comparable.
        alive: False if it is dead.
        apart: Why it cannot be compared; None if it can.
        model: Model of its newest turn or call; "" before the first.
        scripted: True if scripted rules answer instead of an LLM; None before the first answer.
        equity_usd: Cash and positions at the best bid; None without an account.
        return_pct: Growth since the opening of the account.
        max_drawdown_pct: Largest loss from a high of its equity, at the kept snapshots.
        positions: Product id -> base units, for every product of the market.
        latency_cost_usd: Loss from the price seen to the best price at the fill.
        skipped_snapshots: Snapshots that were skipped for newer ones.
        gates: When it is asked, and how often it was not.
        risk: Its limits of risk, and what they did.
        exits: Its exits.
        orders: Its open orders.
        tokens_estimated: True if the tokens of some calls are estimates.
        calls_of_unknown_price: Calls that `cost_usd` does not contain.
        judged: Its row in the newest evaluation, or None.
        currencies: Its accounts in several currencies, the main one first; omitted for one.
        shadow_of: The agent whose text it tries; omitted if it is not a shadow agent.
    """

    rank: int | None
    agent: str
    alive: bool
    apart: str | None
    strategy: str
    kind: Kind
    model: str
    scripted: bool | None
    equity_usd: WireDecimal | None
    return_pct: WireDecimal | None
    max_drawdown_pct: WireDecimal | None
    cash_usd: WireDecimal | None
    scraped_usd: WireDecimal | None
    positions: dict[str, WireDecimal]
    fees_usd: WireDecimal
    slippage_usd: WireDecimal
    latency_cost_usd: WireDecimal
    realised_usd: WireDecimal
    trades: int
    rejections: int
    turns: int
    turns_aborted: int
    skipped_snapshots: int
    gates: GatesResult
    risk: RiskResult
    exits: ExitsResult
    orders: tuple[OpenOrderResult, ...]
    tokens: int
    tokens_estimated: bool
    cost_usd: WireDecimal | None
    calls_of_unknown_price: int
    judged: Judged | None
    currencies: tuple[WalletStanding, ...] = Field(default=(), exclude_if=is_empty)
    shadow_of: str = Field(default="", exclude_if=is_empty)


class DeadAgentResult(Result):
    """An agent that is dead, with cause and remedy.

    Attributes:
        turns: Turns without a decision, in a row up to the newest.
        since: Wall time at which the first of them ended.
        code: The cause for programs; "" if unknown.
    """

    agent: str
    cause: str
    turns: int
    since: Utc | None
    code: str
    remedy: str
    strategy: str
    kind: Kind
    model: str
    node: str


class RulesResult(Result):
    """The executor's rules, in basis points."""

    fee_bps: WireDecimal
    slippage_bps: WireDecimal


class HaltResult(Result):
    """A halt in force.

    Attributes:
        scope: An agent, or "all".
        since: Wall time; None if unknown.
        by: The user or command that halted.
        obeyed: True if the executors confirm it.
        unread: Topic and offset of an unreadable record that halts its scope; "" for a halt.
    """

    scope: str
    since: Utc | None
    reason: str
    by: str
    obeyed: bool
    unread: str


class Halts(Result):
    """The halts in force, the one of all agents first."""

    halted: tuple[HaltResult, ...]


class Market(Result):
    """What market the figures are of.

    Attributes:
        words: For people: "simulated, 60x", "recorded, lock-step", "live coinbase".
        snapshots: Number of published snapshots; `as_of` is the venue time of the newest.
        simulated: True if the prices are not live.
        recorded: True if the prices are those of a real market in the past.
        speed: Venue seconds per wall second.
        interval_s: Venue seconds from snapshot to snapshot.
        feed_age_s: Wall seconds since the feed was last known alive; None if it never was.
        feed_down: Why the feed is down and what to do; "" if it is up.
        market_warning: What else is wrong with the market data, such as a ban; "" if nothing is.
        stale_products: Products that are stale in the newest snapshot.
    """

    words: str
    venue: str
    snapshots: int
    as_of: Utc | None
    simulated: bool
    recorded: bool
    lock_step: bool
    speed: float
    interval_s: float
    feed_age_s: float | None
    feed_down: str
    market_warning: str
    stale_products: tuple[str, ...]


class Agents(Result):
    """The agents, in rank order, those without a rank last.

    Attributes:
        other_accounts: Accounts that are not a contestant's, such as an operator's.
    """

    agents: tuple[AgentStanding, ...]
    dead: tuple[DeadAgentResult, ...]
    other_accounts: tuple[AgentStanding, ...]


class Leaderboard(Result):
    """The ranking, with the verdict, the dead, the halts and the rules.

    Attributes:
        run: Name of the run; "" if it is unknown.
        ended: "ended 22:39" if the run has ended; "" while it runs.
        currency: Main currency; `wallets` are further ones.
        verdict: The judge's words; "" without an evaluation.
        interim: True if the verdict is not final.
        agents: In rank order, those without a rank last.
        dead: The dead, with cause and remedy.
        other_accounts: Accounts that are not a contestant's, such as an operator's.
        digest: Hash of all accounts.
        partial: True if tokens, costs and turns are sums over the newest records only.
    """

    run: str
    ended: str
    market: Market
    currency: str
    wallets: tuple[str, ...] = ()
    rules: RulesResult | None
    verdict: str
    interim: bool | None
    agents: tuple[AgentStanding, ...]
    dead: tuple[DeadAgentResult, ...]
    other_accounts: tuple[AgentStanding, ...]
    halted: tuple[HaltResult, ...]
    digest: str
    partial: bool
