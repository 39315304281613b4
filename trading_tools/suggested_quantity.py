"""Finds a quantity near the asked one that would be filled, for the text of a rejection. Pure.

A suggestion that is rejected in turn costs an agent a round and its trust. So every candidate is
checked by the rules that will decide it, and if none passes, nothing is suggested.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from arena.account_state import Account, Position
from arena.messages import Side
from arena.money import AMOUNT_MAX, BPS, PRICE_SCALE, PriceUnits, divide_up
from trading_tools.quotes import Listing


@dataclass(frozen=True, slots=True)
class QuantitySuggestion:
    """Suggests quantities for an order on one side of one product.

    Attributes:
        action: The side.
        account: The account before the order.
        held: The position in the product; units of 10^-8, as all amounts.
        listing: The trading rules of the product.
        price: The price per unit with slippage; None if no order can be priced now.
        fee_bps: The taker fee.
        cash_step: The step of cash.
        fits: True if an order of a quantity, a multiple of the step, would be filled.
    """

    action: Side
    account: Account
    held: int
    listing: Listing
    price: PriceUnits | None
    fee_bps: Decimal
    cash_step: int
    fits: Callable[[int], bool]

    def nearest(self, asked: int) -> int | None:
        """The quantity nearest to the asked one that would be filled, or None.

        Args:
            asked: Units of 10^-8, above 0; rounded down if the order was finer.
        """
        if self.price is None or self.price <= 0:
            return None
        step, most = self.listing.base_increment, self._max_quantity(self.price)
        least = divide_up(max(self.listing.min_funds, 1) * PRICE_SCALE, self.price)
        wanted = (asked // step, divide_up(asked, step), divide_up(least, step))
        tried = dict.fromkeys(min(steps * step, most) for steps in wanted)
        return next((quantity for quantity in tried if quantity > 0 and self.fits(quantity)), None)

    def _max_quantity(self, price: PriceUnits) -> int:
        """The most that can be sold or paid for, in whole steps."""
        step = self.listing.base_increment
        if self.action == "sell":
            return self.held // step * step
        # Two steps of cash are more than the rounding of notional and fee can cost.
        cash = max(0, self.account.cash - 2 * self.cash_step)
        rate = BPS * BPS + int(self.fee_bps * BPS)
        paid_for: int = cash * PRICE_SCALE * BPS * BPS // (price * rate)
        most: int = min(paid_for, AMOUNT_MAX - self.held) // step * step
        return most


def position_quantity(account: Account, product_id: str) -> int:
    """An account's position in a product, in units of 10^-8."""
    return account.positions.get(product_id, Position()).quantity
