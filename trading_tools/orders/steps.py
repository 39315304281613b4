"""Makes the records of steps that the executor takes without a command, and says which are due.

Pure. A step that is due follows from the folded log alone, so after a crash the next owner takes
the same one: exits that an entry brought are armed, and exits of a position that is closed are
cancelled, before anything else is decided.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal, NamedTuple, cast

from arena import ids
from arena.accounts import CANCELLED, Shard
from arena.messages import OrderType, RejectReason, Side
from arena.money import from_units, price_text, units_text
from arena.open_orders import AgentOrders, OpenOrder
from arena.risk_state import account_name
from arena.wire import utc_text
from trading_tools.context import Order, Share
from trading_tools.decide import Decision
from trading_tools.events import Origin, PendingEvent, order_decided
from trading_tools.fill import Fill, Rejection, Unfilled, fill_order
from trading_tools.orders.accounts import Settlement, settlement_in
from trading_tools.orders.guard import for_standing, guard_of_account
from trading_tools.orders.records import Json, StepDetails, exit_json
from trading_tools.orders.reserved import open_buys, reserved_cash
from trading_tools.orders.terms import exits_at_fill, stop_level
from trading_tools.quotes import MarketState, Quote
from trading_tools.rules import TradingRules
from trading_tools.suggested_quantity import position_quantity

ARMED = "armed"
TRIGGERED = "triggered"
REPLACED = "replaced"
SIBLING_FILLED = "sibling_filled"
POSITION_CLOSED = "position_closed"
EXPIRED = "expired"
NOT_POSSIBLE = "not_possible"
FLATTEN = "flatten:"
ALL = Share(Decimal(1))
"""The quantity of an exit: all that is held."""


class DueStep(NamedTuple):
    """A step that is due."""

    kind: Literal["arm", "cancel"]
    order: OpenOrder
    cause: str


@dataclass(frozen=True, slots=True)
class StepMaker:
    """Makes records of one shard at one moment.

    Attributes:
        partition: The number of the shard.
        shard: The shard before the step.
        market: The newest quotes and listings.
        rules: The rules of the executor.
        now: Wall time.
        prices_at: The time for the age of prices, if it is not `now`.
        venue_at: Venue time.
    """

    partition: int
    shard: Shard
    market: MarketState
    rules: TradingRules
    now: datetime
    prices_at: datetime | None
    venue_at: datetime

    def step(
        self,
        agent: str,
        order: OpenOrder,
        decision: Decision,
        details: StepDetails,
        origin: Origin | None = None,
    ) -> PendingEvent:
        """The record of a step of an order; `origin` names a call if one asked for it."""
        own = settlement_in(self.shard, self.rules, agent, order.currency)
        return order_decided(
            self.shard,
            origin or origin_of_order(agent, order, self.partition),
            decision,
            own.account,
            own.rules,
            self.now,
            self.prices_at,
            order.currency,
            details,
        )

    def arm(self, agent: str, order: OpenOrder) -> PendingEvent:
        """The first record of an exit that an entry, or a call, brought."""
        quote = self.market.quotes.get(order.product_id)
        details = StepDetails(order_type=_type(order), terms=terms_of(order, quote), cause=ARMED)
        return self.step(agent, order, self._decision(order, quote, Unfilled("accepted")), details)

    def cancel(
        self,
        agent: str,
        order: OpenOrder,
        cause: str,
        *,
        refusal: Rejection | None = None,
        origin: Origin | None = None,
        by_call: str = "",
        risk: Json | None = None,
    ) -> PendingEvent:
        """The record by which an order is cancelled, or expires."""
        outcome = Unfilled("expired" if cause == EXPIRED else "cancelled")
        if refusal is not None:
            outcome = Unfilled("cancelled", refusal.reason, refusal.detail)
        details = StepDetails(
            step=order.step + 1,
            order_type=_type(order),
            filled_quantity=units_text(order.filled) if order.filled else None,
            cause=cause,
            by_call=by_call,
            risk=risk,
            venue_at=None if risk is None else self.venue_at,
        )
        return self.step(agent, order, self._decision(order, None, outcome), details, origin)

    def sell_all(
        self, agent: str, order: OpenOrder, quote: Quote, trigger: Json | None
    ) -> PendingEvent | None:
        """The record of an exit that sells all that is held; None while it cannot be sold."""
        listing = self.market.listings.get(order.product_id)
        if listing is None or not listing.open:
            return None
        own = settlement_in(self.shard, self.rules, agent, order.currency)
        held = position_quantity(own.account, order.product_id)
        quantity = held // listing.base_increment * listing.base_increment
        wanted = Order(order.product_id, from_units(quantity), "sell")
        outcome: Fill | Rejection = Rejection(
            RejectReason.INSUFFICIENT_POSITION,
            f"{units_text(held)} held is less than one step of {order.product_id}",
        )
        if quantity:
            outcome = fill_order(own.account, agent, wanted, quote, None, listing, own.rules)
        if isinstance(outcome, Rejection):
            return self.cancel(agent, order, NOT_POSSIBLE, refusal=outcome)
        details = StepDetails(
            step=order.step + 1,
            order_type=_type(order),
            filled_quantity=units_text(quantity),
            trigger=trigger,
            cause=TRIGGERED,
        )
        decision = Decision(outcome, wanted, quote, None, listing)
        return self.step(agent, order, decision, details)

    def fill_limit(
        self,
        agent: str,
        order: OpenOrder,
        quantity: int,
        quote: Quote,
        trigger: Json,
    ) -> PendingEvent:
        """The record of a fill of a resting limit order at its limit, or of its end.

        Limits of risk may cut the fill, or cancel the order.
        """
        listing = self.market.listings[order.product_id]
        own = settlement_in(self.shard, self.rules, agent, order.currency)
        risk: Json | None = None
        guard = guard_of_account(self.shard, self.market, self.venue_at, agent, own)
        if guard is not None and order.action == "buy":
            said = for_standing(guard, order.order_id).assess(
                "buy",
                order.product_id,
                quantity,
                order.limit,
                stop_level(order.exits, order.limit),
                listing,
            )
            risk, quantity = said.record, said.quantity
            if not quantity:
                refusal = Rejection(RejectReason.RISK_LIMIT, said.detail)
                return self.cancel(agent, order, NOT_POSSIBLE, refusal=refusal, risk=risk)
        buys = open_buys(self.shard.standing[agent].open.values(), order.currency)
        others = (one for one in buys if one.order_id != order.order_id)
        wanted = Order(order.product_id, from_units(quantity), cast("Side", order.action))
        # The venue's minimum is for the whole order, not for what is left of it.
        fillable = replace(listing, min_funds=0)
        outcome = fill_order(
            own.account,
            agent,
            wanted,
            quote,
            None,
            fillable,
            own.rules,
            at_limit=order.limit,
            reserved=reserved_cash(others, own.rules),
        )
        if isinstance(outcome, Rejection):
            return self.cancel(agent, order, NOT_POSSIBLE, refusal=outcome, risk=risk)
        exits = exits_at_fill(order.exits, self.venue_at)
        details = StepDetails(
            step=order.step + 1,
            order_type="limit",
            exits=tuple(exit_json(one) for one in exits),
            filled_quantity=units_text(order.filled + quantity),
            trigger=trigger,
            cause=TRIGGERED,
            risk=risk,
            venue_at=self.venue_at if exits or risk is not None else None,
        )
        is_part = quantity < order.remaining
        decision = Decision(outcome, wanted, quote, None, listing, is_part=is_part)
        return self.step(agent, order, decision, details)

    def flatten(self, own: Settlement, agent: str, product_id: str) -> PendingEvent | None:
        """The record of a market order that sells a position after a breach; None if it cannot."""
        state = self.shard.risk[account_name(agent, own.wallet)]
        listing = self.market.listings.get(product_id)
        quote = self.market.quotes.get(product_id)
        if listing is None or quote is None or not listing.open or not quote.usable:
            return None
        if quote.age_ms(self.prices_at or self.now) > self.rules.price_age_s_max * 1000:
            return None
        held = position_quantity(own.account, product_id)
        quantity = held // listing.base_increment * listing.base_increment
        if not quantity:
            return None
        wanted = Order(product_id, from_units(quantity), "sell")
        outcome = fill_order(own.account, agent, wanted, quote, None, listing, own.rules)
        if isinstance(outcome, Rejection):
            return None
        order_id = ids.derive("flatten", state.trip_id, product_id)
        if order_id in self.shard.orders:
            order_id = ids.derive("flatten", state.trip_id, product_id, self.shard.seq)
        origin = Origin((self.partition, -1), order_id, agent, "", 0, 0, "", utc_text(self.now))
        return order_decided(
            self.shard,
            origin,
            Decision(outcome, wanted, quote, None, listing),
            own.account,
            own.rules,
            self.now,
            self.prices_at,
            own.wallet,
            StepDetails(cause=f"{FLATTEN}{state.tripped}"),
        )

    def _decision(self, order: OpenOrder, quote: Quote | None, outcome: Unfilled) -> Decision:
        quantity = from_units(order.remaining) if order.quantity else ALL
        wanted = Order(order.product_id, quantity, cast("Side", order.action))
        return Decision(outcome, wanted, quote)


def origin_of_order(agent: str, order: OpenOrder, partition: int) -> Origin:
    """The call that placed an order, as its later records name it."""
    return Origin(
        (partition, order.source),
        order.order_id,
        agent,
        order.turn_id,
        order.round,
        order.index,
        order.snapshot_id,
        order.issued_at,
    )


def terms_of(order: OpenOrder, quote: Quote | None) -> Json:
    """The terms of an exit as JSON.

    Args:
        order: The exit.
        quote: The product's newest quote: only later ones can trigger it.
    """
    found: Json = {}
    if order.trigger:
        found["trigger_price"] = price_text(order.trigger)
    if order.trailing_pct:
        found["trailing_pct"] = order.trailing_pct
    if order.exits_ms:
        found["exits_at"] = utc_text(datetime.fromtimestamp(order.exits_ms / 1000, UTC))
    if order.parent:
        found["parent"] = order.parent
    if quote is not None:
        found["placed_after"] = [quote.partition, quote.offset]
    return found


def due_step(shard: Shard, agent: str) -> DueStep | None:
    """The next step that is due for an agent, or None."""
    orders = shard.standing.get(agent)
    if orders is None:
        return None
    return next(_due_steps(shard, agent, orders), None)


def _due_steps(shard: Shard, agent: str, orders: AgentOrders) -> Iterator[DueStep]:
    newest = {
        (order.product_id, order.order_type): order.order_id
        for order in orders.open.values()
        if order.is_exit and order.is_placed
    }
    for order in orders.open.values():
        if order.action == "buy":
            continue
        wallets = shard.wallets.get(agent, {})
        account = wallets[order.currency] if order.currency else shard.accounts[agent]
        if order.product_id not in account.positions:
            yield DueStep("cancel", order, _why_closed(orders, order.product_id))
        elif not order.is_placed:
            yield DueStep("arm", order, ARMED)
        elif order.is_exit and newest[order.product_id, order.order_type] != order.order_id:
            yield DueStep("cancel", order, REPLACED)


def _why_closed(orders: AgentOrders, product_id: str) -> str:
    """Whether the position was closed by one of its exits, or by anything else."""
    for closed in reversed(orders.closed):
        if closed.product_id == product_id and closed.status != CANCELLED:
            return SIBLING_FILLED if closed.order_type != "limit" else POSITION_CLOSED
    return POSITION_CLOSED


def _type(order: OpenOrder) -> OrderType:
    return cast("OrderType", order.order_type)
