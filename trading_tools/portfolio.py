"""An agent's account valued at the bid: the value for programs and the text for models."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from pydantic import JsonValue

from arena.account_state import Account
from arena.currency import DEFAULT_CURRENCY, cash_step
from arena.money import (
    SCALE,
    SCALE_DIGITS,
    PriceUnits,
    divide_half_even,
    notional_units,
    price_text,
    to_units,
    unit_cost,
    units_text,
)
from arena.open_orders import AgentOrders
from arena.trading_modes import restriction
from trading_tools.portfolio_orders import NO_ORDERS, OrdersView, orders_of
from trading_tools.quotes import Listing, Quote

CENT = SCALE // 100


@dataclass(frozen=True, slots=True)
class PositionView:
    """One position.

    Attributes:
        quantity: Base units of 10^-8.
        average_cost: Cash per base unit, fees included.
        bid: None if no price is known.
        unrealised: Gain at the bid, before the fee of a sale; None without a bid.
        held_s: Venue seconds from the quantity-weighted entry to the newest price, or None.
        note: Why the position, or a part of it, cannot be sold now; "" if it can.
    """

    product_id: str
    quantity: int
    average_cost: PriceUnits
    bid: PriceUnits | None
    unrealised: int | None
    held_s: int | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class PortfolioView:
    """An account at the newest prices, cash in units of 10^-8.

    Attributes:
        cash: Cash that can be spent.
        scraped: Profit that was set aside; None for an account that sets none aside.
        equity: Cash, set-aside profit and positions.
        currency: The currency of all amounts.
        wallets: The accounts in further currencies.
        orders: The agent's limit orders and exits, of all currencies.
    """

    cash: int
    scraped: int | None
    equity: int
    holdings: tuple[PositionView, ...]
    currency: str = DEFAULT_CURRENCY
    wallets: "tuple[PortfolioView, ...]" = ()
    orders: OrdersView = NO_ORDERS

    def value(self) -> JsonValue:
        """The value for programs: money as strings; a currency other than USD is named."""
        named: dict[str, JsonValue] = {"currency": self.currency}
        return {
            **(named if self.currency != DEFAULT_CURRENCY else {}),
            "cash_usd": units_text(self.cash),
            **self._scraped_value(),
            "equity_usd": units_text(self.equity),
            "positions": [
                {
                    "product_id": h.product_id,
                    "quantity": units_text(h.quantity),
                    "average_cost": price_text(h.average_cost),
                    "bid": None if h.bid is None else price_text(h.bid),
                    "unrealised_usd": None if h.unrealised is None else units_text(h.unrealised),
                    "held_s": h.held_s,
                }
                for h in self.holdings
            ],
            **({"wallets": [wallet.value() for wallet in self.wallets]} if self.wallets else {}),
            **self.orders.value(),
        }

    def _scraped_value(self) -> dict[str, JsonValue]:
        return {} if self.scraped is None else {"scraped_usd": units_text(self.scraped)}

    def text(self) -> str:
        """The text for a model: per currency its cash, equity and positions; then the orders."""
        accounts = [one._own_text() for one in (self, *self.wallets)]
        return "\n".join([*accounts, *self.orders.lines()])

    def _own_text(self) -> str:
        unit = self.currency
        cash = f"Cash {cash_text(self.cash, unit)} {unit}"
        if self.scraped is not None:
            total = cash_text(self.cash + self.scraped, unit)
            aside = cash_text(self.scraped, unit)
            cash += f" available, {total} {unit} in all ({aside} {unit} of profit set aside)"
        lines = [f"{cash}, equity {cash_text(self.equity, unit)} {unit}."]
        if not self.holdings:
            return f"{lines[0]} No positions."
        lines.append(f"product | quantity | average cost | bid | unrealised {unit} | held")
        for h in self.holdings:
            cells = (
                h.product_id,
                units_text(h.quantity),
                price_text(h.average_cost),
                "unknown" if h.bid is None else price_text(h.bid),
                "unknown" if h.unrealised is None else cash_text(h.unrealised, unit, signed=True),
                "unknown" if h.held_s is None else duration(h.held_s),
            )
            lines.append(" | ".join(cells))
        lines += [h.note for h in self.holdings if h.note]
        return "\n".join(lines)


def portfolio_of(
    account: Account,
    quotes: Mapping[str, Quote],
    currency: str = DEFAULT_CURRENCY,
    listings: Mapping[str, Listing] | None = None,
    wallets: Mapping[str, Account] | None = None,
    orders: AgentOrders | None = None,
) -> PortfolioView:
    """Value an account; a position without a price counts at its cost.

    Args:
        account: The folded account.
        quotes: Product -> its newest quote.
        currency: The currency of the account.
        listings: Product -> its listing, for notes about positions that cannot be sold; or None.
        wallets: Further currency -> the agent's account in it; None for none.
        orders: The agent's limit orders and exits; None for none.
    """
    holdings = []
    equity = account.cash + account.scraped
    for product_id, position in sorted(account.positions.items()):
        quote = quotes.get(product_id)
        bid = quote.bid if quote is not None and quote.usable else None
        worth = position.cost if bid is None else notional_units(position.quantity, bid)
        equity += worth
        held_ms = None if quote is None else max(0, quote.event_ms - position.entry_ms)
        holdings.append(
            PositionView(
                product_id=product_id,
                quantity=position.quantity,
                average_cost=unit_cost(position.cost, position.quantity),
                bid=bid,
                unrealised=None if bid is None else worth - position.cost,
                held_s=None if held_ms is None else held_ms // 1000,
                note=_unsellable_note((listings or {}).get(product_id), position.quantity),
            )
        )
    scraped = account.scraped if account.scrape or account.scraped else None
    others = tuple(
        portfolio_of(wallet, quotes, unit, listings)
        for unit, wallet in sorted((wallets or {}).items())
    )
    return PortfolioView(
        cash=account.cash,
        scraped=scraped,
        equity=equity,
        holdings=tuple(holdings),
        currency=currency,
        wallets=others,
        orders=orders_of(orders, quotes),
    )


def _unsellable_note(listing: Listing | None, quantity: int) -> str:
    """Why a position, or the rest of it after whole steps, cannot be sold."""
    if listing is None:
        return ""
    if text := restriction(listing.status, listing.modes):
        return f"{listing.product_id} is {text}; it is valued at its last bid."
    dust = quantity % listing.base_increment
    if not dust:
        return ""
    step = f"less than one step of {units_text(listing.base_increment)} and cannot be sold"
    return f"{units_text(dust)} {listing.product_id} is {step}."


def cash_text(units: int, currency: str, *, signed: bool = False, grouped: bool = False) -> str:
    """An amount to the cent, as in "97228.12"; amounts below a cent keep their digits.

    In a currency without cents, such as BTC, every amount keeps its digits.

    Args:
        units: The amount in 10^-8 of the currency.
        currency: The currency, such as "USDT".
        signed: Put a plus before a gain.
        grouped: Separate thousands by commas.
    """
    step = cash_step(currency)
    if step == 1:
        whole, part = divmod(abs(units), SCALE)
        digits = f"{whole:,}" if grouped else str(whole)
        text = f"{'-' if units < 0 else ''}{digits}.{part:0{SCALE_DIGITS}d}"
    elif units and abs(units) < CENT:
        text = units_text(divide_half_even(units, step) * step)
    else:
        cents = divide_half_even(units, CENT)
        whole, part = divmod(abs(cents), 100)
        digits = f"{whole:,}" if grouped else str(whole)
        text = f"{'-' if cents < 0 else ''}{digits}.{part:02d}"
    return f"+{text}" if signed and units > 0 else text


def duration(seconds: int) -> str:
    """Seconds as "45s", "4m12s" or "3h05m"."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes_left:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def format_cash(text: str, currency: str, *, signed: bool = False) -> str:
    """Format an amount that is given as exact text like `cash_text`."""
    return cash_text(to_units(Decimal(text)), currency, signed=signed)
