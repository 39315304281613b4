"""What tools can read of an agent's account in the single writer: the fold, and newest prices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from arena.account_state import Account
from arena.accounts import Shard
from arena.currency import DEFAULT_CURRENCY
from arena.money import PriceUnits, notional_units
from arena.open_orders import AgentOrders
from arena.risk_state import RiskState, account_name
from arena.trade_history import TradeRow
from trading_tools.quotes import MarketState, Quote
from trading_tools.rules import TradingRules

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AccountRecords:
    """An agent's account after everything that was decided before a call.

    Attributes:
        currency: Currency of the main account.
        main: The main account.
        wallets: Further currency -> account in it.
        history: The newest fills, oldest first.
        orders: The orders that live.
        risk: Account name -> state of its limits.
        quotes: Product -> newest quote.
        venue_at: Venue time of the newest price.
    """

    agent: str = ""
    currency: str = DEFAULT_CURRENCY
    main: Account = field(default_factory=Account)
    wallets: Mapping[str, Account] = field(default_factory=dict)
    history: Sequence[TradeRow] = ()
    orders: AgentOrders = field(default_factory=AgentOrders)
    risk: Mapping[str, RiskState] = field(default_factory=dict)
    quotes: Mapping[str, Quote] = field(default_factory=dict)
    venue_at: datetime = UNIX_EPOCH

    def accounts(self) -> list[tuple[str, Account]]:
        """Wallet name and account of each currency; the name of the main account is ""."""
        return [("", self.main), *sorted(self.wallets.items())]

    def unit(self, wallet: str) -> str:
        """The currency of an account."""
        return wallet or self.currency

    def risk_of(self, wallet: str) -> RiskState | None:
        """The state of an account's limits; None if it has none."""
        return self.risk.get(account_name(self.agent, wallet))

    def bid(self, product_id: str) -> PriceUnits | None:
        """The newest usable bid of a product."""
        quote = self.quotes.get(product_id)
        return quote.bid if quote is not None and quote.usable else None

    def values(self, account: Account) -> dict[str, int]:
        """Product -> value of the position at its bid, or at cost without one."""
        found = {}
        for product_id, position in sorted(account.positions.items()):
            bid = self.bid(product_id)
            worth = position.cost if bid is None else notional_units(position.quantity, bid)
            found[product_id] = worth
        return found

    def equity(self, account: Account) -> int:
        """Cash, set-aside profit and positions."""
        return account.cash + account.scraped + sum(self.values(account).values())


def records_of(
    shard: Shard, market: MarketState, rules: TradingRules, agent: str, now: datetime
) -> AccountRecords:
    """What tools can read of an agent's account.

    Args:
        shard: The fold; the agent has an account in it.
        market: The newest prices.
        rules: The rules, for the currency of the main account.
        agent: The agent.
        now: Wall time, if no price is known.
    """
    return AccountRecords(
        agent=agent,
        currency=rules.currency,
        main=shard.accounts[agent],
        wallets=shard.wallets.get(agent, {}),
        history=shard.history.get(agent, ()),
        orders=shard.standing.get(agent) or AgentOrders(),
        risk=shard.risk,
        quotes=market.quotes,
        venue_at=market.newest_at or now,
    )
