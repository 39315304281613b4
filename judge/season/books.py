"""Every decided order, folded from `account.events` by `arena.accounts`. Pure."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from arena.account_state import Account, accounts_digest
from arena.accounts import Shard
from arena.bus.base import Record
from arena.checkpoint import attested_image
from arena.errors import BrokenLog, Malformed
from arena.messages import AccountOpened, Epoch, Message, OrderDecided
from arena.money import price_or_none, round_to_units, to_price_units, to_units
from arena.passed_over import PassedOver
from judge.season.model import Fill, Rejection
from judge.season.plans import Plan, note_plan
from judge.season.rows import Rows
from judge.season.rules_used import RulesUsed, note_used, rules_used

UNPLACED = -1
"""Index of an order whose snapshot was not read yet."""
_NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(slots=True)
class Order:
    """A decided order and the snapshot it answers."""

    snapshot_id: str
    event: Fill | Rejection


@dataclass(slots=True)
class Books:
    """The fold of all shards, and what it was made of.

    Attributes:
        shards: By partition.
        opened: Agent -> starting cash in units of 10^-8.
        orders: Agent -> its orders in the order of the log.
        broken: Partition -> what is wrong with its log; it is folded no further.
        passed_over: Records of the log that an operator named (`arena.passed_over`).
        attested: Partition -> the newest shard, packed, whose digest is in the log; new since it
            was taken.
        stated: Partition -> the rules that its newest epoch states. rules: Partition -> the
            different rules that its orders were decided by, oldest first.
        plans: Partition -> the plans that its epochs stated, oldest first.
    """

    shards: dict[int, Shard] = field(default_factory=dict)
    opened: dict[str, int] = field(default_factory=dict)
    orders: dict[str, Rows[Order]] = field(default_factory=dict)
    broken: dict[int, str] = field(default_factory=dict)
    passed_over: PassedOver = field(default_factory=dict)
    attested: dict[int, bytes] = field(default_factory=dict)
    stated: dict[int, RulesUsed] = field(default_factory=dict)
    rules: dict[int, list[RulesUsed]] = field(default_factory=dict)
    plans: dict[int, list[Plan]] = field(default_factory=dict)

    def take_attested(self) -> dict[int, bytes]:
        """The packed shards whose digests came since the last time."""
        taken, self.attested = self.attested, {}
        return taken

    def pass_over(self, named: PassedOver) -> None:
        """Pass over the records that an operator named."""
        self.passed_over = named
        for partition, shard in self.shards.items():
            shard.passed_over = named.get(partition, {})

    def apply(self, record: Record) -> None:
        """Fold one record; one that cannot stand in a sound log ends its partition."""
        if record.partition in self.broken:
            return
        passed_over = self.passed_over.get(record.partition, {})
        shard = self.shards.setdefault(record.partition, Shard(passed_over=passed_over))
        kind = record.kind
        try:
            if record.offset in passed_over:
                shard.apply(kind, record.value, record.offset)
                return
            image = attested_image(shard, kind, record.value, record.offset)
            if image is not None:
                self.attested[record.partition] = image
            message, error = _read(record)
            before = _cost(shard, message)
            if shard.apply(kind, record.value, record.offset) is None:
                return  # The fold ignores it, whether or not it is a message.
            if error is not None:
                raise error
            self._take(shard, message, before)
            self._note_rules(record.partition, message)
        except (BrokenLog, Malformed, KeyError, TypeError, ValueError) as error:
            self.broken[record.partition] = (
                f"account.events[{record.partition}]@{record.offset}: {error}"
            )

    def _take(self, shard: Shard, message: object, cost_before: int) -> None:
        if isinstance(message, AccountOpened):
            self.opened[message.agent] = shard.accounts[message.agent].opening
            self.orders.setdefault(message.agent, Rows())
        elif isinstance(message, OrderDecided):
            filled = message.outcome == "filled"
            change = _cost(shard, message) - cost_before
            event = _fill(message, change) if filled else _rejection(message)
            self.orders.setdefault(message.agent, Rows()).append(Order(message.snapshot_id, event))

    def _note_rules(self, partition: int, message: object) -> None:
        if isinstance(message, Epoch):
            self.stated.pop(partition, None)
            if message.rules is not None:
                self.stated[partition] = rules_used(message.rules)
                note_plan(self.plans.setdefault(partition, []), message.rules)
        elif partition in self.stated and isinstance(message, OrderDecided):
            known = self.rules.setdefault(partition, [])
            note_used(known, self.stated[partition], message.snapshot_id)

    @property
    def accounts(self) -> dict[str, Account]:
        """All accounts by agent."""
        return {name: a for shard in self.shards.values() for name, a in shard.accounts.items()}

    def digest(self) -> str:
        """Hash of what every agent owns and did."""
        return accounts_digest(self.accounts)


def _read(record: Record) -> tuple[Message | None, Malformed | None]:
    """The message in a record, or why there is none."""
    try:
        return record.message(), None
    except Malformed as error:
        return None, error


def _cost(shard: Shard, message: object) -> int:
    """What the agent's position in the product of an order has cost, in units of 10^-8."""
    if not isinstance(message, OrderDecided) or message.agent not in shard.accounts:
        return 0
    position = shard.accounts[message.agent].positions.get(message.product_id)
    return position.cost if position else 0


def _fill(event: OrderDecided, cost_change: int) -> Fill:
    if event.action is None or event.used is None or event.quantity is None or event.price is None:
        raise ValueError(f"the filled order {event.order_id} has no price, quantity or side")
    quantity, notional = to_units(event.quantity), _units(event.notional)
    fee, sign = _units(event.fee), 1 if event.action == "buy" else -1
    return Fill(
        index=UNPLACED,
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
    )


def _rejection(event: OrderDecided) -> Rejection:
    if event.reason is None:
        raise ValueError(f"the rejected order {event.order_id} has no reason")
    return Rejection(
        index=UNPLACED,
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
