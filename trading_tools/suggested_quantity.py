"""Which quantity near an asked one would be filled now: what a refusal may suggest. Pure.

A suggestion that is refused in its turn costs an agent a round and its trust. So each one is tried
by the rules that will decide it, and without one that passes nothing is suggested.
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
    """What an order of some side in some product could ask for.

    Attributes:
        held: Of the product; units of 10^-8, as all amounts.
        price: What a unit would cost or bring, with slippage; None if no order is priced now.
        fits: Whether an order of a quantity, a multiple of the step, would be filled.
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
        """The quantity nearest to an asked one that would be filled; None if there is not one.

        Args:
            asked: Units of 10^-8, above 0; cut if it was finer.
        """
        if self.price is None or self.price <= 0:
            return None
        step, most = self.listing.base_increment, self._most(self.price)
        least = divide_up(max(self.listing.min_funds, 1) * PRICE_SCALE, self.price)
        wanted = (asked // step, divide_up(asked, step), divide_up(least, step))
        tried = dict.fromkeys(min(steps * step, most) for steps in wanted)
        return next((quantity for quantity in tried if quantity > 0 and self.fits(quantity)), None)

    def _most(self, price: PriceUnits) -> int:
        """The most that can be sold or paid for, in whole steps."""
        step = self.listing.base_increment
        if self.action == "sell":
            return self.held // step * step
        # Two steps of cash are more than the rounding of notional and fee can take.
        cash = max(0, self.account.cash - 2 * self.cash_step)
        rate = BPS * BPS + int(self.fee_bps * BPS)
        paid_for: int = cash * PRICE_SCALE * BPS * BPS // (price * rate)
        most: int = min(paid_for, AMOUNT_MAX - self.held) // step * step
        return most


def held_of(account: Account, product_id: str) -> int:
    """What an account holds of a product, in units of 10^-8."""
    return account.positions.get(product_id, Position()).quantity
