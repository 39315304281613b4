"""Decides what an account tool asks for, and takes the steps that follow. Pure.

Each record is folded into the shard as soon as it is made, so the next one sees it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import cast

from arena.accounts import CANCELLED, Shard
from arena.kill_switch import KillSwitch
from arena.messages import OrderType, RejectReason, ToolCall
from arena.money import decimal_text, price_text, to_price_units, units_text
from arena.open_orders import OPEN_ORDERS_MAX, AgentOrders
from trading_tools.arguments import quoted
from trading_tools.context import ALL_ORDERS, CancelOrder, Order, SetExits
from trading_tools.decide import Decision, decide
from trading_tools.events import PendingEvent, order_decided, origin_of_call
from trading_tools.fill import Fill, Rejection, Unfilled
from trading_tools.orders.accounts import Settlement, settlement_of
from trading_tools.orders.guard import guard_of_account
from trading_tools.orders.records import MARKET_ORDER, Json, StepDetails, exit_json
from trading_tools.orders.reserved import open_buys, reserved_cash
from trading_tools.orders.steps import ALL, StepMaker, due_step
from trading_tools.orders.terms import BadTerms, due_text, exits_of
from trading_tools.quotes import MarketState, Quote
from trading_tools.refusals import refuse_early, refuse_price
from trading_tools.risk.candles import CandleFigures
from trading_tools.rules import TradingRules
from trading_tools.schema import InvalidArguments

STEPS_MAX = 4 * OPEN_ORDERS_MAX
"""More steps in a row than an agent's orders can need."""


@dataclass(slots=True)
class Desk:
    """Decides requests of one shard at one moment.

    Attributes:
        partition: The number of the shard.
        shard: The shard; every record is folded into it.
        market: The newest quotes and listings.
        rules: The rules of the executor.
        switch: The kill switch.
        now: Wall time.
        prices_at: The time for the age of prices, if it is not `now`.
        prices_current: See `decide`.
        control_unknown: See `decide`.
        candles: Those of the order's snapshot; None if no limit needs them.
    """

    partition: int
    shard: Shard
    market: MarketState
    rules: TradingRules
    switch: KillSwitch
    now: datetime
    prices_at: datetime | None = None
    prices_current: bool = True
    control_unknown: datetime | None = None
    candles: CandleFigures | None = None

    @property
    def venue_at(self) -> datetime:
        """Venue time."""
        return self.market.newest_at or self.now

    def fold(self, record: PendingEvent) -> PendingEvent:
        """Fold a record that was made for the end of the log."""
        return record.fold_into(self.shard)

    def steps(self) -> StepMaker:
        """Makes the records of steps that no command asks for."""
        return StepMaker(
            self.partition,
            self.shard,
            self.market,
            self.rules,
            self.now,
            self.prices_at,
            self.venue_at,
        )

    def order(
        self, call: ToolCall, order: Order | InvalidArguments, source: tuple[int, int]
    ) -> PendingEvent:
        """Decide an order; exits that it brings are armed by `follow_up`."""
        product_id = "" if isinstance(order, InvalidArguments) else order.product_id
        own = settlement_of(self.shard, self.market, self.rules, call.agent, product_id)
        orders = self.shard.standing.get(call.agent, AgentOrders())
        reserved = 0
        if orders.open:
            reserved = reserved_cash(open_buys(orders.open.values(), own.wallet), own.rules)
        decision = decide(
            own.account,
            call,
            order,
            self.market,
            own.rules,
            self.now,
            prices_at=self.prices_at,
            prices_current=self.prices_current,
            halt=self.switch.halt_of(call.agent),
            control_unknown=self.control_unknown,
            reserved=reserved,
            guard=guard_of_account(
                self.shard, self.market, self.venue_at, call.agent, own, self.candles
            ),
        )
        new = len(decision.exits) + isinstance(decision.outcome, Unfilled)
        if new and len(orders.open) + new > OPEN_ORDERS_MAX:
            refusal = _too_many(len(orders.open), new)
            decision = replace(decision, outcome=refusal, exits=(), is_part=False)
        details = self._details(decision)
        return self._record(call, source, decision, own, details)

    def set_exits(self, call: ToolCall, request: SetExits, source: tuple[int, int]) -> PendingEvent:
        """Decide a request for exits: the first is this record, `follow_up` arms the others.

        Exits protect a position, so a halt does not refuse them.
        """
        product_id = request.product_id
        own = settlement_of(self.shard, self.market, self.rules, call.agent, product_id)
        listing = self.market.listings.get(product_id)
        quote = self.market.quotes.get(product_id)
        wanted = Order(product_id, ALL, "sell")
        decision = Decision(Unfilled("accepted"), wanted, quote, None, listing)
        refusal = refuse_early(
            call, product_id, self.market, own.rules, self.now, None, self.control_unknown
        ) or self._refuse_exits(call.agent, product_id, own, wanted, quote)
        if refusal is not None:
            return self._record(call, source, replace(decision, outcome=refusal), own, MARKET_ORDER)
        assert listing is not None
        assert quote is not None
        try:
            first, *others = exits_of(
                request.exits, call.call_id, quote.bid, quote.bid, listing, self.venue_at
            )
        except BadTerms as error:
            refusal = Rejection(RejectReason.BAD_TERMS, str(error))
            return self._record(call, source, replace(decision, outcome=refusal), own, MARKET_ORDER)
        terms = exit_json(first)
        for name in ("order_id", "order_type"):
            del terms[name]
        terms["parent"] = call.call_id
        terms["placed_after"] = [quote.partition, quote.offset]
        details = StepDetails(
            order_type=cast("OrderType", first.order_type),
            terms=terms,
            exits=tuple(exit_json(one) for one in others),
            venue_at=self.venue_at,
        )
        return self._record(call, source, decision, own, details)

    def _refuse_exits(
        self, agent: str, product_id: str, own: Settlement, wanted: Order, quote: Quote | None
    ) -> Rejection | None:
        if product_id not in own.account.positions:
            detail = f"{product_id} is not held, so it has nothing to exit; buy it first"
            return Rejection(RejectReason.NOTHING_HELD, detail)
        orders = self.shard.standing.get(agent, AgentOrders())
        if len(orders.open) + 4 > OPEN_ORDERS_MAX:
            return _too_many(len(orders.open), 4)
        return refuse_price(wanted, quote, None, own.rules, self.prices_at or self.now)

    def cancel(
        self, call: ToolCall, request: CancelOrder, source: tuple[int, int]
    ) -> list[PendingEvent]:
        """Cancel one open order of the agent, or all; a halt does not refuse that."""
        orders = self.shard.standing.get(call.agent, AgentOrders())
        wanted = request.order_id
        placed = [one for one in orders.open.values() if one.is_placed]
        found = [one for one in placed if wanted in (ALL_ORDERS, one.order_id)]
        if not found:
            own = settlement_of(self.shard, self.market, self.rules, call.agent, "")
            refusal = Rejection(RejectReason.UNKNOWN_ORDER, _unknown(wanted, orders))
            return [self._record(call, source, Decision(refusal), own, MARKET_ORDER)]
        origin = origin_of_call(call, source)
        return [
            self.fold(
                self.steps().cancel(
                    call.agent,
                    order,
                    CANCELLED,
                    origin=replace(origin, order_id=order.order_id),
                    by_call=call.call_id if order is found[-1] else "",
                )
            )
            for order in found
        ]

    def follow_up(self, agent: str) -> list[PendingEvent]:
        """Take the steps that are due for an agent."""
        records: list[PendingEvent] = []
        while (due := due_step(self.shard, agent)) is not None:
            assert len(records) < STEPS_MAX, f"steps of {agent} do not end"
            steps = self.steps()
            if due.kind == "arm":
                record = steps.arm(agent, due.order)
            else:
                record = steps.cancel(agent, due.order, due.cause)
            records.append(self.fold(record))
        return records

    def _record(
        self,
        call: ToolCall,
        source: tuple[int, int],
        decision: Decision,
        own: Settlement,
        details: StepDetails,
    ) -> PendingEvent:
        record = order_decided(
            self.shard,
            origin_of_call(call, source),
            decision,
            own.account,
            own.rules,
            self.now,
            self.prices_at,
            own.wallet,
            details,
        )
        return self.fold(record)

    def _details(self, decision: Decision) -> StepDetails:
        order, outcome = decision.order, decision.outcome
        is_limit = order is not None and order.limit_price is not None
        if not is_limit and not decision.exits and decision.risk is None:
            return MARKET_ORDER
        terms: Json | None = None
        if is_limit and order is not None and not isinstance(outcome, Rejection):
            terms = self._limit_terms(order, decision.quote)
        return StepDetails(
            order_type="limit" if is_limit else "market",
            terms=terms,
            exits=tuple(exit_json(one) for one in decision.exits),
            filled_quantity=(
                units_text(outcome.quantity) if is_limit and isinstance(outcome, Fill) else None
            ),
            risk=decision.risk,
            venue_at=self.venue_at,
        )

    def _limit_terms(self, order: Order, quote: Quote | None) -> Json:
        assert order.limit_price is not None
        assert isinstance(order.quantity, Decimal), "shares are resolved before"
        terms: Json = {
            "quantity": decimal_text(order.quantity),
            "limit_price": price_text(to_price_units(order.limit_price)),
        }
        if order.expires_after_s is not None:
            terms["expires_at"] = due_text(self.venue_at, order.expires_after_s)
        if quote is not None:
            terms["placed_after"] = [quote.partition, quote.offset]
        return terms


def _too_many(open_orders: int, new: int) -> Rejection:
    detail = (
        f"{open_orders} orders are open and this would add {new}; at most {OPEN_ORDERS_MAX} can be"
        " open, so cancel some first"
    )
    return Rejection(RejectReason.TOO_MANY_ORDERS, detail)


def _unknown(order_id: str, orders: AgentOrders) -> str:
    closed = next((one for one in orders.closed if one.order_id == order_id), None)
    if closed is not None:
        return f"order {order_id} is {closed.status} already"
    placed = [one.order_id for one in orders.open.values() if one.is_placed]
    if not placed:
        return "no order of yours is open"
    named = ", ".join(placed[:5])
    return f"{quoted(order_id)} is not one of your {len(placed)} open orders, such as {named}"
