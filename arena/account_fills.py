"""Applies the postings of an event to an account and to the counterparty accounts. Pure.

Amounts are whole units of 10^-8.
"""

from collections.abc import Iterable
from datetime import datetime

from arena.account_log import OpenedEvent, OrderEvent, PostingRead, read_units
from arena.account_state import Account, Position, apply_buy, apply_sell
from arena.errors import BrokenLog
from arena.money import units_text

FEES = "house/fees"
House = dict[tuple[str, str], int]
"""(Account, unit) -> balance of the counterparty accounts."""


def apply_fill(event: OrderEvent, account: Account, house: House) -> tuple[int, int]:
    """Apply a step that moves money to the account in which the order is settled.

    Returns:
        The realised profit of a sell and the cost of what was sold, in units of cash; (0, 0) for a
        buy.

    Raises:
        BrokenLog: The amounts in the event are not those of the fold.
    """
    used, slippage, latency_cost = event.used, event.slippage, event.latency_cost
    if used is None or slippage is None or latency_cost is None:
        raise BrokenLog(f"{event.order_id} is filled, but lacks its quote or its costs")
    cash, quantity, fee, scraped = post(event, account, event.postings, house)
    product_id = event.product_id
    position = account.positions.get(product_id)
    if position is None:
        position = account.positions[product_id] = Position()
    realised = sold_cost = 0
    if quantity > 0:
        apply_buy(position, quantity, -cash, unix_ms(used.event_time))
    else:
        sold_cost = position.cost
        realised = apply_sell(position, -quantity, cash + scraped)
        sold_cost -= position.cost
        account.realised += realised
        _require_equal(event, "realised", event.realised, realised)
    if scraped or event.scraped is not None:
        _require_equal(event, "scraped", event.scraped, scraped)
    _require_equal(event, "position_after", event.position_after, position.quantity)
    _require_equal(event, "cash_after", event.cash_after, account.cash)
    if position.quantity == 0:
        del account.positions[product_id]
    account.fees += fee
    account.slippage += read_units(slippage)
    account.latency_cost += read_units(latency_cost)
    account.volume += abs(cash + scraped + fee)
    account.fills += 1
    return realised, sold_cost


def post(
    event: OpenedEvent | OrderEvent,
    account: Account,
    postings: Iterable[PostingRead],
    house: House,
) -> tuple[int, int, int, int]:
    """Apply postings.

    Returns:
        Changes of the agent's cash and position, the fee, and the profit set aside.
    """
    own_cash = f"agent/{event.agent}/cash"
    own_position = f"agent/{event.agent}/position"
    own_scraped = f"agent/{event.agent}/scraped"
    cash = held = fee = scraped = 0
    sums: dict[str, int] = {}
    for posting in postings:
        name, unit, amount = posting.account, posting.unit, int(posting.amount)
        sums[unit] = sums.get(unit, 0) + amount
        if name == own_cash:
            cash += amount
        elif name == own_position:
            held += amount
        elif name == own_scraped:
            scraped += amount
        else:
            if name == FEES:
                fee += amount
            key = (name, unit)
            house[key] = house.get(key, 0) + amount
    if any(sums.values()):
        raise BrokenLog(f"postings of {event.order_id} do not sum to zero: {sums}")
    account.cash += cash
    account.scraped += scraped
    if account.cash < 0 or scraped < 0:
        raise BrokenLog(f"{event.order_id} leaves {event.agent} with negative cash")
    return cash, held, fee, scraped


def unix_ms(text: str) -> int:
    """An ISO 8601 time as Unix milliseconds."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def _require_equal(event: OrderEvent, name: str, stated: str | None, units: int) -> None:
    if stated is None or read_units(stated) != units:
        raise BrokenLog(f"{event.order_id}: {name} is {stated}, the fold has {units_text(units)}")
