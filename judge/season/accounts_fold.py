"""Accounts and decided orders, folded from `account.events` with `arena.accounts`. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from arena.accounts import CANCELLED, Shard
from arena.bus.base import Record
from arena.checkpoint import proven_image
from arena.errors import BrokenLog, Malformed
from arena.messages import AccountOpened, Epoch, Message, OrderDecided, RiskLimitsSet, RiskTripped
from arena.money import price_or_none, round_to_units, to_price_units, to_units
from arena.pass_overs import PassedOver
from arena.risk_report import ExitCounts, RiskCounts, RiskReport
from arena.shadow_agents import is_shadow
from arena.shards import digest_of
from judge.season.packed_rows import PackedRows
from judge.season.planned_length import PlannedLength, note_plan
from judge.season.rules_used import RulesUsed, note_used, rules_used
from judge.season.types import FilledOrder, PlacedOrder, RejectedOrder

FILLED = ("filled", "part_filled")
UNINDEXED = -1
"""Index of an order or turn whose snapshot was not read yet."""
_NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(slots=True)
class IndexedOrder:
    """A decided order and the snapshot it answers.

    A fill that no call asked for answers none: it belongs to the last snapshot before it.
    """

    snapshot_id: str
    event: FilledOrder | RejectedOrder | PlacedOrder

    @property
    def is_asked(self) -> bool:
        """True if a call of the agent decided it."""
        return not (isinstance(self.event, FilledOrder) and self.event.cause)

    def is_later(self, *, whole: bool) -> bool:
        """True if a season that ends with its snapshot ends before it: not all judges know it yet.

        Args:
            whole: True if the season is whole, and not a part that ends with a snapshot.
        """
        return not whole and not self.is_asked


@dataclass(slots=True)
class AccountsFold:
    """The fold of all shards, with the orders and rules that were read.

    Attributes:
        shards: Partition -> shard.
        opened: Agent -> starting cash in units of 10^-8.
        orders: Agent -> its orders in the order of the log.
        broken: Partition -> error in its log; the partition is not folded any further.
        passed_over: Records that an operator told readers to skip (`arena.pass_overs`).
        attested: Partition -> newest packed shard whose digest is in the log, since the last call
            of `take_attested`.
        stated: Partition -> rules of its newest epoch.
        rules: Partition -> the different rules that decided its orders, oldest first.
        plans: Partition -> plans that its epochs stated, oldest first.
        settled: Product -> currency of the wallet that its orders are settled in; products of main
            accounts are absent.
        risk: Agent -> what limits did to its orders; agents without limits are absent.
        exits: Agent -> its exits; agents without any are absent.
        on_taken: Called with each message that the fold counted; None for nothing.
    """

    shards: dict[int, Shard] = field(default_factory=dict)
    opened: dict[str, int] = field(default_factory=dict)
    orders: dict[str, PackedRows[IndexedOrder]] = field(default_factory=dict)
    broken: dict[int, str] = field(default_factory=dict)
    passed_over: PassedOver = field(default_factory=dict)
    attested: dict[int, bytes] = field(default_factory=dict)
    stated: dict[int, RulesUsed] = field(default_factory=dict)
    rules: dict[int, list[RulesUsed]] = field(default_factory=dict)
    plans: dict[int, list[PlannedLength]] = field(default_factory=dict)
    settled: dict[str, str] = field(default_factory=dict)
    risk: dict[str, RiskCounts] = field(default_factory=dict)
    exits: dict[str, ExitCounts] = field(default_factory=dict)
    on_taken: Callable[[object], None] | None = None

    def wallets(self, agent: str) -> dict[str, int]:
        """Return currency -> cash that the agent's wallets were opened with, in 10^-8 units."""
        for shard in self.shards.values():
            if (owned := shard.wallets.get(agent)) is not None:
                return {currency: wallet.opening for currency, wallet in sorted(owned.items())}
        return {}

    def risk_of(self, agents: Iterable[str]) -> tuple[RiskCounts, ...]:
        """Return what limits did to the orders of some agents."""
        return tuple(self.risk.get(agent) or RiskCounts() for agent in agents)

    def exits_of(self, agents: Iterable[str]) -> tuple[ExitCounts, ...]:
        """Return the counts of exits of some agents."""
        return tuple(self.exits.get(agent) or ExitCounts() for agent in agents)

    def take_attested(self) -> dict[int, bytes]:
        """Return the packed shards whose digests arrived since the last call."""
        taken, self.attested = self.attested, {}
        return taken

    def pass_over(self, named: PassedOver) -> None:
        """Skip the records that an operator named."""
        self.passed_over = named
        for partition, shard in self.shards.items():
            shard.passed_over = named.get(partition, {})

    def apply(self, record: Record) -> None:
        """Fold one record; an invalid one ends the fold of its partition."""
        if record.partition in self.broken:
            return
        passed_over = self.passed_over.get(record.partition, {})
        shard = self.shards.setdefault(record.partition, Shard(passed_over=passed_over))
        kind = record.kind
        try:
            if record.offset in passed_over:
                shard.apply(kind, record.value, record.offset)
                return
            image = proven_image(shard, kind, record.value, record.offset)
            if image is not None:
                self.attested[record.partition] = image
            message, error = _read(record)
            before = _cost(shard, message)
            if shard.apply(kind, record.value, record.offset) is None:
                return  # Ignored by the fold, whether or not it is a message.
            if error is not None:
                raise error
            self._take(shard, message, before)
            self._note_rules(record.partition, message)
        except (BrokenLog, Malformed, KeyError, TypeError, ValueError) as error:
            self.broken[record.partition] = (
                f"account.events[{record.partition}]@{record.offset}: {error}"
            )

    def _take(self, shard: Shard, message: object, cost_before: int) -> None:
        if self.on_taken is not None:
            self.on_taken(message)
        if isinstance(message, AccountOpened):
            self.opened[message.agent] = shard.accounts[message.agent].opening
            self.orders.setdefault(message.agent, PackedRows())
        elif isinstance(message, OrderDecided):
            self._order(shard, message, cost_before)
            if message.risk is not None or message.order_type != "market":
                self._count(message)
        elif isinstance(message, RiskLimitsSet | RiskTripped):
            self._count(message)

    def _order(self, shard: Shard, message: OrderDecided, cost_before: int) -> None:
        own = self.orders.setdefault(message.agent, PackedRows())
        if message.outcome in FILLED:
            change = _cost(shard, message) - cost_before
            if message.currency:
                self.settled[message.product_id] = message.currency
            snapshot_id = message.snapshot_id
            if message.cause:
                # The executor checks the tickers between two snapshots after it noted the first.
                snapshot_id = shard.checked_at[0] or snapshot_id
            own.append(IndexedOrder(snapshot_id, _fill(message, change)))
        elif message.outcome == "rejected":
            own.append(IndexedOrder(message.snapshot_id, _rejection(message)))
        elif call_id := _call_of(message):
            placed = PlacedOrder(UNINDEXED, message.seq, call_id, message.turn_id, _NEVER)
            own.append(IndexedOrder(message.snapshot_id, placed))

    def _count(self, message: OrderDecided | RiskLimitsSet | RiskTripped) -> None:
        """Add to the counts of limits and exits."""
        report, agent = RiskReport(), message.agent
        report.take(message)
        if report.days or report.settings:
            self.risk.setdefault(agent, RiskCounts()).add(report.of_agent(agent))
        for name, found in report.exits.items():
            own = self.exits.setdefault(name, ExitCounts())
            own.armed += found.armed
            own.fired += found.fired
            own.cancelled += found.cancelled

    def _note_rules(self, partition: int, message: object) -> None:
        if isinstance(message, Epoch):
            self.stated.pop(partition, None)
            if message.rules is not None:
                self.stated[partition] = rules_used(message.rules)
                note_plan(self.plans.setdefault(partition, []), message.rules)
        elif partition in self.stated and isinstance(message, OrderDecided):
            if is_shadow(message.agent):
                return
            known = self.rules.setdefault(partition, [])
            note_used(known, self.stated[partition], message.snapshot_id)

    def digest(self) -> str:
        """Return the hash of the accounts of all agents."""
        return digest_of(self.shards.values())


def _read(record: Record) -> tuple[Message | None, Malformed | None]:
    """Return the message in a record, or the error if it is unreadable."""
    try:
        return record.message(), None
    except Malformed as error:
        return None, error


def _cost(shard: Shard, message: object) -> int:
    """Return the cost of the agent's position in an order's product, in units of 10^-8."""
    if not isinstance(message, OrderDecided):
        return 0
    account = shard.accounts.get(message.agent)
    if message.currency:
        account = shard.wallets.get(message.agent, {}).get(message.currency)
    position = account.positions.get(message.product_id) if account else None
    return position.cost if position else 0


def _fill(event: OrderDecided, cost_change: int) -> FilledOrder:
    if event.action is None or event.used is None or event.quantity is None or event.price is None:
        raise ValueError(f"the filled order {event.order_id} has no price, quantity or side")
    quantity, notional = to_units(event.quantity), _units(event.notional)
    fee, sign = _units(event.fee), 1 if event.action == "buy" else -1
    return FilledOrder(
        index=UNINDEXED,
        seq=event.seq,
        order_id=event.order_id,
        turn_id=event.turn_id,
        as_of=_NEVER,
        product_id=event.product_id,
        side=event.action,
        quantity=quantity,
        price=to_price_units(event.price),
        seen_bid=price_or_none(event.seen.bid) if event.seen else None,
        seen_ask=price_or_none(event.seen.ask) if event.seen else None,
        bid=to_price_units(event.used.bid),
        ask=to_price_units(event.used.ask),
        priced_ms=int(event.used.event_time.timestamp() * 1000),
        notional=notional,
        fee=fee,
        slippage=_units(event.slippage),
        latency_cost=_units(event.latency_cost),
        realised=None if event.realised is None else to_units(event.realised),
        cash_change=-sign * notional - fee,
        quantity_change=sign * quantity,
        cost_change=cost_change,
        order_type=event.order_type,
        cause=event.cause,
    )


def _call_of(event: OrderDecided) -> str:
    """Return the id of the call that a step without a fill decides; "" for other steps."""
    if event.cause == CANCELLED:
        return event.by_call
    return "" if event.step or event.cause else event.order_id


def _rejection(event: OrderDecided) -> RejectedOrder:
    if event.reason is None:
        raise ValueError(f"the rejected order {event.order_id} has no reason")
    return RejectedOrder(
        index=UNINDEXED,
        seq=event.seq,
        order_id=event.order_id,
        turn_id=event.turn_id,
        as_of=_NEVER,
        product_id=event.product_id,
        side=event.action,
        quantity=None if event.quantity is None else round_to_units(event.quantity),
        reason=event.reason,
        detail=event.detail,
    )


def _units(amount: Decimal | None) -> int:
    return 0 if amount is None else to_units(amount)
