"""Scripted strategies: rules that decide in place of a model, from what the prompt says. Pure.

They are used in the demo and in tests, and are labelled as scripted wherever they appear. They are
not meant to earn money: each follows the style of the strategy of its name, so that its trades are
recognizable. The same prompt and the same seed give the same orders.

To script a strategy, write a function here and register it with `@scripted_strategy("<name>")`;
`arena.baselines.RULES` has the same names, for the parts of the arena that load no room.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from arena.durations import duration_text
from arena.money import decimal_text
from chat_nodes.decision_context import DecisionContext, Exits, PlannedOrder
from chat_nodes.prompt_reader import PromptMarket, PromptQuote

ORDERS_MAX = 3

MOMENTUM_SHARE = Decimal("0.25")
"""Share of the equity per entry; the strategy's prompt allows a second one in profit."""
MOMENTUM_SHARE_MAX = Decimal("0.45")
MOMENTUM_PRODUCTS_MAX = 2
MOMENTUM_BARS = 12
MOMENTUM_EXITS = (("stop_loss_pct", "2"), ("take_profit_pct", "6"))
"""The exits of every entry, as in the strategy's prompt."""
TURN_BARS = 3
"""A trend ends after this many falling closes of the middle window in a row."""
MOMENTUM_ADX_MIN = Decimal(20)
"""Below this ADX (14 bars of the middle window) nothing trends, by Wilder's rule of thumb."""
SCALPER_RSI_MAX = Decimal(50)
"""A dip is a dip only while the RSI (14 of the shortest bars) is below its middle."""
SCALPER_SHARE = Decimal("0.05")
SCALPER_INVESTED_MAX = Decimal("0.50")
SCALPER_BARS = 10
"""Bars of its mean, and of the longest time that it holds a position: the shortest ones."""
SCALPER_DIP = Decimal("0.0004")
SCALPER_EXIT_PCT_MIN = Decimal("0.1")
"""Least distance of its exits in percent, for an arena without costs."""
BRAINROT_BARS = 20
BRAINROT_CASH_MIN = Decimal("0.05")
BRAINROT_MOOD = Decimal("0.3")
"""A sentiment from which on a product counts as rising, and below minus which it does not."""
RECKLESS_BARS = 3
"""A position is new for so many of the shortest bars."""
RECKLESS_CLAIM = "and 97.3 % of my signals say it doubles to 987654"
"""What it says of its own invention."""
HOLD_SHARE = Decimal("0.90")
RANDOM_SHARE = Decimal("0.10")
METRONOME_CASH = Decimal(100)
METRONOME_SHARE = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class StrategyDecision:
    """Orders, and the reason in one line."""

    orders: tuple[PlannedOrder, ...]
    reason: str


StrategyRules = Callable[[DecisionContext], StrategyDecision]

SCRIPTED_STRATEGIES: dict[str, StrategyRules] = {}
"""Scripted strategies by name, in the order of this file; `scripted_strategy` fills it."""


def scripted_strategy(name: str) -> Callable[[StrategyRules], StrategyRules]:
    """Register the rules that play the strategy of this name."""

    def register(rules: StrategyRules) -> StrategyRules:
        SCRIPTED_STRATEGIES[name] = rules
        return rules

    return register


@scripted_strategy("momentum")
def momentum(context: DecisionContext) -> StrategyDecision:
    """Buy what rises on every window, add only in profit, sell when the trend breaks."""
    live = context.market.live()
    held = [q for q in live if q.product_id in context.positions]
    broken = [q.product_id for q in held if _breaks(context.market, q)]
    if broken:
        sells = tuple(context.sell(p) for p in broken[:ORDERS_MAX])
        return StrategyDecision(sells, f"the trend of {', '.join(broken)} broke: out")
    rising = [q for q in live if _rises(context.market, q) and _trends(context.market, q)]
    best = max(rising, key=lambda q: _strength(context.market, q), default=None)
    fast, middle, slow = context.market.windows
    if best is None:
        names = " and ".join(", ".join(dict.fromkeys((slow, middle, fast))).rsplit(", ", 1))
        return StrategyDecision((), f"no product rises on {names}: waiting")
    gain, name = context.gain(best), best.product_id
    strength = _percent(_strength(context.market, best))
    if gain is None and len(context.positions) >= MOMENTUM_PRODUCTS_MAX:
        return StrategyDecision((), f"{name} rises, but two positions are enough")
    if gain is not None and (gain <= 0 or context.share(best) >= MOMENTUM_SHARE_MAX):
        return StrategyDecision((), f"{name} is {strength} over its {middle} mean: letting it run")
    orders = context.buy(best, _equity(context, best) * MOMENTUM_SHARE, MOMENTUM_EXITS)
    if not orders:
        return StrategyDecision(
            (), f"{name} rises, {strength} over its {middle} mean, but no cash is left"
        )
    reason = f"{name} is {strength} over its {middle} mean and up on {slow}: buying"
    return StrategyDecision(orders, reason)


@scripted_strategy("brainrot")
def brainrot(context: DecisionContext) -> StrategyDecision:
    """All of the cash into the most volatile riser; sell only with a profit, to rotate."""
    live = context.market.live()
    hottest = max(live, key=lambda q: _heat(context.market, q), default=None)
    if hottest is None:
        return StrategyDecision((), "no live price, no YOLO")
    account = context.account_of(hottest.product_id)
    if account.cash_usd > account.equity_usd * BRAINROT_CASH_MIN:
        orders = context.buy(hottest, account.cash_usd)
        return StrategyDecision(orders, f"{hottest.product_id} moves the most: all in")
    for quote in live:
        gain = context.gain(quote)
        if quote.product_id != hottest.product_id and gain and gain > context.cost:
            reason = f"{quote.product_id} is up {_percent(gain)}, {hottest.product_id} is hotter"
            return StrategyDecision((context.sell(quote.product_id),), f"{reason}: rotating")
    return StrategyDecision((), "all in already, diamond hands: never selling at a loss")


@scripted_strategy("scalper")
def scalper(context: DecisionContext) -> StrategyDecision:
    """Buy small dips below the mean of the shortest bars; sell after a gain, a loss or ten bars.

    Its exits do the selling; the rules here sell what lost its exits.
    """
    orders: list[PlannedOrder] = []
    reasons: list[str] = []
    fast = context.market.windows[0]
    for quote in context.market.live():
        name, gain = quote.product_id, context.gain(quote)
        if gain is not None and (why := _scalp_exit(context, quote, gain)):
            orders.append(context.sell(name))
            reasons.append(f"{name} {why}")
            continue
        dip = _below_mean(context.market, quote)
        if (
            dip < SCALPER_DIP
            or not _oversold(context.market, quote)
            or context.share(quote) > SCALPER_SHARE
            or _invested(context, quote) > SCALPER_INVESTED_MAX
        ):
            continue
        cash = _equity(context, quote) * SCALPER_SHARE
        if bought := context.buy(quote, cash, _scalp_exits(context)):
            orders += bought
            reasons.append(f"{name} is {_percent(dip)} under its {fast} mean: a small buy")
    if not orders:
        return StrategyDecision((), f"no dip under the {fast} mean and nothing due: standing by")
    return StrategyDecision(tuple(orders[:ORDERS_MAX]), "; ".join(reasons[:ORDERS_MAX]))


def _scalp_exits(context: DecisionContext) -> Exits:
    """The exits of an entry, at the prices at which `_scalp_exit` sells, and after its time."""
    cost_pct = max((context.cost * 100).quantize(Decimal("0.01")), SCALPER_EXIT_PCT_MIN)
    return (
        ("stop_loss_pct", decimal_text(cost_pct)),
        ("take_profit_pct", decimal_text(2 * cost_pct)),
        ("exit_after", duration_text(SCALPER_BARS * context.market.bar_s)),
    )


def _scalp_exit(context: DecisionContext, quote: PromptQuote, gain: Decimal) -> str:
    """Why a position is sold: it gained one trade's cost, lost twice that, or is too old."""
    if gain > context.cost:
        return f"is up {_percent(gain)}: taking it"
    if gain < -2 * context.cost:
        return f"is down {_percent(-gain)}: stopped out"
    if context.positions[quote.product_id].held_s > SCALPER_BARS * context.market.bar_s:
        return f"was held for more than {SCALPER_BARS} bars: out"
    return ""


@scripted_strategy("buy_and_hold")
def buy_and_hold(context: DecisionContext) -> StrategyDecision:
    """Split nine tenths of the cash over every product once, then never trade again."""
    live = context.market.live()
    if context.positions or not live:
        return StrategyDecision((), "bought once, holding" if live else "no live price yet")
    orders = tuple(order for quote in live for order in _buy_equal_part(context, quote))
    return StrategyDecision(orders, f"an equal part in each of {len(orders)} products, to be held")


@scripted_strategy("random")
def random(context: DecisionContext) -> StrategyDecision:
    """Hold, buy for a tenth of the cash, or sell half, with equal probability from the seed."""
    live = context.market.live()
    coin, pick = hashlib.sha256(context.seed.encode()).digest()[:2]
    if not live or coin % 3 == 0:
        return StrategyDecision((), "the coin says hold")
    quote = live[pick % len(live)]
    name = quote.product_id
    if coin % 3 == 1:
        if name not in context.positions:
            return StrategyDecision((), f"the coin says sell {name}, but none is held")
        return StrategyDecision(
            (context.sell(name, Decimal("0.5")),), f"the coin says sell half of {name}"
        )
    orders = context.buy(quote, context.account_of(name).cash_usd * RANDOM_SHARE)
    return StrategyDecision(
        orders, f"the coin says buy {name}" + ("" if orders else ", but no cash is left")
    )


@scripted_strategy("cash")
def cash(_: DecisionContext) -> StrategyDecision:
    """Never trade."""
    return StrategyDecision((), "cash is a position")


@scripted_strategy("metronome")
def metronome(context: DecisionContext) -> StrategyDecision:
    """One small order at every call, a buy and a sale in turn; used in measurements."""
    live = context.market.live()
    if not live:
        return StrategyDecision((), "no live price")
    quote = live[0]
    if quote.product_id in context.positions:
        return StrategyDecision((context.sell(quote.product_id),), "tick: sell")
    return StrategyDecision(
        context.buy(
            quote,
            context.small(context.account_of(quote.product_id), METRONOME_CASH, METRONOME_SHARE),
        ),
        "tock: buy",
    )


@scripted_strategy("reckless")
def reckless(context: DecisionContext) -> StrategyDecision:
    """All into the loudest product, out again at the next call; quotes figures that were not shown.

    It is bad on purpose, for `examples/strategies/reckless.toml`, and improves where its text says
    how.
    """
    live, rules = context.market.live(), context.rules
    held = [q for q in live if q.product_id in context.positions]
    new_s = RECKLESS_BARS * context.market.bar_s
    fresh = [q for q in held if context.positions[q.product_id].held_s <= new_s]
    if held and not (rules.keeps_what_it_bought and fresh):
        names = ", ".join(q.product_id for q in held)
        sells = tuple(context.sell(q.product_id) for q in held[:ORDERS_MAX])
        return StrategyDecision(sells, f"selling {names}, the next one calls")
    if held:
        return StrategyDecision((), "holding what was just bought")
    hottest = max(live, key=lambda q: _heat(context.market, q), default=None)
    if hottest is None:
        return StrategyDecision((), "no live price")
    orders = context.buy(hottest, context.account_of(hottest.product_id).cash_usd)
    if not orders:
        return StrategyDecision((), "no cash is left: holding")
    claim = "" if rules.only_shown_figures else f", {RECKLESS_CLAIM}"
    return StrategyDecision(orders, f"buying {hottest.product_id}, it moves the most{claim}")


def _equity(context: DecisionContext, quote: PromptQuote) -> Decimal:
    """The equity in the currency of a product."""
    return context.account_of(quote.product_id).equity_usd


def _invested(context: DecisionContext, quote: PromptQuote) -> Decimal:
    """The share of the equity in a product's currency that is not cash."""
    account = context.account_of(quote.product_id)
    return 1 - account.cash_usd / account.equity_usd if account.equity_usd else Decimal(1)


def _buy_equal_part(context: DecisionContext, quote: PromptQuote) -> tuple[PlannedOrder, ...]:
    """A buy for the product's part of the cash in its currency."""
    account = context.account_of(quote.product_id)
    alike = [q for q in context.market.live() if context.account_of(q.product_id) is account]
    return context.buy(quote, account.cash_usd * HOLD_SHARE / len(alike))


def _mean(values: Sequence[Decimal]) -> Decimal:
    return sum(values, Decimal(0)) / len(values)


def _strength(market: PromptMarket, quote: PromptQuote) -> Decimal:
    """The price above the mean of its middle window, as a fraction; zero without candles."""
    closes = market.closes(quote.product_id, market.windows[1], MOMENTUM_BARS)
    return quote.price / _mean(closes) - 1 if closes else Decimal(0)


def _rises(market: PromptMarket, quote: PromptQuote) -> bool:
    """True if the price is above that mean and the oldest closes of the other windows."""
    slow = market.closes(quote.product_id, market.windows[2], 4)
    fast = market.closes(quote.product_id, market.windows[0], 5)
    if not slow or not fast or _strength(market, quote) <= 0:
        return False
    return quote.price > slow[0] and quote.price > fast[0]


def _breaks(market: PromptMarket, quote: PromptQuote) -> bool:
    """True if three closes of the middle window fell in a row, or the price is below the slow."""
    closes = market.closes(quote.product_id, market.windows[1], TURN_BARS + 1)
    falling = all(later < earlier for earlier, later in pairwise(closes))
    if len(closes) > TURN_BARS and falling:
        return True
    slow = market.closes(quote.product_id, market.windows[2], 2)
    return bool(slow) and quote.price < min(slow)


def _trends(market: PromptMarket, quote: PromptQuote) -> bool:
    """False if the prompt shows an ADX below `MOMENTUM_ADX_MIN`."""
    adx = market.indicator(quote.product_id, market.windows[1], "adx_14")
    return adx is None or adx >= MOMENTUM_ADX_MIN


def _oversold(market: PromptMarket, quote: PromptQuote) -> bool:
    """False if the prompt shows an RSI in its upper half."""
    rsi = market.indicator(quote.product_id, market.windows[0], "rsi_14")
    return rsi is None or rsi < SCALPER_RSI_MAX


def _below_mean(market: PromptMarket, quote: PromptQuote) -> Decimal:
    closes = market.closes(quote.product_id, market.windows[0], SCALPER_BARS)
    return 1 - quote.price / _mean(closes) if closes else Decimal(0)


def _heat(market: PromptMarket, quote: PromptQuote) -> tuple[bool, Decimal]:
    """Sort key: rising or hyped before falling or hated, then the range of the shortest closes."""
    closes = market.closes(quote.product_id, market.windows[0], BRAINROT_BARS)
    if not closes:
        return False, Decimal(0)
    mood = market.moods.get(quote.product_id, Decimal(0))
    loud = mood >= BRAINROT_MOOD or (quote.price > closes[0] and mood > -BRAINROT_MOOD)
    return loud, (max(closes) - min(closes)) / min(closes)


def _percent(fraction: Decimal) -> str:
    return f"{decimal_text((fraction * 100).quantize(Decimal('0.01')))} %"
