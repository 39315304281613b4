"""An account's newest fills, a part of the account fold: what its agent can look up. Pure."""

from typing import NamedTuple

from arena.account_log import OrderEvent
from arena.account_state import Account

FILLS_REMEMBERED = 128
"""Number of fills that are kept per agent."""


class TradeRow(NamedTuple):
    """One fill, of a whole order or of a step of one.

    Attributes:
        seq: Sequence number of its event.
        at: Venue time of the ticker that it was priced with, ISO 8601.
        quantity, price, fee: As in the event.
        realised: Profit of a sell after the fees of both sides, in units of 10^-8 of cash.
        sold_cost: Cost of what a sell sold, in the same units.
        order_type: "market", "limit", or the type of an exit.
        cause: Why the executor took the step; "" for an order that filled at once.
        currency: Currency of the wallet; "" for the main account.
        booked: Equity of that account with positions at cost, in units of 10^-8.
    """

    seq: int
    at: str
    order_id: str
    product_id: str
    action: str
    quantity: str
    price: str
    fee: str
    realised: int
    sold_cost: int
    order_type: str
    cause: str
    currency: str
    booked: int


def note_trade(
    history: dict[str, list[TradeRow]],
    event: OrderEvent,
    account: Account,
    realised: int,
    sold_cost: int,
) -> None:
    """Add a fill to the newest ones of its agent, and drop the oldest.

    Args:
        history: Agent -> its fills, oldest first.
        event: The fill.
        account: The account in which it was settled, after it.
        realised: Profit of a sell, as `arena.account_fills.apply_fill` returned it.
        sold_cost: Cost of what it sold, from the same function.
    """
    assert event.used is not None, "a fill has its quote"
    rows = history.setdefault(event.agent, [])
    rows.append(
        TradeRow(
            event.seq,
            event.used.event_time,
            event.order_id,
            event.product_id,
            event.action or "",
            event.quantity or "",
            event.price or "",
            event.fee or "",
            realised,
            sold_cost,
            event.order_type,
            event.cause,
            event.currency,
            account.opening + account.realised,
        )
    )
    if len(rows) > FILLS_REMEMBERED:
        del rows[0]
