"""All shards of the account log together. Pure."""

from collections.abc import Iterable, Iterator

from arena.account_state import Account, accounts_digest
from arena.accounts import Shard
from arena.currency import DEFAULT_CURRENCY
from arena.open_orders import AgentOrders


def digest_of(shards: Iterable[Shard]) -> str:
    """The hash of all accounts and wallets, to compare two folds of the same decisions."""
    accounts: dict[str, Account] = {}
    wallets: dict[str, dict[str, Account]] = {}
    standing: dict[str, AgentOrders] = {}
    for shard in shards:
        accounts |= shard.accounts
        wallets |= shard.wallets
        standing |= shard.standing
    return accounts_digest(accounts, wallets, standing)


def accounts_of(shards: Iterable[Shard]) -> dict[str, tuple[Account, ...]]:
    """Agent -> its main account and its wallets, by currency."""
    return {
        agent: (account, *(wallet for _, wallet in sorted(shard.wallets.get(agent, {}).items())))
        for shard in shards
        for agent, account in shard.accounts.items()
    }


def main_currency(shard: Shard) -> str:
    """The currency of main accounts: the one without wallets; USD before the first account."""
    further = {currency for owned in shard.wallets.values() for currency in owned}
    return min(shard.currencies() - further, default=DEFAULT_CURRENCY)


def accounts_by_currency(shard: Shard) -> Iterator[tuple[str, str, Account]]:
    """Yield the agent, the currency and the account of every main account and wallet of a shard."""
    main = main_currency(shard)
    for agent, account in shard.accounts.items():
        yield agent, main, account
        for currency, wallet in sorted(shard.wallets.get(agent, {}).items()):
            yield agent, currency, wallet
