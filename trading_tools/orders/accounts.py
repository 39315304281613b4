"""The account in which orders of a product are settled, with its rules. Pure."""

from typing import NamedTuple

from arena.account_state import Account
from arena.accounts import Shard
from trading_tools.quotes import MarketState
from trading_tools.rules import TradingRules


class Settlement(NamedTuple):
    """Where an order is settled.

    Attributes:
        wallet: Currency of the wallet; "" for the main account.
        account: The account.
        rules: The rules in the account's currency.
    """

    wallet: str
    account: Account
    rules: TradingRules


def settlement_of(
    shard: Shard, market: MarketState, rules: TradingRules, agent: str, product_id: str
) -> Settlement:
    """The account of an agent in which orders of a product are settled.

    Args:
        shard: The shard, in which the agent has an account.
        market: For the currency in which the product is quoted.
        rules: The rules of the executor.
        agent: The agent.
        product_id: The product, or "" for the main account.
    """
    wallets = shard.wallets.get(agent, {})
    listing = market.listings.get(product_id)
    wallet = listing.quote_currency if listing and listing.quote_currency in wallets else ""
    return settlement_in(shard, rules, agent, wallet)


def settlement_in(shard: Shard, rules: TradingRules, agent: str, wallet: str) -> Settlement:
    """The account of an agent in a currency; "" for the main account."""
    wallets = shard.wallets.get(agent, {})
    # An account that was opened before the rules had a wallet has none.
    own_rules = rules.with_wallets(wallets).in_currency(wallet)
    return Settlement(wallet, wallets[wallet] if wallet else shard.accounts[agent], own_rules)
