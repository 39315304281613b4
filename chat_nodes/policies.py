"""The scripted rules: one policy per strategy, from what the prompt says to orders and one line.

They stand in for a model in the demo and in tests, and are labelled as scripted wherever they
appear. They are not meant to earn money: each follows its strategy's temper so that its trades
can be told apart. Pure: the same prompt and the same seed give the same orders.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Literal

from arena.money import decimal_text
from chat_nodes.models.prompt_reader import AccountSeen, MarketSeen, Quote

ORDERS_MAX = 3
ORDER_USD_MIN = Decimal(10)
QUANTITY_DIGITS = 3
"""Significant digits of a bought quantity: coarse enough for every product's increment."""
BPS = Decimal(10_000)

MOMENTUM_SHARE = Decimal("0.30")
MOMENTUM_SHARE_MAX = Decimal("0.60")
MOMENTUM_BARS = 12
SCALPER_SHARE = Decimal("0.08")
SCALPER_SHARE_MAX = Decimal("0.20")
SCALPER_BARS = 10
SCALPER_DIP = Decimal("0.0004")
SCALPER_PROFIT = Decimal("0.001")
SCALPER_LOSS = Decimal("0.010")
SCALPER_HELD_S_MAX = 300
BRAINROT_BARS = 20
BRAINROT_PROFIT = Decimal("0.01")
RANDOM_SHARE = Decimal("0.10")
ALMOST_ALL = Decimal("0.995")
"""Of what the cash would buy: prices move between the prompt and the fill."""


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """An order a policy wants: quantity in base units."""

    action: Literal["buy", "sell"]
    product_id: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """Orders, and why in one line."""

    orders: tuple[PlannedOrder, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Situation:
    """What a policy knows.

    Attributes:
        cost_bps: Fee and slippage of one trade.
        seed: Makes the random policy's choices, and nothing else.
    """

    market: MarketSeen
    account: AccountSeen
    cost_bps: Decimal
    seed: str

    def spendable_usd(self, wanted_usd: Decimal) -> Decimal:
        """The wanted amount, or what the cash allows after costs where that is less."""
        most = self.account.cash_usd / (1 + self.cost_bps / BPS) * ALMOST_ALL
        return min(wanted_usd, most)

    def buy(self, quote: Quote, usd: Decimal) -> tuple[PlannedOrder, ...]:
        """A buy of about `usd` dollars; nothing where that is too little to be worth it."""
        usd = self.spendable_usd(usd)
        if usd < ORDER_USD_MIN:
            return ()
        return (PlannedOrder("buy", quote.product_id, round_quantity(usd / quote.ask)),)

    def sell(self, product_id: str, part: Decimal = Decimal(1)) -> PlannedOrder:
        """A sale of a position, or of a part of it."""
        held = self.account.positions[product_id].quantity
        return PlannedOrder("sell", product_id, held if part == 1 else round_quantity(held * part))

    def gain(self, quote: Quote) -> Decimal | None:
        """What a position is up at the bid, as a fraction of its cost; None where none is held."""
        held = self.account.positions.get(quote.product_id)
        return quote.bid / held.average_cost - 1 if held and held.average_cost else None

    def share(self, quote: Quote) -> Decimal:
        """A position's part of the equity."""
        held = self.account.positions.get(quote.product_id)
        if held is None or not self.account.equity_usd:
            return Decimal(0)
        return held.quantity * quote.bid / self.account.equity_usd


Policy = Callable[[Situation], Plan]


def round_quantity(quantity: Decimal) -> Decimal:
    """A positive quantity rounded down to a few significant digits."""
    step = Decimal(1).scaleb(min(0, quantity.adjusted() - QUANTITY_DIGITS + 1))
    return quantity.quantize(step, ROUND_FLOOR)


def momentum(now: Situation) -> Plan:
    """Buy what rises on 5 and 15 minutes, sell what fell below its 5-minute mean."""
    trends = {q.product_id: _trend(now.market, q) for q in now.market.live()}
    fallen = [p for p in now.account.positions if trends.get(p, Decimal(0)) < 0]
    sells = tuple(now.sell(p) for p in fallen[:ORDERS_MAX])
    if sells:
        return Plan(sells, f"{', '.join(fallen)} fell below the 5m mean: cutting it")
    best = max(now.market.live(), key=lambda q: trends[q.product_id], default=None)
    if best is None or trends[best.product_id] <= 0 or not _rising_15m(now.market, best):
        return Plan((), "no product rises on both 5m and 15m: waiting")
    if now.share(best) >= MOMENTUM_SHARE_MAX:
        return Plan((), f"{best.product_id} still rises and is held in full: letting it run")
    strength = _percent(trends[best.product_id])
    orders = now.buy(best, now.account.equity_usd * MOMENTUM_SHARE)
    if not orders:
        return Plan((), f"{best.product_id} rises, {strength} over its 5m mean, no cash is left")
    return Plan(orders, f"{best.product_id} is {strength} over its 5m mean with 15m up: adding")


def brainrot(now: Situation) -> Plan:
    """All of the cash into the most volatile riser; sell only with a profit, to rotate."""
    live = now.market.live()
    hottest = max(live, key=lambda q: _heat(now.market, q), default=None)
    if hottest is None:
        return Plan((), "no live price, no YOLO")
    orders = now.buy(hottest, now.account.cash_usd)
    if orders and now.account.cash_usd > now.account.equity_usd / 20:
        return Plan(orders, f"{hottest.product_id} moves the most: all in")
    for quote in live:
        gain = now.gain(quote)
        if quote.product_id != hottest.product_id and gain and gain > BRAINROT_PROFIT:
            reason = f"{quote.product_id} is up {_percent(gain)}, {hottest.product_id} is hotter"
            return Plan((now.sell(quote.product_id),), f"{reason}: rotating")
    return Plan((), "all in already, diamond hands: never selling at a loss")


def scalper(now: Situation) -> Plan:
    """Buy small dips below the 1-minute mean; out again with a small gain, a stop or the time."""
    orders: list[PlannedOrder] = []
    reasons: list[str] = []
    for quote in now.market.live():
        name, gain = quote.product_id, now.gain(quote)
        if gain is not None and (why := _scalp_exit(now, quote, gain)):
            orders.append(now.sell(name))
            reasons.append(f"{name} {why}")
            continue
        dip = _below_mean(now.market, quote)
        if dip > SCALPER_DIP and now.share(quote) < SCALPER_SHARE_MAX:
            bought = now.buy(quote, now.account.equity_usd * SCALPER_SHARE)
            orders += bought
            if bought:
                reasons.append(f"{name} is {_percent(dip)} under its 1m mean: a small buy")
    if not orders:
        return Plan((), "no dip under the 1m mean and nothing to take: standing by")
    return Plan(tuple(orders[:ORDERS_MAX]), "; ".join(reasons[:ORDERS_MAX]))


def _scalp_exit(now: Situation, quote: Quote, gain: Decimal) -> str:
    if gain > SCALPER_PROFIT:
        return f"is up {_percent(gain)}: taking it"
    if gain < -SCALPER_LOSS:
        return f"is down {_percent(-gain)}: stopped out"
    if now.account.positions[quote.product_id].held_s > SCALPER_HELD_S_MAX:
        return "was held long enough: out"
    return ""


def buy_and_hold(now: Situation) -> Plan:
    """Split the cash over every product once, then never trade again."""
    if now.account.positions:
        return Plan((), "bought once, holding")
    live = now.market.live()
    orders: list[PlannedOrder] = []
    for quote in live:
        orders += now.buy(quote, now.spendable_usd(now.account.cash_usd) / len(live))
    return Plan(tuple(orders), f"an equal part in each of {len(orders)} products, to be held")


def random(now: Situation) -> Plan:
    """A seeded coin: a third of the time it holds, else it buys a little or sells a half."""
    live = now.market.live()
    coin, pick = hashlib.sha256(now.seed.encode()).digest()[:2]
    if not live or coin % 3 == 0:
        return Plan((), "the coin says hold")
    quote = live[pick % len(live)]
    if coin % 3 == 1 and quote.product_id in now.account.positions:
        order = now.sell(quote.product_id, Decimal("0.5"))
        return Plan((order,), f"the coin says sell half of {quote.product_id}")
    orders = now.buy(quote, now.account.equity_usd * RANDOM_SHARE)
    if not orders:
        return Plan((), f"the coin says buy {quote.product_id}, but no cash is left")
    return Plan(orders, f"the coin says buy {quote.product_id}")


def cash(_: Situation) -> Plan:
    """Never trade."""
    return Plan((), "cash is a position")


POLICIES: dict[str, Policy] = {
    "momentum": momentum,
    "brainrot": brainrot,
    "scalper": scalper,
    "buy_and_hold": buy_and_hold,
    "random": random,
    "cash": cash,
}


def _mean(values: Sequence[Decimal]) -> Decimal:
    return sum(values, Decimal(0)) / len(values)


def _trend(market: MarketSeen, quote: Quote) -> Decimal:
    """How far the price is over its 5-minute mean, as a fraction; zero without candles."""
    closes = market.closes(quote.product_id, "5m", MOMENTUM_BARS)
    return quote.price / _mean(closes) - 1 if closes else Decimal(0)


def _rising_15m(market: MarketSeen, quote: Quote) -> bool:
    closes = market.closes(quote.product_id, "15m", 4)
    return bool(closes) and quote.price > closes[0]


def _below_mean(market: MarketSeen, quote: Quote) -> Decimal:
    closes = market.closes(quote.product_id, "1m", SCALPER_BARS)
    return 1 - quote.price / _mean(closes) if closes else Decimal(0)


def _heat(market: MarketSeen, quote: Quote) -> tuple[bool, Decimal]:
    """Risers before fallers, then by the range of the 1-minute closes."""
    closes = market.closes(quote.product_id, "1m", BRAINROT_BARS)
    if not closes:
        return False, Decimal(0)
    return quote.price > closes[0], (max(closes) - min(closes)) / min(closes)


def _percent(fraction: Decimal) -> str:
    return f"{decimal_text((fraction * 100).quantize(Decimal('0.01')))} %"
