"""What the account fold keeps of one agent: cash, positions, sums, and how orders ended. Pure.

Amounts are whole units of 10^-8 (`arena.money`).
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

import orjson

from arena.errors import BrokenLog
from arena.money import PriceUnits, divide_half_even, notional_units, units_text

GENESIS = "0" * 64
"""The head of a chain before its first record."""

OrderRecord = tuple[str, str, str | None, str, str | None, str | None, str | None, str | None]
"""What an agent's order was and came to."""


@dataclass(slots=True)
class Position:
    """What an agent holds of one product.

    Attributes:
        quantity: Base units. cost: Cash paid for it, fees included.
        entry_ms: Venue time of entry, weighted by quantity, Unix milliseconds.
    """

    quantity: int = 0
    cost: int = 0
    entry_ms: int = 0


@dataclass(slots=True)
class Account:
    """One agent's account.

    Attributes:
        cash: What can be spent. opening: what it was opened with.
        scraped: Profit set aside. scrape: the share of a profit that is, times 10^8.
        positions: By product; only those that are not zero.
        realised: Profit of all sells, after fees, against average cost.
        fees, slippage, latency_cost, volume: Sums over all fills, cash.
        fills, rejections: Counts of decided orders.
        chain: Digest over what the agent did, `DEEDS_PER_LINK` orders at a time.
        deeds: The orders since, which are not in the chain yet.
        forgotten_us: Newest issue time of its orders whose ids are forgotten, Unix microseconds; 0
            before the first.
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

    def equity(self, bids: dict[str, PriceUnits]) -> int:
        """All cash, and positions marked at the bid; one without a bid is marked at its cost."""
        value = self.cash + self.scraped
        for product_id, position in self.positions.items():
            bid = bids.get(product_id)
            value += position.cost if bid is None else notional_units(position.quantity, bid)
        return value


class OrderOutcome(NamedTuple):
    """How an order ended: enough to answer a duplicate command, and to find its place again.

    Attributes:
        outcome: "filled", "rejected" or, for an account, "opened".
        source: Offset of its command in `account.commands`.
        issued_at: When the order was issued, as its event says; "" for an account.
    """

    seq: int
    outcome: str
    reason: str | None
    agent: str
    source: int
    issued_at: str


def apply_buy(position: Position, quantity: int, cost: int, time_ms: int) -> None:
    """Add a buy: its cost includes the fee; the entry time moves by its share of the quantity."""
    held = position.quantity
    position.entry_ms = (position.entry_ms * held + time_ms * quantity) // (held + quantity)
    position.quantity = held + quantity
    position.cost += cost


def apply_sell(position: Position, quantity: int, proceeds: int) -> int:
    """Take a sell out of a position at average cost.

    Args:
        position: Holds at least the quantity.
        quantity: Base units.
        proceeds: Cash received, after the fee.

    Returns:
        The realised profit in cash.

    Raises:
        BrokenLog: More is sold than is held.
    """
    if quantity > position.quantity:
        raise BrokenLog(f"sold {units_text(quantity)} of {units_text(position.quantity)} held")
    cost = divide_half_even(position.cost * quantity, position.quantity)
    position.quantity -= quantity
    position.cost -= cost
    return proceeds - cost


def accounts_digest(accounts: dict[str, Account]) -> str:
    """Hash over accounts, for comparing two folds of the same decisions."""
    rows = [
        [
            agent,
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
        for agent, account in sorted(accounts.items())
    ]
    return sha256(orjson.dumps(rows)).hexdigest()
