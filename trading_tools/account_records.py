"""What tools can read of an agent's account in the single writer: the fold, and newest prices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from arena.account_state import Account
from arena.accounts import Shard
from arena.currency import DEFAULT_CURRENCY
from arena.money import PriceUnits
from arena.open_orders import AgentOrders
from arena.risk_state import RiskState, account_name
from arena.trade_history import TradeRow
from trading_tools.quotes import MarketState
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
        orders: Its open orders, and the newest closed ones.
        risk: Account name -> state of its limits.
        bids: Product -> newest bid; without products that have no usable quote.
        venue_at: Venue time of the newest price.
    """

    agent: str = ""
    currency: str = DEFAULT_CURRENCY
    main: Account = field(default_factory=Account)
    wallets: Mapping[str, Account] = field(default_factory=dict)
    history: Sequence[TradeRow] = ()
    orders: AgentOrders = field(default_factory=AgentOrders)
    risk: Mapping[str, RiskState] = field(default_factory=dict)
    bids: Mapping[str, PriceUnits] = field(default_factory=dict)
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
        bids=market.bids(),
        venue_at=market.newest_at or now,
    )
