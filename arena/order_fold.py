"""Folds the steps of limit orders and exits into the orders of their agent. Pure."""

from collections.abc import Iterable
from decimal import Decimal

from arena.account_fills import unix_ms
from arena.account_log import (
    ExitRead,
    MarketCheckedEvent,
    OrderEvent,
    TermsRead,
    read_units,
)
from arena.account_state import Account
from arena.errors import BrokenLog
from arena.money import SCALE, PriceUnits, to_price_units
from arena.open_orders import (
    CLOSED_REMEMBERED,
    NO_PRICE,
    AgentOrders,
    ClosedOrder,
    OpenOrder,
)

CLOSING = frozenset({"filled", "rejected", "cancelled", "expired"})
NO_TERMS = TermsRead()


def changes_orders(event: OrderEvent) -> bool:
    """True for a step that opens, changes or closes a limit order or an exit, or that flattens."""
    if event.outcome == "rejected":
        return False
    return event.order_type != "market" or event.step > 0 or bool(event.exits or event.cause)


def follows(event: OrderEvent, orders: AgentOrders | None) -> bool:
    """True if a step that is not an order's first is the next one of an open order."""
    known = None if orders is None else orders.open.get(event.order_id)
    return known is not None and event.step == known.step + 1


def fold_step(
    event: OrderEvent, orders: AgentOrders, account: Account, realised: int, sold_cost: int
) -> None:
    """Apply a step, after its fill was applied to the account.

    Args:
        event: The step.
        orders: The agent's orders.
        account: The account in which the order is settled.
        realised: Profit of the fill, as `arena.account_fills.apply_fill` returned it.
        sold_cost: Cost of what the fill sold, from the same function.

    Raises:
        BrokenLog: The step is not possible here.
    """
    order = orders.open.get(event.order_id)
    if event.step == 0 and event.order_type != "market":
        order = orders.open[event.order_id] = _opened(event, order)
    if order is not None:
        order.step = event.step
        if event.is_fill:
            order.filled += read_units(event.quantity or "0")
            if event.used is not None:
                # A ticker fills an order once, also if it is read again after a restart.
                order.placed_partition = event.used.partition
                order.placed_offset = event.used.offset
            if order.quantity and order.filled > order.quantity:
                raise BrokenLog(f"{event.order_id} filled more than it asked for")
    if event.exits and (event.is_fill or (order is not None and order.is_exit)):
        for wanted in event.exits:
            orders.open[wanted.order_id] = _unarmed(event, wanted)
        if order is not None:
            order.exits = []
    if event.outcome in CLOSING and order is not None:
        del orders.open[event.order_id]
        _close(event, orders, order.filled, realised, sold_cost)
    elif event.cause and order is None:  # The executor sold by itself, after a breach.
        _close(event, orders, read_units(event.quantity or "0"), realised, sold_cost)
    if event.is_fill and event.product_id not in account.positions:
        _drop_unarmed(orders, event.product_id)


def note_check(event: MarketCheckedEvent, agents: Iterable[AgentOrders]) -> None:
    """Note the highest bids of trailing stops, and which orders wait for a fresh ticker."""
    if not (event.peaks or event.waiting):
        return
    for orders in agents:
        for order in orders.open.values():
            if order.order_id in event.peaks:
                order.peak = _price(event.peaks[order.order_id])
            if order.order_id in event.waiting:
                order.waiting = bytes(event.waiting[order.order_id]).decode()


def _opened(event: OrderEvent, unarmed: OpenOrder | None) -> OpenOrder:
    terms = event.terms or NO_TERMS
    placed = terms.placed_after or (0, -1)
    if unarmed is not None and unarmed.is_placed:
        raise BrokenLog(f"{event.order_id} is accepted twice")
    is_limit = event.order_type == "limit"
    return OpenOrder(
        order_id=event.order_id,
        product_id=event.product_id,
        order_type=event.order_type,
        action=event.action or "sell",
        quantity=read_units(terms.quantity) if terms.quantity else 0,
        limit=_price(terms.limit_price),
        trigger=_price(terms.trigger_price),
        trailing_pct=terms.trailing_pct or "",
        peak=_price(event.used.bid) if terms.trailing_pct and event.used else NO_PRICE,
        expires_ms=unix_ms(terms.expires_at) if terms.expires_at else 0,
        exits_ms=unix_ms(terms.exits_at) if terms.exits_at else 0,
        parent=terms.parent,
        placed_partition=placed[0],
        placed_offset=placed[1],
        currency=event.currency,
        turn_id=event.turn_id,
        round=event.round,
        index=event.index,
        snapshot_id=event.snapshot_id,
        source=event.source.offset,
        issued_at=event.issued_at,
        exits=list(event.exits) if is_limit and not event.is_fill else [],
    )


def _unarmed(event: OrderEvent, wanted: ExitRead) -> OpenOrder:
    """An exit that has no record of its own yet: the executor appends it next."""
    used = event.used
    return OpenOrder(
        order_id=wanted.order_id,
        product_id=event.product_id,
        order_type=wanted.order_type,
        action="sell",
        step=-1,
        trigger=_price(wanted.trigger_price),
        trailing_pct=wanted.trailing_pct or "",
        exits_ms=unix_ms(wanted.exits_at) if wanted.exits_at else 0,
        parent=event.order_id,
        placed_partition=used.partition if used else 0,
        placed_offset=used.offset if used else -1,
        currency=event.currency,
        turn_id=event.turn_id,
        round=event.round,
        index=event.index,
        snapshot_id=event.snapshot_id,
        source=event.source.offset,
        issued_at=event.issued_at,
    )


def _close(
    event: OrderEvent, orders: AgentOrders, quantity: int, realised: int, sold_cost: int
) -> None:
    used = event.used
    closed = ClosedOrder(
        order_id=event.order_id,
        product_id=event.product_id,
        order_type=event.order_type,
        action=event.action or "sell",
        status=event.outcome,
        reason=event.reason or "",
        cause=event.cause,
        quantity=quantity,
        price=_price(event.price),
        realised=realised,
        realised_pct=realised * SCALE // sold_cost if sold_cost else 0,
        seq=event.seq,
        at_ms=unix_ms(used.event_time) if event.is_fill and used else 0,
    )
    orders.closed.append(closed)
    del orders.closed[:-CLOSED_REMEMBERED]


def _drop_unarmed(orders: AgentOrders, product_id: str) -> None:
    """Forget exits that have no record yet, because nothing is held any more."""
    gone = [one.order_id for one in orders.of_product(product_id) if not one.is_placed]
    for order_id in gone:
        del orders.open[order_id]


def _price(text: str | None) -> PriceUnits:
    return NO_PRICE if text is None else to_price_units(Decimal(text))
