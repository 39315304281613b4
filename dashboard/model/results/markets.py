"""Accounts, orders, prices and curves. Pure."""

from arena.messages import Candle
from arena.messages.base import Utc
from arena.messages.orders import OrderStatus, OrderType
from arena.money import WireDecimal
from dashboard.model.results.base import Result
from dashboard.model.results.coaching import PromptMark
from dashboard.model.results.standings import AgentStanding, Market


class Position(Result):
    """A position; amounts are in `currency`.

    Attributes:
        quantity: Base units.
        average_cost: Cost per base unit, fees included.
        bid: Best bid; None if unknown.
        value, unrealised: At the bid.
        held_s: Venue seconds since entry, weighted by quantity.
        closed: Why it cannot be sold now; "" if it can.
    """

    agent: str
    product_id: str
    currency: str
    quantity: WireDecimal
    average_cost: WireDecimal
    bid: WireDecimal | None
    value: WireDecimal | None
    unrealised: WireDecimal | None
    held_s: float | None
    closed: str


class Positions(Result):
    """The positions of all agents, in the order of the ranking."""

    currency: str
    as_of: Utc | None
    positions: tuple[Position, ...]


class PortfolioResult(Result):
    """The account of one agent, with its positions."""

    agent: str
    currency: str
    as_of: Utc | None
    account: AgentStanding
    positions: tuple[Position, ...]


class Trade(Result):
    """A step of an order; a market order has one. Amounts are in `currency`.

    Attributes:
        at: Wall time of the decision; `venue_time` is that of its price.
        seen: Price in the agent's snapshot; `price` is the price paid or got.
        move_bps: Change from `seen` to `price`; positive is up.
        step: Number of the step, from 0 in each order.
        latency_ms: Wall time from issuing the order to the decision; None for later steps.
        outcome: What the step made of the order; accepted and cancelled orders moved no money.
        reason: Why it was rejected; "" for other outcomes.
        cause: Why the executor took the step without a call, such as "triggered"; "" otherwise.
    """

    order_id: str
    turn_id: str
    agent: str
    at: Utc
    venue_time: Utc | None
    product_id: str
    action: str
    quantity: WireDecimal | None
    outcome: OrderStatus
    seen: WireDecimal | None
    price: WireDecimal | None
    move_bps: WireDecimal | None
    notional: WireDecimal | None
    fee: WireDecimal | None
    slippage: WireDecimal | None
    realised: WireDecimal | None
    currency: str
    latency_ms: float | None
    reason: str
    step: int
    order_type: OrderType
    cause: str


class TradePage(Result):
    """Decided orders, the newest first.

    Attributes:
        cursor: What asks for the next page; None at the end.
        complete: False if there were so many orders that the oldest are not kept here.
    """

    agent: str | None
    trades: tuple[Trade, ...]
    cursor: str | None
    complete: bool


class Price(Result):
    """The newest price of a product.

    Attributes:
        age_s: Wall seconds since it was received or last confirmed.
        stale: True if the newest snapshot says that it is too old to trade on.
        closed: Why the product cannot be traded; "" if it can.
    """

    product_id: str
    venue: str
    price: WireDecimal | None
    best_bid: WireDecimal
    best_ask: WireDecimal | None
    event_time: Utc
    age_s: float
    stale: bool
    closed: str


class Prices(Result):
    """The newest prices."""

    market: Market
    prices: tuple[Price, ...]


class Candles(Result):
    """Closed candles of a product, oldest first, as in the newest snapshot.

    Attributes:
        gaps: Starts of candles that the venue does not have.
        stale: True if the newest candle is older than two lengths.
    """

    product_id: str
    granularity: str
    granularity_s: int
    candles: tuple[Candle, ...]
    gaps: tuple[Utc, ...]
    stale: bool


class IndicatorRun(Result):
    """The unbroken run of bars of one granularity that indicators are made of.

    Attributes:
        since: Start of its first bar; None before it closed.
        gap: Start of the newest missing bar before it; None if none is known.
    """

    granularity: str
    since: Utc | None
    bars: int
    gap: Utc | None


class IndicatorRow(Result):
    """One indicator.

    Attributes:
        values: Granularity -> newest value; None while it needs more bars.
    """

    name: str
    values: dict[str, float | None]


class IndicatorValues(Result):
    """The indicators of a product, as in the newest snapshot; numbers, not money."""

    product_id: str
    as_of: Utc
    runs: tuple[IndicatorRun, ...]
    rows: tuple[IndicatorRow, ...]


class IndicatorTraces(Result):
    """How a product's bid and some of its indicators moved over the kept snapshots.

    Attributes:
        times: Venue times in Unix milliseconds.
        bids: Best bid at each of the times.
        values: Indicator -> value at each of the times, of the finest granularity.
    """

    product_id: str
    times: tuple[int, ...]
    bids: tuple[WireDecimal | None, ...]
    values: dict[str, tuple[float | None, ...]]


class PriceBar(Result):
    """Bids of a product in a stretch of venue time, from the last bid before it on."""

    start: Utc
    open: WireDecimal
    high: WireDecimal
    low: WireDecimal
    close: WireDecimal


class PriceHistory(Result):
    """The bids of a product at the kept snapshots, oldest first.

    Attributes:
        bar_s: Venue seconds of a bar.
    """

    product_id: str
    bar_s: int
    bars: tuple[PriceBar, ...]


class ContextNote(Result):
    """A piece of news, a sentiment or token facts, as the newest snapshot has it.

    Attributes:
        about: The product, or "market".
        age_s: Venue seconds from its publication to the snapshot.
        source: Who published it; "" if unknown.
        words: Title, text and facts in one text.
    """

    item_id: str
    product_id: str
    about: str
    kind: str
    published_at: Utc
    age_s: float
    source: str
    url: str
    title: str
    text: str
    sentiment: str | None
    score: WireDecimal | None
    facts: dict[str, str]
    words: str


class ContextNotes(Result):
    """The dated context of the newest snapshot, the newest item first.

    Attributes:
        simulated: True if the market is simulated or recorded.
    """

    as_of: Utc | None
    simulated: bool
    items: tuple[ContextNote, ...]


class Symbols(Result):
    """The ids of the products that have a price."""

    symbols: tuple[str, ...]


class LatestMarket(Result):
    """The newest price of a product, and its candles.

    Attributes:
        candles: Per granularity, the shortest first.
    """

    symbol: str
    price: Price
    candles: tuple[Candles, ...]


class EquityCurveResult(Result):
    """Equity of one agent; with several currencies its wealth index times its opening.

    Attributes:
        values: Equity at each time of `EquityCurves.times`; None if unknown.
        drawdowns_pct: Share lost from the high so far, in percent, at each of the times.
        prompts: When another version of its prompt came into force, oldest first.
    """

    agent: str
    rank: int
    opening: WireDecimal
    values: tuple[WireDecimal | None, ...]
    drawdowns_pct: tuple[WireDecimal | None, ...]
    prompts: tuple[PromptMark, ...] = ()


class EquityCurves(Result):
    """Equity curves at the kept snapshots, thinned.

    Attributes:
        times: Venue times in Unix milliseconds.
    """

    currency: str
    times: tuple[int, ...]
    curves: tuple[EquityCurveResult, ...]
