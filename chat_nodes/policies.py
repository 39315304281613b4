"""The scripted rules: one policy per strategy, from what the prompt says to orders and one line.

They stand in for a model in the demo and in tests, and are labelled as scripted wherever they
appear. They are not meant to earn money: each follows its strategy's temper so that its trades
can be told apart. Pure: the same prompt and the same seed give the same orders.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from itertools import pairwise
from typing import Literal

from arena.currency import cash_digits
from arena.money import decimal_text
from chat_nodes.models.prompt_reader import AccountSeen, MarketSeen, Quote

ORDERS_MAX = 3
ORDER_CASH_MIN = Decimal(10)
ORDER_SHARE_MIN = Decimal("0.0001")
"""Of the equity, for accounts in a currency such as BTC, of which 10 are a large amount."""
QUANTITY_DIGITS = 3
"""Significant digits of a bought quantity: coarse enough for every product's increment."""
BPS = Decimal(10_000)
CENT_DIGITS = 2

MOMENTUM_SHARE = Decimal("0.25")
"""Of the equity, per entry; the strategy's prompt allows a second one in profit."""
MOMENTUM_SHARE_MAX = Decimal("0.45")
MOMENTUM_PRODUCTS_MAX = 2
MOMENTUM_BARS = 12
TURN_BARS = 3
"""So many 5-minute closes that fall in a row end a trend."""
SCALPER_SHARE = Decimal("0.05")
SCALPER_SHARE_MAX = Decimal("0.10")
SCALPER_AT_WORK_MAX = Decimal("0.50")
SCALPER_BARS = 10
SCALPER_DIP = Decimal("0.0004")
SCALPER_HELD_S_MAX = 600
BRAINROT_BARS = 20
BRAINROT_CASH_MIN = Decimal("0.05")
HOLD_SHARE = Decimal("0.90")
RANDOM_SHARE = Decimal("0.10")
METRONOME_CASH = Decimal(100)
METRONOME_SHARE = Decimal("0.001")
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

    @property
    def cost(self) -> Decimal:
        """The cost of one trade as a fraction of its value."""
        return self.cost_bps / BPS

    def small(self, amount: Decimal, share: Decimal) -> Decimal:
        """A small amount of cash: the given one, or the share of the equity if BTC is cash."""
        is_small = cash_digits(self.account.currency) == CENT_DIGITS
        return amount if is_small else self.account.equity_usd * share

    def spendable_usd(self, wanted_usd: Decimal) -> Decimal:
        """The wanted amount, or what the cash allows after costs where that is less."""
        most = self.account.cash_usd / (1 + self.cost) * ALMOST_ALL
        return min(wanted_usd, most)

    def buy(self, quote: Quote, cash: Decimal) -> tuple[PlannedOrder, ...]:
        """A buy for about so much cash; nothing where that is too little to be worth it."""
        cash = self.spendable_usd(cash)
        if cash < self.small(ORDER_CASH_MIN, ORDER_SHARE_MIN) or not cash:
            return ()
        return (PlannedOrder("buy", quote.product_id, round_quantity(cash / quote.ask)),)

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
    """Buy what rises on every window, add only in profit, sell when the trend breaks."""
    live = now.market.live()
    held = [q for q in live if q.product_id in now.account.positions]
    broken = [q.product_id for q in held if _breaks(now.market, q)]
    if broken:
        sells = tuple(now.sell(p) for p in broken[:ORDERS_MAX])
        return Plan(sells, f"the trend of {', '.join(broken)} broke: out")
    rising = [q for q in live if _rises(now.market, q)]
    best = max(rising, key=lambda q: _strength(now.market, q), default=None)
    if best is None:
        return Plan((), "no product rises on 15m, 5m and 1m: waiting")
    gain, name = now.gain(best), best.product_id
    strength = _percent(_strength(now.market, best))
    if gain is None and len(now.account.positions) >= MOMENTUM_PRODUCTS_MAX:
        return Plan((), f"{name} rises, but two positions are enough")
    if gain is not None and (gain <= 0 or now.share(best) >= MOMENTUM_SHARE_MAX):
        return Plan((), f"{name} is {strength} over its 5m mean: letting it run")
    orders = now.buy(best, now.account.equity_usd * MOMENTUM_SHARE)
    if not orders:
        return Plan((), f"{name} rises, {strength} over its 5m mean, but no cash is left")
    return Plan(orders, f"{name} is {strength} over its 5m mean and up on 15m: buying")


def brainrot(now: Situation) -> Plan:
    """All of the cash into the most volatile riser; sell only with a profit, to rotate."""
    live = now.market.live()
    hottest = max(live, key=lambda q: _heat(now.market, q), default=None)
    if hottest is None:
        return Plan((), "no live price, no YOLO")
    if now.account.cash_usd > now.account.equity_usd * BRAINROT_CASH_MIN:
        orders = now.buy(hottest, now.account.cash_usd)
        return Plan(orders, f"{hottest.product_id} moves the most: all in")
    for quote in live:
        gain = now.gain(quote)
        if quote.product_id != hottest.product_id and gain and gain > now.cost:
            reason = f"{quote.product_id} is up {_percent(gain)}, {hottest.product_id} is hotter"
            return Plan((now.sell(quote.product_id),), f"{reason}: rotating")
    return Plan((), "all in already, diamond hands: never selling at a loss")


def scalper(now: Situation) -> Plan:
    """Buy small dips below the 1-minute mean; out with a small gain, a stop or the time."""
    orders: list[PlannedOrder] = []
    reasons: list[str] = []
    at_work = 1 - now.account.cash_usd / now.account.equity_usd if now.account.equity_usd else 1
    for quote in now.market.live():
        name, gain = quote.product_id, now.gain(quote)
        if gain is not None and (why := _scalp_exit(now, quote, gain)):
            orders.append(now.sell(name))
            reasons.append(f"{name} {why}")
            continue
        dip = _below_mean(now.market, quote)
        if dip < SCALPER_DIP or now.share(quote) > SCALPER_SHARE or at_work > SCALPER_AT_WORK_MAX:
            continue
        if bought := now.buy(quote, now.account.equity_usd * SCALPER_SHARE):
            orders += bought
            reasons.append(f"{name} is {_percent(dip)} under its 1m mean: a small buy")
    if not orders:
        return Plan((), "no dip under the 1m mean and nothing due: standing by")
    return Plan(tuple(orders[:ORDERS_MAX]), "; ".join(reasons[:ORDERS_MAX]))


def _scalp_exit(now: Situation, quote: Quote, gain: Decimal) -> str:
    """Why a position is due: it pays for the way out, lost twice that, or is too old."""
    if gain > now.cost:
        return f"is up {_percent(gain)}: taking it"
    if gain < -2 * now.cost:
        return f"is down {_percent(-gain)}: stopped out"
    if now.account.positions[quote.product_id].held_s > SCALPER_HELD_S_MAX:
        return "was held for ten minutes: out"
    return ""


def buy_and_hold(now: Situation) -> Plan:
    """Split nine tenths of the cash over every product once, then never trade again."""
    live = now.market.live()
    if now.account.positions or not live:
        return Plan((), "bought once, holding" if live else "no live price yet")
    usd = now.account.cash_usd * HOLD_SHARE / len(live)
    orders = tuple(order for quote in live for order in now.buy(quote, usd))
    return Plan(orders, f"an equal part in each of {len(orders)} products, to be held")


def random(now: Situation) -> Plan:
    """A seeded coin: hold, buy for a tenth of the cash, or sell half, equally likely."""
    live = now.market.live()
    coin, pick = hashlib.sha256(now.seed.encode()).digest()[:2]
    if not live or coin % 3 == 0:
        return Plan((), "the coin says hold")
    quote = live[pick % len(live)]
    name = quote.product_id
    if coin % 3 == 1:
        if name not in now.account.positions:
            return Plan((), f"the coin says sell {name}, but none is held")
        return Plan((now.sell(name, Decimal("0.5")),), f"the coin says sell half of {name}")
    orders = now.buy(quote, now.account.cash_usd * RANDOM_SHARE)
    return Plan(orders, f"the coin says buy {name}" + ("" if orders else ", but no cash is left"))


def metronome(now: Situation) -> Plan:
    """One small order at every call, a buy and a sale in turn: for measurements, no strategy."""
    live = now.market.live()
    if not live:
        return Plan((), "no live price")
    quote = live[0]
    if quote.product_id in now.account.positions:
        return Plan((now.sell(quote.product_id),), "tick: sell")
    return Plan(now.buy(quote, now.small(METRONOME_CASH, METRONOME_SHARE)), "tock: buy")


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
    "metronome": metronome,
}


def _mean(values: Sequence[Decimal]) -> Decimal:
    return sum(values, Decimal(0)) / len(values)


def _strength(market: MarketSeen, quote: Quote) -> Decimal:
    """How far the price is over its 5-minute mean, as a fraction; zero without candles."""
    closes = market.closes(quote.product_id, "5m", MOMENTUM_BARS)
    return quote.price / _mean(closes) - 1 if closes else Decimal(0)


def _rises(market: MarketSeen, quote: Quote) -> bool:
    """The price is over its 5-minute mean and over where 15 and 1 minute closes began."""
    slow = market.closes(quote.product_id, "15m", 4)
    fast = market.closes(quote.product_id, "1m", 5)
    if not slow or not fast or _strength(market, quote) <= 0:
        return False
    return quote.price > slow[0] and quote.price > fast[0]


def _breaks(market: MarketSeen, quote: Quote) -> bool:
    """Three 5-minute closes fall in a row, or the price is under the last 15-minute closes."""
    closes = market.closes(quote.product_id, "5m", TURN_BARS + 1)
    falling = all(later < earlier for earlier, later in pairwise(closes))
    if len(closes) > TURN_BARS and falling:
        return True
    slow = market.closes(quote.product_id, "15m", 2)
    return bool(slow) and quote.price < min(slow)


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
