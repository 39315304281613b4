"""The account fold: state is a pure function of `account.events`, the same in every process.

Reads the values of `account.events` records, in order. Writes nothing. Executor, dashboard,
ledger, judge and replay all fold with this module.

A record counts by these rules; every other record is ignored and has no effect:

* An `Epoch` counts if it is the current epoch + 1, its `seq` is the current one and its `prev` is
  the head. The first such record in the log wins; the loser reads on and tries the next epoch.
* Any other event counts if its epoch and owner are current, its `seq` is the last + 1, its `prev`
  is the head, and it is the next step of its order. A `StateDigest` and a `MarketChecked` carry the
  current `seq`.
* The head is a chain: sha256(head || value) over the values of all events that counted. After a
  changed byte, or in a log that lost its tail and grew again, the next event no longer matches.

A record that cannot be in a sound log stops the process with `BrokenLog`: postings that do not sum
to zero, a state that differs from the one in the event, an epoch from the future. An operator can
have such a record skipped (`arena repair`); the chain shows if it had counted.

The ids of the newest `ORDERS_REMEMBERED` orders are kept. For the forgotten orders, each account
keeps the newest issue time. So a command is either remembered, or issued later than every forgotten
order (never decided), or it may have been decided and must not be decided again.

An agent has one account per settlement currency: the first cash posting of its `AccountOpened` is
of its main account, further ones are of its wallets. An order that names a currency is settled in
that wallet, any other one in the main account. No amount is ever converted.

Amounts are whole units of 10^-8 (`arena.money`). Times are venue times, so the state and its digest
are the same in every process and at any time.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from operator import attrgetter
from sys import intern

import orjson

from arena import order_fold, risk_fold
from arena.account_fills import FEES, apply_fill, post
from arena.account_log import (
    SETTINGS,
    AccountLogEvent,
    EpochEvent,
    LimitsSetEvent,
    LogEvent,
    MarketCheckedEvent,
    OpenedEvent,
    OrderEvent,
    StateDigestEvent,
    TrippedEvent,
    decode_event,
    read_units,
)
from arena.account_state import GENESIS, Account, OrderOutcome, accounts_digest
from arena.errors import BrokenLog, CountedRecord
from arena.newest_events import NewestEvents
from arena.open_orders import AgentOrders
from arena.risk_state import RiskState
from arena.trade_history import TradeRow, note_trade

__all__ = ["FEES", "Shard", "chain", "unix_us"]
CAPITAL = "house/capital"
OPENED = "opened"
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REBUILD = "this state was not folded from this log; rebuild it from offset 0, or see `arena repair`"
REPAIR = "`arena repair` shows the record, and skips it if it never counted"
ORDERS_REMEMBERED = 65_536
"""Number of decided order ids that are kept per shard."""

CANCELLED = "cancelled"
"""The cause of a step by which an agent cancels an order."""
NO_COMMAND = -1
"""Source of an order that no command placed: an exit, or one that flattens an account."""
ORDERS_PER_LINK = 64
"""Orders of an agent that enter its chain with one hash: fewer hashes cost less."""

_order_record_of = attrgetter(
    "order_id", "outcome", "reason", "product_id", "action", "quantity", "price", "fee"
)


@dataclass(slots=True)
class Shard:
    """The fold of one partition of `account.events`.

    Attributes:
        epoch, owner: The current epoch, and the executor that may write in it.
        seq: Sequence number of the last event that counted.
        head: Digest of the chain.
        source_offset: Offset in `account.commands` of the last decided command; -1 if none.
        next_offset: Offset in `account.events` after the last folded record.
        head_offset: Offset of the last record that counted; -1 if none did.
        accounts: Main accounts by agent.
        wallets: Agent -> currency -> account in a further currency; agents without one are absent.
        house: (account, unit) -> balance of the counterparty accounts.
        orders: Decided orders by id, the newest `ORDERS_REMEMBERED`.
        recent: The newest order events, unchanged.
        counted, ignored: Number of records with an effect, and without.
        standing: Agent -> its limit orders and exits; agents that had none are absent.
        risk: Account name -> the state of its limits; accounts without limits are absent.
        history: Agent -> its newest fills, oldest first.
        checked: Partition of `market.tickers` -> offset before which every ticker was checked
            against the open orders; empty before the first check.
        checked_at: Id and venue time of the snapshot that ends there.
        passed_over: Offset -> SHA-256 of the value of a record that an operator named in
            `arena.control`; set by the caller, not part of the state.
    """

    epoch: int = 0
    owner: str = ""
    seq: int = 0
    head: str = GENESIS
    source_offset: int = -1
    next_offset: int = 0
    head_offset: int = -1
    accounts: dict[str, Account] = field(default_factory=dict)
    wallets: dict[str, dict[str, Account]] = field(default_factory=dict)
    house: dict[tuple[str, str], int] = field(default_factory=dict)
    orders: dict[str, OrderOutcome] = field(default_factory=dict)
    recent: NewestEvents = field(default_factory=NewestEvents)
    counted: int = 0
    ignored: int = 0
    standing: dict[str, AgentOrders] = field(default_factory=dict)
    risk: dict[str, RiskState] = field(default_factory=dict)
    history: dict[str, list[TradeRow]] = field(default_factory=dict)
    checked: dict[int, int] = field(default_factory=dict)
    checked_at: tuple[str, str] = ("", "")
    passed_over: Mapping[int, str] = field(default_factory=dict, compare=False)
    _passed_at: int | None = field(default=None, compare=False)
    _order_ids: deque[str] = field(default_factory=deque)

    def apply(self, kind: str, value: bytes | None, offset: int) -> AccountLogEvent | None:
        """Fold one record.

        An offset may be missing: the marker of a transaction takes one. The reader distinguishes
        that from a lost record, and the chain shows a lost event.

        Args:
            kind: The record's `type` header.
            value: The record's bytes, which enter the chain unchanged. None stops the fold.
            offset: The record's offset in its partition.

        Returns:
            The event if it counted, None if it was ignored.

        Raises:
            BrokenLog: A sound log cannot have this record here.
        """
        if offset < self.next_offset:
            raise BrokenLog(
                f"account.events: offset {offset} was folded already; the next one is "
                f"{self.next_offset}",
                remedy=REBUILD,
            )
        if offset in self.passed_over and self._is_passed_over(value, offset):
            self.next_offset = offset + 1
            self.ignored += 1
            self._passed_at = offset
            return None
        if value is None:
            raise BrokenLog(f"account.events@{offset} has no value", remedy=REPAIR)
        event = decode_event(kind, value, offset)
        is_epoch = type(event) is EpochEvent
        counts = self._claims(event) if is_epoch else self._follows(event, offset)
        self.next_offset = offset + 1
        if not counts:
            if self._passed_at is not None:
                self._check_passed_over(event, offset)
            self.ignored += 1
            return None
        self._passed_at = None
        try:
            self._carry_out(event, kind, value)
        except BrokenLog as error:
            error.remedy = error.remedy or REPAIR
            raise
        except (ArithmeticError, TypeError, ValueError) as error:
            raise BrokenLog(f"account.events@{offset}: {error}", remedy=REPAIR) from None
        self.head, self.head_offset = chain(self.head, value), offset
        self.counted += 1
        return event  # type: ignore[return-value]  # `_carry_out` refuses other kinds

    def _carry_out(self, event: LogEvent, kind: str, value: bytes) -> None:
        if type(event) is OrderEvent:
            self._decide(event, value)
        elif type(event) is OpenedEvent:
            self._open(event)
        elif type(event) is EpochEvent:
            self.epoch, self.owner = event.epoch, event.owner
        elif type(event) is MarketCheckedEvent:
            self._note_check(event)
        elif kind in SETTINGS:
            self._note_setting(event)
        elif type(event) is not StateDigestEvent:
            raise BrokenLog(f"account.events holds a {kind}")

    def _note_setting(self, event: LogEvent) -> None:
        if isinstance(event, LimitsSetEvent):
            self._require_account(event.order_id, event.agent)
            risk_fold.set_limits(event, self.risk, self.wallets.get(event.agent))
        elif isinstance(event, TrippedEvent):
            self._require_account(event.order_id, event.agent)
            risk_fold.trip(event, self.risk)
        self.seq = event.seq

    def _note_check(self, event: MarketCheckedEvent) -> None:
        self.checked, self.checked_at = dict(event.offsets), (event.snapshot_id, event.as_of)
        risk_fold.note_marks(event, self.risk)
        order_fold.note_check(event, self.standing.values())

    def _require_account(self, order_id: str, agent: str) -> None:
        if agent not in self.accounts:
            raise BrokenLog(f"order {order_id} of {agent}, which has no account")

    def _is_passed_over(self, value: bytes | None, offset: int) -> bool:
        return sha256(value or b"").hexdigest() == self.passed_over[offset]

    def _check_passed_over(self, event: LogEvent, offset: int) -> None:
        """Stop if a sequence number is missing: the record that was passed over had counted."""
        structural = isinstance(event, EpochEvent | StateDigestEvent | MarketCheckedEvent)
        before = event.seq if structural else event.seq - 1
        current = type(event) is EpochEvent or event.owner == self.owner
        if current and event.epoch >= self.epoch and before > self.seq:
            raise CountedRecord(
                f"account.events@{offset} follows seq {before}, the state is at {self.seq}: the "
                f"record at {self._passed_at} was passed over, but it had counted",
                remedy="restore the log from an export",
            )

    def _claims(self, event: LogEvent) -> bool:
        if event.epoch > self.epoch + 1:
            raise BrokenLog(
                f"account.events: epoch {event.epoch} follows epoch {self.epoch}",
                remedy=REBUILD,
            )
        return (event.epoch, event.seq, event.prev) == (self.epoch + 1, self.seq, self.head)

    def _follows(self, event: LogEvent, offset: int) -> bool:
        if event.epoch > self.epoch:
            raise BrokenLog(
                f"account.events@{offset} has epoch {event.epoch}, the state has {self.epoch}",
                remedy=REBUILD,
            )
        if event.epoch != self.epoch or event.owner != self.owner:
            return False
        kind = type(event)
        structural = kind is StateDigestEvent or kind is MarketCheckedEvent
        own_seq = self.seq if structural else self.seq + 1
        if event.seq != own_seq or self._was_decided(event):
            return False
        if event.prev != self.head:
            raise BrokenLog(
                f"account.events@{offset}: its digest of the earlier events does not match",
                remedy="an earlier event was changed; compare the log with an export",
            )
        return True

    def _was_decided(self, event: LogEvent) -> bool:
        """True if the step of an order, or the opening, is not the next one."""
        if type(event) is OrderEvent and event.step:
            return not order_fold.follows(event, self.standing.get(event.agent))
        return event.order_id in self.orders

    def _open(self, event: OpenedEvent) -> None:
        own_cash = f"agent/{event.agent}/cash"
        units = dict.fromkeys(p.unit for p in event.postings if p.account == own_cash)
        for place, unit in enumerate(units or ("",)):
            if place:
                account = self.wallets.setdefault(event.agent, {}).setdefault(unit, Account())
            else:
                account = self.accounts.setdefault(event.agent, Account())
            legs = [p for p in event.postings if p.unit == unit or len(units) <= 1]
            post(event, account, legs, self.house)
            account.opening = account.cash
            account.scrape = read_units(event.scrape or "0")
        if len(units) > 1 and any(p.unit not in units for p in event.postings):
            raise BrokenLog(f"{event.order_id} has a posting in a currency without cash")
        self._advance(event, OPENED, None)

    def _decide(self, event: OrderEvent, value: bytes) -> None:
        self._require_account(event.order_id, event.agent)
        account = self.accounts[event.agent]
        if event.issued_at:
            unix_us(datetime.fromisoformat(event.issued_at))  # `_forget` needs it much later.
        settled_in = self._settlement_account(event)
        realised = sold_cost = 0
        if event.is_fill:
            realised, sold_cost = apply_fill(event, settled_in, self.house)
            note_trade(self.history, event, settled_in, realised, sold_cost)
        elif event.outcome == "rejected":
            settled_in.rejections += 1
        if order_fold.changes_orders(event) or (event.agent in self.standing and event.is_fill):
            orders = self.standing.setdefault(event.agent, AgentOrders())
            order_fold.fold_step(event, orders, settled_in, realised, sold_cost)
        if self.risk:
            risk_fold.note_order(event, self.risk, realised)
        account.deeds.append(_order_record_of(event))
        if len(account.deeds) == ORDERS_PER_LINK:
            account.chain = chain(account.chain, orjson.dumps(account.deeds))
            account.deeds.clear()
        self.recent.append(value)
        self._advance(event, event.outcome, event.reason, event.issued_at)

    def _settlement_account(self, event: OrderEvent) -> Account:
        """The agent's account in which an order is settled."""
        currency, wallets = event.currency, self.wallets.get(event.agent, {})
        if currency and currency not in wallets:
            raise BrokenLog(f"{event.order_id} of {event.agent}, which has no {currency}")
        own_cash = f"agent/{event.agent}/cash"
        units = {p.unit for p in event.postings if p.account == own_cash} if wallets else set()
        if units - {currency} if currency else units & wallets.keys():
            raise BrokenLog(f"{event.order_id} moves cash that is not {currency or 'its own'}")
        return wallets[currency] if currency else self.accounts[event.agent]

    def _advance(
        self,
        event: OpenedEvent | OrderEvent,
        outcome: str,
        reason: str | None,
        issued_at: str = "",
    ) -> None:
        self.seq = event.seq
        source, order_id = event.source.offset, event.order_id
        if isinstance(event, OrderEvent) and (event.cause or event.step):
            source = self._source_of_step(event)
        else:
            self.source_offset = source
        decided = OrderOutcome(event.seq, outcome, reason, intern(event.agent), source, issued_at)
        if order_id in self.orders:
            first = self.orders[order_id].issued_at
            self.orders[order_id] = decided._replace(issued_at=first)
        elif not (isinstance(event, OrderEvent) and event.step):
            self._remember(order_id, decided)

    def _remember(self, order_id: str, decided: OrderOutcome) -> None:
        self.orders[order_id] = decided
        self._order_ids.append(order_id)
        if len(self._order_ids) > ORDERS_REMEMBERED:
            self._forget(self._order_ids.popleft())

    def _source_of_step(self, event: OrderEvent) -> int:
        """The offset of an order's own command for a step that no command asked for."""
        if event.cause == CANCELLED:
            self.source_offset = source = event.source.offset
            agent = intern(event.agent)
            if event.by_call:
                call = OrderOutcome(event.seq, CANCELLED, None, agent, source, event.issued_at)
                self._remember(event.by_call, call)
        known = self.orders.get(event.order_id)
        return NO_COMMAND if known is None else known.source

    def _forget(self, order_id: str) -> None:
        forgotten = self.orders.pop(order_id)
        if forgotten.issued_at:
            account = self.accounts[forgotten.agent]
            issued_us = unix_us(datetime.fromisoformat(forgotten.issued_at))
            account.forgotten_us = max(account.forgotten_us, issued_us)

    def may_be_forgotten(self, agent: str, issued_at: datetime) -> bool:
        """True if an order that is not in `orders` may still have been decided.

        Args:
            agent: The agent of the order.
            issued_at: The command's issue time, which a copy of the command shares.
        """
        account = self.accounts.get(agent)
        return account is not None and unix_us(issued_at) <= account.forgotten_us

    def currencies(self) -> set[str]:
        """Currencies that accounts were opened in: none before the first."""
        return {unit for name, unit in self.house if name == CAPITAL}

    def last_order(self) -> tuple[str, int] | None:
        """Id of the newest order and offset of its command; None if no order is known."""
        for order_id in reversed(self._order_ids):
            decided = self.orders[order_id]
            if decided.outcome != OPENED and decided.source != NO_COMMAND:
                return order_id, decided.source
        return None

    def digest(self) -> str:
        """Hash of all accounts and orders; without wall times, offsets, epochs and owners."""
        return accounts_digest(self.accounts, self.wallets, self.standing)


def chain(head: str, value: bytes) -> str:
    """Return the next head of a chain: sha256 over the head's text and the record's bytes."""
    digest = sha256(head.encode())
    digest.update(value)
    return digest.hexdigest()


def unix_us(moment: datetime) -> int:
    """Convert an aware time to Unix microseconds, exactly."""
    return (moment - UNIX_EPOCH) // timedelta(microseconds=1)
