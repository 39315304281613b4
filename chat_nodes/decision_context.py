"""What a decision about trading is made from, and the orders that follow from it. Pure.

The scripted strategies and the local model size their orders here, so both spend and round alike.
"""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Literal

from arena.currency import cash_digits
from arena.products import quote_of
from chat_nodes.prompt_reader import PromptAccount, PromptMarket, PromptPosition, PromptQuote
from chat_nodes.prompt_rules import NO_RULES, PromptRules

ORDER_CASH_MIN = Decimal(10)
ORDER_SHARE_MIN = Decimal("0.0001")
"""Smallest order as a share of the equity, in a currency without cents: 10 BTC is a large order."""
QUANTITY_DIGITS = 3
"""Significant digits of a bought quantity: coarse enough for every product's increment."""
BPS = Decimal(10_000)
CENT_DIGITS = 2
SPENDABLE_SHARE = Decimal("0.995")
"""Share of the cash that an order may spend: prices move between the prompt and the fill."""


Exits = tuple[tuple[str, str], ...]
"""Arguments of `execute_trade` for exits, such as (("stop_loss_pct", "2"),)."""


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """An order to send; the quantity is in base units.

    Attributes:
        exits: The exits that a buy brings: arguments of `execute_trade`.
    """

    action: Literal["buy", "sell"]
    product_id: str
    quantity: Decimal
    exits: Exits = ()


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """What a decision is made from: market, account, costs.

    Attributes:
        cost_bps: Fee and slippage of one trade, in basis points.
        seed: Decides what is drawn at random.
        rules: What the strategy's text demands.
    """

    market: PromptMarket
    account: PromptAccount
    cost_bps: Decimal
    seed: str
    rules: PromptRules = NO_RULES

    def account_of(self, product_id: str) -> PromptAccount:
        """The account in the currency that a product is quoted in; the main one if unknown."""
        return self.account.wallets.get(quote_of(product_id), self.account)

    @property
    def positions(self) -> dict[str, PromptPosition]:
        """The positions of all currencies by product."""
        found = dict(self.account.positions)
        for wallet in self.account.wallets.values():
            found |= wallet.positions
        return found

    @property
    def cost(self) -> Decimal:
        """The cost of one trade as a fraction of its value."""
        return self.cost_bps / BPS

    def small(self, account: PromptAccount, amount: Decimal, share: Decimal) -> Decimal:
        """A small amount of cash: `amount`, or that share of the equity if cash has no cents."""
        has_cents = cash_digits(account.currency) == CENT_DIGITS
        return amount if has_cents else account.equity_usd * share

    def spendable(self, account: PromptAccount, wanted: Decimal) -> Decimal:
        """The wanted amount of cash, or what an account allows after costs if that is less."""
        most = account.cash_usd / (1 + self.cost) * SPENDABLE_SHARE
        return min(wanted, most)

    def buy(self, quote: PromptQuote, cash: Decimal, exits: Exits = ()) -> tuple[PlannedOrder, ...]:
        """A buy for about `cash`, with exits; nothing if that is below the smallest order."""
        account = self.account_of(quote.product_id)
        cash = min(self.spendable(account, cash), self._allowed(quote, account))
        if cash < self.small(account, ORDER_CASH_MIN, ORDER_SHARE_MIN) or not cash:
            return ()
        return (PlannedOrder("buy", quote.product_id, round_quantity(cash / quote.ask), exits),)

    def _allowed(self, quote: PromptQuote, account: PromptAccount) -> Decimal:
        """The cash that the rules of the text leave for a product."""
        equity, rules = account.equity_usd, self.rules
        left = account.cash_usd - rules.cash_min * equity
        if rules.share_max is not None:
            left = min(left, (rules.share_max - self.share(quote)) * equity)
        return max(left, Decimal(0))

    def sell(self, product_id: str, part: Decimal = Decimal(1)) -> PlannedOrder:
        """A sale of a position, or of a part of it."""
        held = self.positions[product_id].quantity
        return PlannedOrder("sell", product_id, held if part == 1 else round_quantity(held * part))

    def gain(self, quote: PromptQuote) -> Decimal | None:
        """The gain of a position at the bid, as a fraction of its cost; None if none is held."""
        held = self.positions.get(quote.product_id)
        return quote.bid / held.average_cost - 1 if held and held.average_cost else None

    def share(self, quote: PromptQuote) -> Decimal:
        """The value of a position at the bid, as a fraction of the equity in its currency."""
        account = self.account_of(quote.product_id)
        held = account.positions.get(quote.product_id)
        if held is None or not account.equity_usd:
            return Decimal(0)
        return held.quantity * quote.bid / account.equity_usd


def round_quantity(quantity: Decimal) -> Decimal:
    """A positive quantity rounded down to a few significant digits."""
    step = Decimal(1).scaleb(min(0, quantity.adjusted() - QUANTITY_DIGITS + 1))
    return quantity.quantize(step, ROUND_FLOOR)
