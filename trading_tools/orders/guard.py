"""Measures an account for its limits of risk, at one moment. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from arena.accounts import Shard
from arena.messages import Side
from arena.money import PriceUnits, notional_units
from arena.open_orders import AgentOrders, OpenOrder
from arena.risk_limits import RiskLimits
from arena.risk_state import RiskState, account_name
from trading_tools.decide import RiskOutcome
from trading_tools.orders.accounts import Settlement
from trading_tools.orders.reserved import open_buys, reserved_cash
from trading_tools.quotes import Listing, MarketState
from trading_tools.risk.assess import assess, verdict_dict
from trading_tools.risk.candles import CandleFigures, with_candles
from trading_tools.risk.inputs import RiskInputs


@dataclass(slots=True)
class AccountGuard:
    """The limits of one account; see `trading_tools.decide.Guard`.

    One is made for every order, so it is not frozen: that would take longer to make.

    Attributes:
        limits: The limits in force.
        state: What they are measured against.
        own: The account.
        orders: The agent's limit orders and exits.
        market: The newest quotes.
        venue_at: Venue time.
        candles: Those of the order's snapshot; None if no limit needs them, or they are not known.
        without: Id of the open order that is about to fill: it reserves nothing; "" for none.
    """

    limits: RiskLimits
    state: RiskState
    own: Settlement
    orders: AgentOrders
    market: MarketState
    venue_at: datetime
    candles: CandleFigures | None = None
    without: str = ""

    def assess(
        self,
        action: Side,
        product_id: str,
        quantity: int,
        price: PriceUnits,
        stop: PriceUnits | None,
        listing: Listing,
        *,
        resting: bool = False,
    ) -> RiskOutcome:
        """Check an order against the limits.

        Args:
            action: The side.
            product_id: The product.
            quantity: As asked for, units of 10^-8 in whole steps.
            price: What it would pay.
            stop: Level of the stop that it brings; None for none.
            listing: The trading rules of the product.
            resting: True for a limit order that stands.
        """
        inputs = self._inputs(action, product_id, quantity, price, stop, listing, resting=resting)
        if self.candles is not None and action == "buy":
            inputs = with_candles(inputs, self.limits, self.candles)
        found = assess(inputs, self.limits)
        return RiskOutcome(found.quantity, found.detail, verdict_dict(found))

    def _inputs(
        self,
        action: Side,
        product_id: str,
        quantity: int,
        price: PriceUnits,
        stop: PriceUnits | None,
        listing: Listing,
        *,
        resting: bool,
    ) -> RiskInputs:
        account, rules = self.own.account, self.own.rules
        bids, values = valued(self.own, self.market)
        buys: list[OpenOrder] = []
        if self.orders.open:
            found = open_buys(self.orders.open.values(), self.own.wallet)
            buys = [order for order in found if order.order_id != self.without]
        quote = self.market.quotes.get(product_id)
        if quote is not None and quote.usable:
            bids.setdefault(product_id, quote.bid)
        best, buy = None, action == "buy"
        if not stop and buy and self.orders.open:
            stop = self.orders.stop_level(product_id)
        day, now_ms = _day_and_ms(self.venue_at)
        if quote is not None and quote.usable:
            best = quote.ask if buy else quote.bid
        return RiskInputs(
            action=action,
            product_id=product_id,
            quantity=quantity,
            price=price,
            fee_bps=rules.fee_bps,
            base_step=listing.base_increment,
            cash=account.cash,
            equity=account.cash + account.scraped + sum(values.values()),
            positions=values,
            state=self.state,
            day=day,
            now_ms=now_ms,
            cash_step=rules.cash_step,
            min_funds=listing.min_funds,
            reserved=reserved_cash(buys, rules) if buys else 0,
            reserved_by_product=_notionals(buys) if buys else {},
            bids=bids,
            resting=resting,
            stop_price=stop,
            best=best,
        )


def guard_of_account(
    shard: Shard,
    market: MarketState,
    venue_at: datetime,
    agent: str,
    own: Settlement,
    candles: CandleFigures | None = None,
) -> AccountGuard | None:
    """The limits of an account; None if it has none."""
    state = shard.risk.get(account_name(agent, own.wallet))
    if state is None or not (state.limits or state.tripped):
        return None
    limits = RiskLimits.from_text(state.limits)
    orders = shard.standing.get(agent) or AgentOrders()
    return AccountGuard(limits, state, own, orders, market, venue_at, candles)


def for_standing(guard: AccountGuard, order_id: str) -> AccountGuard:
    """The limits for a fill of an open order, which reserves nothing for itself."""
    return replace(guard, without=order_id)


@lru_cache(maxsize=16)
def _day_and_ms(venue_at: datetime) -> tuple[str, int]:
    """UTC day and Unix milliseconds: many orders come at one venue time."""
    return venue_at.date().isoformat(), int(venue_at.timestamp() * 1000)


def valued(own: Settlement, market: MarketState) -> tuple[dict[str, PriceUnits], dict[str, int]]:
    """Bid and value of each position of an account; at cost without a usable quote."""
    bids: dict[str, PriceUnits] = {}
    values: dict[str, int] = {}
    for product_id, position in own.account.positions.items():
        quote = market.quotes.get(product_id)
        if quote is None or not quote.usable:
            values[product_id] = position.cost
            continue
        bids[product_id] = quote.bid
        values[product_id] = notional_units(position.quantity, quote.bid)
    return bids, values


def equity_of(own: Settlement, market: MarketState) -> int:
    """Cash, profit set aside, and positions at the bid."""
    _, values = valued(own, market)
    return own.account.cash + own.account.scraped + sum(values.values())


def _notionals(buys: list[OpenOrder]) -> dict[str, int]:
    found: dict[str, int] = {}
    for order in buys:
        worth = notional_units(order.remaining, order.limit)
        found[order.product_id] = found.get(order.product_id, 0) + worth
    return found
