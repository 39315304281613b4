"""All shards of the account log together. Pure."""

from collections.abc import Iterable

from arena.account_state import Account, accounts_digest
from arena.accounts import Shard


def digest_of(shards: Iterable[Shard]) -> str:
    """The hash of all accounts and wallets, to compare two folds of the same decisions."""
    accounts: dict[str, Account] = {}
    wallets: dict[str, dict[str, Account]] = {}
    for shard in shards:
        accounts |= shard.accounts
        wallets |= shard.wallets
    return accounts_digest(accounts, wallets)


def accounts_of(shards: Iterable[Shard]) -> dict[str, tuple[Account, ...]]:
    """Agent -> its main account and its wallets, by currency."""
    return {
        agent: (account, *(wallet for _, wallet in sorted(shard.wallets.get(agent, {}).items())))
        for shard in shards
        for agent, account in shard.accounts.items()
    }
