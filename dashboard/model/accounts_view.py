"""Accounts, trades and equity curves from `account.events`. Pure.

Every partition is a shard with its own log, folded by `arena.accounts`.
"""

from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import Any

from arena.account_log import OpenedEvent, OrderEvent, TrippedEvent
from arena.account_state import Account
from arena.accounts import Shard
from arena.bus.base import Record
from arena.checkpoint import proven_image
from arena.errors import BrokenLog
from arena.open_orders import AgentOrders
from arena.pass_overs import PassedOver
from arena.risk_report import ExitCounts, RiskCounts, RiskReport
from arena.risk_state import RiskState
from arena.shards import digest_of
from dashboard.model.equity_curves import CurveFill, EquityCurve, Snapshots, Value, max_drawdown
from dashboard.model.order_index import OrderIndex
from dashboard.model.wealth import index_values

SHOWN = ("filled", "part_filled", "rejected")
"""Outcomes of the steps in the list of the newest orders."""

# Any: an event is decoded JSON; its shape is `arena.messages.account`.
Event = dict[str, Any]


class AccountsView:
    """The fold of all shards.

    Attributes:
        shards: Partition -> shard.
        curves: Agent -> equity curve of its main account.
        orders: Partition -> the offsets of the orders that counted in it.
        wallet_curves: Agent -> further currency -> equity curve of its account in it.
        broken: The first error in a log, or ""; a broken shard is not folded any further.
        passed_over: Records that an operator named to be passed over.
        risk: Agent -> what limits of risk did to its orders; agents without limits are absent.
        exits: Agent -> its exits; agents without any are absent.
    """

    def __init__(self) -> None:
        """Start at offset 0 of every partition."""
        self.shards: dict[int, Shard] = {}
        self.curves: dict[str, EquityCurve] = {}
        self.wallet_curves: dict[str, dict[str, EquityCurve]] = {}
        self.orders: dict[int, OrderIndex] = {}
        self.broken = ""
        self.risk: dict[str, RiskCounts] = {}
        self.exits: dict[str, ExitCounts] = {}
        self.passed_over: PassedOver = {}
        self._attested: dict[int, bytes] = {}
        self._drawdowns: dict[str, tuple[tuple[int, ...], tuple[int, int] | None]] = {}
        self._broken_partitions: set[int] = set()

    def take_attested(self) -> dict[int, bytes]:
        """The packed shards whose digests were read since the last call."""
        taken, self._attested = self._attested, {}
        return taken

    def pass_over(self, named: PassedOver) -> None:
        """Pass over the records that an operator named."""
        self.passed_over = named
        for partition, shard in self.shards.items():
            shard.passed_over = named.get(partition, {})

    def apply(self, record: Record) -> None:
        """Fold one record of `account.events`."""
        if record.partition in self._broken_partitions:
            return
        passed_over = self.passed_over.get(record.partition, {})
        shard = self.shards.setdefault(record.partition, Shard(passed_over=passed_over))
        kind = record.kind
        image = proven_image(shard, kind, record.value, record.offset)
        if image is not None:
            self._attested[record.partition] = image
        try:
            event = shard.apply(kind, record.value, record.offset)
        except (BrokenLog, KeyError, TypeError, ValueError) as error:
            self._broken_partitions.add(record.partition)
            self.broken = self.broken or f"account.events[{record.partition}]: {error}"
            return
        if isinstance(event, OpenedEvent):
            self._opened(shard, event)
        elif isinstance(event, OrderEvent):
            orders = self.orders.setdefault(record.partition, OrderIndex())
            orders.add(event.agent, record.timestamp_ms, record.offset)
            if event.is_fill and event.used:
                self._filled(shard, event, event.used.event_time)
            if event.risk is not None or event.order_type != "market":
                self._count(record, event.agent)
        elif isinstance(event, TrippedEvent):
            self._count(record, event.agent)

    def _count(self, record: Record, agent: str) -> None:
        """Add an event to the counts of limits and exits."""
        report = RiskReport()
        report.take(record.message_or_none())
        if report.days:
            self.risk.setdefault(agent, RiskCounts()).add(report.of_agent(agent))
        for found in report.exits.values():
            own = self.exits.setdefault(agent, ExitCounts())
            own.armed += found.armed
            own.fired += found.fired
            own.cancelled += found.cancelled

    def _opened(self, shard: Shard, event: OpenedEvent) -> None:
        agent = event.agent
        at = unix_ms(event.at)
        self.curves[agent] = EquityCurve(shard.accounts[agent].opening, at)
        if wallets := shard.wallets.get(agent):
            curves = {unit: EquityCurve(one.opening, at) for unit, one in sorted(wallets.items())}
            self.wallet_curves[agent] = curves

    def _filled(self, shard: Shard, event: OrderEvent, priced_at: str) -> None:
        agent, product_id = event.agent, event.product_id
        account, curve = shard.accounts[agent], self.curves[agent]
        if event.currency:
            account = shard.wallets[agent][event.currency]
            curve = self.wallet_curves[agent][event.currency]
        position = account.positions.get(product_id)
        curve.add(
            CurveFill(
                snapshot_id=(event.cause and shard.checked_at[0]) or event.snapshot_id,
                priced_ms=unix_ms(priced_at),
                product_id=product_id,
                quantity=position.quantity if position else 0,
                cost=position.cost if position else 0,
                cash=account.cash + account.scraped,
            )
        )

    def orders_of(self, agent: str) -> AgentOrders:
        """An agent's limit orders and exits: open ones, and the newest closed ones."""
        found = (s.standing[agent] for s in self.shards.values() if agent in s.standing)
        return next(found, AgentOrders())

    def risk_states(self, agent: str) -> dict[str, RiskState]:
        """Currency ("" for the main account) -> limits of an agent's account."""
        own = agent + " "
        return {
            name.removeprefix(agent).strip(): state
            for shard in self.shards.values()
            for name, state in shard.risk.items()
            if name == agent or name.startswith(own)
        }

    @property
    def by_agent(self) -> dict[str, Account]:
        """Agent -> account, over all shards."""
        return {name: account for s in self.shards.values() for name, account in s.accounts.items()}

    def wallets(self, agent: str) -> dict[str, Account]:
        """Further currency -> the agent's account in it, in the order of names."""
        found = (s.wallets[agent] for s in self.shards.values() if agent in s.wallets)
        return dict(sorted(next(found, {}).items()))

    @property
    def further_currencies(self) -> frozenset[str]:
        """Currencies of all wallets."""
        owned = (one for shard in self.shards.values() for one in shard.wallets.values())
        return frozenset(currency for one in owned for currency in one)

    def values(self, agent: str, snapshots: Snapshots) -> list[Value]:
        """An agent's equity at each kept snapshot; with wallets its wealth index."""
        curve, further = self.curves[agent], self.wallet_curves.get(agent)
        if not further:
            return curve.values(snapshots)
        main = next(s.accounts[agent] for s in self.shards.values() if agent in s.accounts)
        wallets = self.wallets(agent)
        openings = [main.opening, *(one.opening for one in wallets.values())]
        return index_values([curve, *(further[unit] for unit in wallets)], openings, snapshots)

    def max_drawdown(self, agent: str, snapshots: Snapshots) -> tuple[int, int] | None:
        """An agent's largest loss from a high at the kept snapshots, and that high.

        It is computed again after a snapshot or a fill only: frames are more frequent.
        """
        curves = self.curves[agent], *self.wallet_curves.get(agent, {}).values()
        seen = (snapshots.added, *(one.added for one in curves))
        if agent not in self._drawdowns or self._drawdowns[agent][0] != seen:
            self._drawdowns[agent] = seen, max_drawdown(self.values(agent, snapshots))
        return self._drawdowns[agent][1]

    def digest(self) -> str:
        """Hash of the accounts of all agents."""
        return digest_of(self.shards.values())

    def newest_orders(
        self, limit: int, leave_out: Callable[[str], bool] = lambda agent: False
    ) -> list[Event]:
        """The newest fills and rejections of all shards, newest first.

        Other steps of limit orders and exits are in `orders_of`.

        Args:
            limit: Most orders.
            leave_out: True for an agent whose orders are left out.
        """
        newest: list[tuple[datetime, int, int, Event]] = []
        for partition, shard in self.shards.items():
            decided = (
                event
                for event in reversed(shard.recent)
                if event["outcome"] in SHOWN and not leave_out(event["agent"])
            )
            for event in islice(decided, limit):
                at = datetime.fromisoformat(event["at"])
                newest.append((at, event["seq"], partition, event))
        newest.sort(key=lambda row: row[:3], reverse=True)
        return [event for *_, event in newest[:limit]]

    def orders_available(self, leave_out: Callable[[str], bool] = lambda agent: False) -> int:
        """Number of decided orders that `newest_orders` can return.

        Args:
            leave_out: True for an agent whose orders are left out.
        """
        shards = self.shards.values()
        if not any(leave_out(agent) for shard in shards for agent in shard.accounts):
            return sum(len(shard.recent) for shard in shards)
        return sum(not leave_out(event["agent"]) for shard in shards for event in shard.recent)


def unix_ms(text: str) -> int:
    """The Unix milliseconds of an ISO 8601 time."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)
