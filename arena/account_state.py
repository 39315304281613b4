"""The folded state of one agent's account: cash, positions, sums and order outcomes. Pure.

Amounts are whole units of 10^-8 (`arena.money`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType
from typing import Final, NamedTuple

import orjson

from arena.errors import BrokenLog
from arena.money import PriceUnits, divide_half_even, notional_units, units_text
from arena.open_orders import AgentOrders, OpenOrder

GENESIS = "0" * 64
"""The head of a chain before its first record."""

OrderRecord = tuple[str, str, str | None, str, str | None, str | None, str | None, str | None]
"""Order id, outcome, reason, product, action, quantity, price and fee of one order."""


@dataclass(slots=True)
class Position:
    """An agent's position in one product.

    Attributes:
        quantity: Base units.
        cost: Cash paid for it, fees included.
        entry_ms: Venue time of entry, weighted by quantity; Unix milliseconds.
    """

    quantity: int = 0
    cost: int = 0
    entry_ms: int = 0


@dataclass(slots=True)
class Account:
    """One agent's account.

    Attributes:
        opening: Cash that the account was opened with.
        cash: Cash that can be spent.
        scraped: Profit set aside.
        scrape: Share of a realised profit that is set aside, times 10^8.
        positions: Positions by product; only those that are not zero.
        realised: Profit of all sells, after fees, against average cost.
        fees, slippage, latency_cost, volume: Sums over all fills, cash.
        fills, rejections: Counts of decided orders.
        chain: Digest over the agent's orders, `arena.accounts.ORDERS_PER_LINK` at a time.
        deeds: Orders that are not in the chain yet. The names of the fields here are part of the
            digest in every `StateDigest`, so they cannot change.
        forgotten_us: Newest issue time of the orders whose ids are forgotten, Unix microseconds; 0
            if there are none.
    """

    opening: int = 0
    cash: int = 0
    scraped: int = 0
    scrape: int = 0
    positions: dict[str, Position] = field(default_factory=dict)
    realised: int = 0
    fees: int = 0
    slippage: int = 0
    latency_cost: int = 0
    volume: int = 0
    fills: int = 0
    rejections: int = 0
    chain: str = GENESIS
    deeds: list[OrderRecord] = field(default_factory=list)
    forgotten_us: int = 0

    def values(self, bids: Mapping[str, PriceUnits]) -> dict[str, int]:
        """Product -> value of the position at the bid; at its cost without a bid."""
        return {
            product_id: position.cost
            if (bid := bids.get(product_id)) is None
            else notional_units(position.quantity, bid)
            for product_id, position in self.positions.items()
        }

    def equity(self, bids: Mapping[str, PriceUnits]) -> int:
        """All cash plus positions at the bid; a position without a bid counts at its cost."""
        return self.cash + self.scraped + sum(self.values(bids).values())


class OrderOutcome(NamedTuple):
    """Outcome of an order, to answer a duplicate command and to find its command again.

    Attributes:
        outcome: The newest step's outcome, or "opened" for an account.
        source: Offset of its command in `account.commands`; -1 for an order without one.
        issued_at: Issue time of the order as in its event; "" for an account.
    """

    seq: int
    outcome: str
    reason: str | None
    agent: str
    source: int
    issued_at: str


def apply_buy(position: Position, quantity: int, cost: int, time_ms: int) -> None:
    """Add a buy: the cost includes the fee; the entry time is weighted by quantity."""
    held = position.quantity
    position.entry_ms = (position.entry_ms * held + time_ms * quantity) // (held + quantity)
    position.quantity = held + quantity
    position.cost += cost


def apply_sell(position: Position, quantity: int, proceeds: int) -> int:
    """Remove a sell from a position at average cost.

    Args:
        position: The position; it holds at least the quantity.
        quantity: Base units.
        proceeds: Cash received, after the fee.

    Returns:
        The realised profit in cash.

    Raises:
        BrokenLog: The quantity is more than the position holds.
    """
    if quantity > position.quantity:
        raise BrokenLog(f"sold {units_text(quantity)} of {units_text(position.quantity)} held")
    cost = divide_half_even(position.cost * quantity, position.quantity)
    position.quantity -= quantity
    position.cost -= cost
    return proceeds - cost


Wallets = Mapping[str, Mapping[str, Account]]
"""Agent -> currency -> its account in a further currency."""

NO_WALLETS: Final[Wallets] = MappingProxyType({})
NO_STANDING: Final[Mapping[str, AgentOrders]] = MappingProxyType({})


def accounts_digest(
    accounts: Mapping[str, Account],
    wallets: Wallets = NO_WALLETS,
    standing: Mapping[str, AgentOrders] = NO_STANDING,
) -> str:
    """Hash over accounts, to compare two folds of the same decisions.

    Args:
        accounts: Agent -> its main account.
        wallets: Agent -> currency -> its account in a further currency.
        standing: Agent -> its orders; agents without open ones change nothing.
    """
    rows = [_digest_row(agent, account) for agent, account in sorted(accounts.items())]
    rows += [
        _digest_row(f"{agent} {currency}", account)
        for agent, owned in sorted(wallets.items())
        for currency, account in sorted(owned.items())
    ]
    rows += [
        [f"{agent} orders", [_order_row(order) for order in orders.open.values()]]
        for agent, orders in sorted(standing.items())
        if orders.open
    ]
    return sha256(orjson.dumps(rows)).hexdigest()


def _order_row(order: OpenOrder) -> list[object]:
    numbers = (order.quantity, order.filled, order.limit, order.trigger)
    times = (order.expires_ms, order.exits_ms)
    kind = (order.product_id, order.order_type, order.action, order.trailing_pct)
    return [order.order_id, *kind, *map(str, numbers), *times]


def _digest_row(name: str, account: Account) -> list[object]:
    return [
        name,
        str(account.opening),
        [str(account.cash), str(account.scraped)],
        [
            [p, str(held.quantity), str(held.cost), held.entry_ms]
            for p, held in sorted(account.positions.items())
        ],
        [str(account.realised), str(account.fees), str(account.slippage)],
        [account.fills, account.rejections],
        [account.chain, account.deeds],
    ]
