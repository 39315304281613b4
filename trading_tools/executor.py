"""The executor: for every shard a hot standby that becomes the single writer when needed.

Reads `account.events`, `account.commands`, `market.tickers`, `arena.control`, and `market.candles`
if a limit needs them; appends to `account.events` and `agent.inbox.*`, and its rules to
`arena.roster` when it claims a shard.
This process repeats for each shard:

    fold the log from its first record -> follow it (standby) -> claim it by an epoch -> own it

Losing a shard in a rebalance leads back to the beginning. Being fenced while the group assigns the
shard to this process ends the process; so does every failed append. Recovery is always a restart.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from arena import topics
from arena.accounts import Shard
from arena.currency import AS_FLAG, DEFAULT_CURRENCY, account_currency
from arena.errors import BrokerUnavailable, Fenced, UsageError
from arena.kill_switch import CONFIRMED
from arena.node import Node
from arena.shards import main_currency
from arena.tasks import run_until_first_ends
from arena.topics import partition_of
from trading_tools.command_handler import CommandHandler
from trading_tools.kill_switch import KillSwitchFeed, check_partitions
from trading_tools.prices import PriceFeed
from trading_tools.quotes import MarketState, Quote
from trading_tools.recovery import EventLog
from trading_tools.registry import Tool
from trading_tools.risk.candles import RiskCandles
from trading_tools.risk.requests import LimitSettings
from trading_tools.rules import TradingRules
from trading_tools.shard_membership import ShardMembership
from trading_tools.shard_writer import ShardWriter

STANDBY_READ_S = 0.2
CLAIM_PAUSE_S_MAX = 0.2
"""Two executors that claim at the same time must not collide again and again."""
FENCED_PAUSE_S = 0.1
"""The first pause of an owner that was fenced before it wrote anything; each next one is twice as
long, until it has written: so the other one gets to write, however slow the machine is."""
FENCED_PAUSE_S_MAX = 5.0
LIVE_MS = 60_000
"""A product whose price was confirmed longer ago does not count in the check of the currency."""
FENCED_MAX = 10
"""How many times the pause is doubled at most."""
BURIES = 0
"""The shard whose owner sends unreadable records of `arena.control` to the dead letters."""

REGROWN = (
    "the number decides which shard has an agent's account, and Kafka cannot take partitions away:"
    " start a new arena under another ARENA_PREFIX, or copy the records of every topic into topics"
    " with the former number of partitions there"
)


def check_agents(agents: Iterable[str], partition: int, shards: int) -> None:
    """Refuse to serve if an account is in a shard that its agent does not belong to.

    Raises:
        UsageError: The number of partitions of the topics was changed.
    """
    for agent in agents:
        home = partition_of(agent, shards)
        if home != partition:
            raise UsageError(
                f"the account of {agent} is in shard {partition}, but with {shards} partitions it"
                f" belongs to shard {home}: partitions were added to account.events and"
                " account.commands, and the agent would get a second account",
                remedy=REGROWN,
            )


def check_currency(rules: TradingRules, opened_in: Iterable[str], main: str = "") -> None:
    """Refuse to serve accounts that were opened in another currency.

    Args:
        rules: The rules of this executor.
        opened_in: The currencies of all accounts and wallets in the log.
        main: The currency of the main accounts in the log; "" if there are none.

    Raises:
        UsageError: The rules have other currencies than the account log, or another main one.
    """
    other = sorted(set(opened_in) - rules.currencies)
    if not other and main and main != rules.currency:
        other = [main]
    if other:
        wallet = main == rules.currency
        flag = f"--wallet {other[0]}=CASH" if wallet else f"--currency {other[0]}"
        raise UsageError(
            f"currency is {rules.currency}, but this arena's accounts were opened in"
            f" {' and '.join(other)}",
            remedy=f"start with {flag}, or begin another arena under an ARENA_PREFIX of its own",
        )


def check_products(rules: TradingRules, market: MarketState, now: datetime) -> None:
    """Refuse to serve if products are quoted in another currency than accounts hold.

    Products that get no prices any more do not count: `market.tickers` keeps the listings of
    earlier connectors. In lock-step prices have the market's time, and all products count.

    Args:
        rules: The rules of this executor.
        market: The state of the market.
        now: Wall time of this process.

    Raises:
        UsageError: A product with live prices is quoted in another currency.
    """
    quotes = {
        product_id: listing.quote_currency
        for product_id, listing in market.listings.items()
        if (rules.lock_step or _is_live(market.quotes.get(product_id), now))
        and listing.quote_currency not in rules.wallets
    }
    if not quotes:
        return
    currency = None if rules.currency == DEFAULT_CURRENCY else rules.currency
    account_currency(quotes, currency, AS_FLAG)


def has_decided(shards: Iterable[Shard]) -> bool:
    """True if an order was decided in one of the shards, by any process."""
    return any(
        account.fills or account.rejections
        for shard in shards
        for owned in (shard.accounts, *shard.wallets.values())
        for account in owned.values()
    )


def _is_live(quote: Quote | None, now: datetime) -> bool:
    return quote is not None and quote.age_ms(now) < LIVE_MS


class Executor:
    """Serves the shards of `account.commands` that this process should serve.

    Args:
        node: Bus, clock, counters.
        rules: The rules that orders are decided by.
        tools: The account tools by name.
        membership: Says which shards to serve.
        limits: The limits of risk; none by default.
    """

    def __init__(
        self,
        node: Node,
        rules: TradingRules,
        tools: Mapping[str, Tool],
        membership: ShardMembership,
        limits: LimitSettings | None = None,
    ) -> None:
        """Take what `run` needs."""
        self._node = node
        self._rules = rules
        self._tools = tools
        self._membership = membership
        self._prices = PriceFeed(node, whole=rules.lock_step)
        self._control = KillSwitchFeed(node, lambda: BURIES in self._owners, limits)
        self._candles = RiskCandles(node.bus, lambda: self._control.limits.needs_candles)
        self._owners: dict[int, ShardWriter] = {}
        self._logs: dict[int, EventLog] = {}
        self._ignored: dict[int, int] = {}
        self._owned: set[int] = set()
        self._unfolded: set[int] = set()
        self._fenced: dict[int, int] = {}
        self._all_fit = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled.

        Raises:
            Fenced: Another process owns a shard that is assigned to this one.
            AppendFailed: An append was not acked.
            BrokenLog: The account log cannot be folded.
        """
        shards = await self._node.bus.partitions(topics.EVENTS.name)
        commands = await self._node.bus.partitions(topics.COMMANDS.name)
        if shards != commands:
            raise UsageError(
                f"account.events has {shards} partitions, account.commands has {commands}",
                remedy="create both with the same number: each partition is a shard",
            )
        self._unfolded = {*range(shards)}
        self._update_status()
        try:
            await self._control.open()
            await self._prices.open()
            await run_until_first_ends(
                self._control.run(),
                self._control.renew(),
                self._prices.run(),
                self._candles.run(),
                self._membership.run(),
                self._measure(),
                self._watch_partitions(shards),
                self._watch_products(),
                *(self._serve_shard(p, shards) for p in range(shards)),
            )
        finally:
            await self._prices.close()
            await self._control.close()

    async def _serve_shard(self, partition: int, shards: int) -> None:
        while True:
            if in_a_row := self._fenced.get(partition, 0):
                longest_s = min(FENCED_PAUSE_S * 2**in_a_row, FENCED_PAUSE_S_MAX)
                await self._node.clock.sleep(self._node.random.uniform(longest_s / 2, longest_s))
            log = self._logs[partition] = EventLog(self._node, partition)
            await log.open()
            try:
                await self._stand_by(log, partition, shards)
                if await self._claim(log, partition):
                    await self._serve_as_owner(log, partition, shards)
            finally:
                self._owners.pop(partition, None)
                self._update_status()
                await log.close()

    async def _stand_by(self, log: EventLog, partition: int, shards: int) -> None:
        began = self._node.clock.monotonic()
        await log.catch_up()
        self._node.gauges["recovery_ms"] = (self._node.clock.monotonic() - began) * 1000
        self._membership.note_owner(partition, log.shard.owner)
        check_agents(log.shard.accounts, partition, shards)
        main = main_currency(log.shard) if log.shard.accounts else ""
        check_currency(self._rules, log.shard.currencies(), main)
        self._unfolded.discard(partition)
        if not self._unfolded:
            self._all_fit.set()
        # An account in the wrong shard stops this process before any shard is served.
        await self._all_fit.wait()
        while not self._membership.should_serve(partition):
            self._ignored[partition] = log.shard.ignored
            await log.follow(STANDBY_READ_S)

    async def _claim(self, log: EventLog, partition: int) -> bool:
        while True:
            await log.catch_up()
            self._membership.note_owner(partition, log.shard.owner)
            if not self._membership.should_serve(partition):
                return False
            rules = self._rules.message(self._node.clock.now())
            if await log.claim(rules):
                # A standby does not publish its rules: prompts must show those in force.
                await self._node.bus.append(topics.ROSTER.name, rules, key="rules")
                return True
            await self._node.clock.sleep(self._node.random.uniform(0, CLAIM_PAUSE_S_MAX))

    async def _serve_as_owner(self, log: EventLog, partition: int, shards: int) -> None:
        market, switch = self._prices.market, self._control.switch
        handler = CommandHandler(
            partition,
            shards,
            log.shard,
            market,
            self._rules,
            self._tools,
            switch,
            self._control.limits,
        )
        owner = self._owners[partition] = ShardWriter(
            self._node,
            log,
            handler,
            self._prices,
            self._control,
            self._candles,
            first=partition not in self._owned,
        )
        self._owned.add(partition)
        self._ignored[partition] = log.shard.ignored
        self._update_status()
        self._node.log.info(
            "owns shard", shard=partition, epoch=log.shard.epoch, events=log.shard.next_offset
        )
        try:
            await owner.serve(lambda: self._membership.should_serve(partition))
            self._fenced.pop(partition, None)
        except Fenced:
            if self._membership.assigned(partition):
                raise
            in_a_row = min(self._fenced.get(partition, 0) + 1, FENCED_MAX)
            self._fenced[partition] = 0 if owner.has_written else in_a_row
        self._membership.give_up(partition)
        self._node.log.info("gave up shard", shard=partition, epoch=log.shard.epoch)

    def _update_status(self) -> None:
        self._node.status = "running" if self._owners else "standby"
        self._node.details["shards"] = [*sorted(self._owners)]
        confirmed = self._node.details.get(CONFIRMED)
        if isinstance(confirmed, dict):
            owned = {str(partition) for partition in self._owners}
            self._node.details[CONFIRMED] = {p: of for p, of in confirmed.items() if p in owned}

    async def _watch_partitions(self, shards: int) -> None:
        """End if a topic gets partitions: an agent could get a second account, a halt be missed."""
        while True:
            await self._node.clock.sleep(self._node.settings.heartbeat_interval_s)
            for topic in (topics.EVENTS.name, topics.COMMANDS.name):
                with contextlib.suppress(BrokerUnavailable):
                    now = await self._node.bus.partitions_now(topic)
                    if now != shards:
                        raise UsageError(
                            f"{topic} has {now} partitions now, and had {shards}", remedy=REGROWN
                        )
            with contextlib.suppress(BrokerUnavailable):
                await check_partitions(self._node.bus)

    async def _watch_products(self) -> None:
        """End if products are quoted in another currency, unless an order was decided already.

        Whether one was decided is read from the account log, so that a process that restarts only
        warns, like one that kept running.
        """
        reported: list[str] = []
        await self._all_fit.wait()
        while True:
            market = self._prices.market
            foreign = market.foreign(self._rules.currencies)
            if foreign and not has_decided(log.shard for log in self._logs.values()):
                check_products(self._rules, market, self._node.clock.now())
            if foreign != reported:
                reported = foreign
                self._node.log.warning(
                    "products of another currency cannot be traded",
                    products=", ".join(foreign),
                    currency=" and ".join(sorted(self._rules.currencies)),
                )
            await self._node.clock.sleep(self._node.settings.heartbeat_interval_s)

    async def _measure(self) -> None:
        while True:
            with contextlib.suppress(BrokerUnavailable):
                lags = [await owner.lag() for owner in list(self._owners.values())]
                self._node.gauges["lag"] = float(sum(lags))
            self._node.counters["ignored"] = sum(self._ignored.values())
            await self._node.clock.sleep(self._node.settings.heartbeat_interval_s)
