"""Events of `account.events` as rows of the books. Pure.

Whether an event counts is asked of the one fold (`arena.accounts.Shard`): what it ignores, the
records of a zombie or the epoch that came second, is in no row here either.
"""

from decimal import Decimal

from arena import topics
from arena.account_state import Position
from arena.accounts import Shard
from arena.bus.base import Record
from arena.checkpoint import attested_image
from arena.errors import BrokenLog
from arena.money import PRICE_DIGITS, SCALE_DIGITS, price_text, to_price_units
from arena.passed_over import PassedOver
from ledger import schema
from ledger.batch import BookedOffset, RowBatch
from ledger.records import BookedRead, checked_columns, micros_of, read_booked, without_nul

EVENTS = topics.EVENTS.name
ENTRY_KINDS = {"Epoch": "epoch", "StateDigest": "digest", "AccountOpened": "opened"}
NO_POSITION = Position()


class Poster:
    """The shards as far as they were read, and the accounts that have a number.

    Attributes:
        shards: By partition.
        accounts: (name, unit) -> number.
        kept: Partition -> offset before which its fold was kept last.
        events_per_fold: So many records come between two folds that are kept; 0 keeps none.
        events: Events that counted. postings: their entries. ignored: records without effect.
    """

    def __init__(
        self,
        shards: dict[int, Shard] | None = None,
        accounts: dict[tuple[str, str], int] | None = None,
        passed_over: PassedOver | None = None,
    ) -> None:
        """Go on from what the books hold; records that an operator named are passed over."""
        self.passed_over = passed_over or {}
        self.shards = shards or {}
        self.accounts = accounts or {}
        self.kept: dict[int, int] = {}
        self.events_per_fold = 0
        self.events = self.postings = self.ignored = 0

    def post(self, record: Record, batch: RowBatch) -> None:
        """Fold one record, and add what it comes to.

        Raises:
            BrokenLog: It cannot stand in a sound log at this place.
        """
        number, offset = record.partition, record.offset
        shard = self.shards.get(number)
        if (EVENTS, number) not in batch.before:
            batch.before[EVENTS, number] = None if shard is None else booked_offset_of(shard)
        if shard is None:
            shard = self.shards[number] = Shard(passed_over=self.passed_over.get(number, {}))
        name = record.kind
        packed = self._attested(shard, name, record) if name == "StateDigest" else None
        before = shard.next_offset
        counted = shard.apply(name, record.value, offset)
        if counted is None or record.value is None:
            self.ignored += 1
        else:
            if packed is not None:
                batch.folds[number] = before, packed
                self.kept[number] = before
            self._book(name, read_booked(record.value, offset), shard, record, batch)

    def _attested(self, shard: Shard, name: str, record: Record) -> bytes | None:
        """The state before a record, if the record proves it and a fold is due."""
        since = shard.next_offset - self.kept.get(record.partition, 0)
        if not self.events_per_fold or since < self.events_per_fold:
            return None
        return attested_image(shard, name, record.value, record.offset)

    def finish(self, batch: RowBatch) -> None:
        """Note how far the shards of a batch were read."""
        for topic, number in batch.before:
            if topic == EVENTS:
                batch.after[topic, number] = booked_offset_of(self.shards[number])

    def _book(
        self, name: str, event: BookedRead, shard: Shard, record: Record, batch: RowBatch
    ) -> None:
        number, offset = record.partition, record.offset
        legs = len(event.postings)
        rows = batch.rows
        for leg, posting in enumerate(event.postings):
            account = self._account(posting.account, posting.unit, batch)
            amount = checked_columns(int(posting.amount), offset)
            rows[schema.entries].append((number, offset, leg, legs, account, *amount))
        rows[schema.journal].append(
            (
                number,
                offset,
                ENTRY_KINDS.get(name) or event.outcome,
                event.epoch,
                event.seq,
                event.order_id and without_nul(event.order_id),
                event.agent and without_nul(event.agent),
                event.reason,
                event.source.offset if event.source else None,
                legs,
                micros_of(event.at),
                bytes.fromhex(shard.head),
            )
        )
        if event.outcome == "filled":
            self._fill(event, shard, record, batch)
        self.events += 1
        self.postings += legs

    def _fill(self, event: BookedRead, shard: Shard, record: Record, batch: RowBatch) -> None:
        number, offset = record.partition, record.offset
        used, agent = event.used, event.agent
        assert used is not None, "the fold takes no fill without its ticker"
        assert agent is not None, "the fold takes no fill without its agent"
        batch.rows[schema.fills].append(
            (
                number,
                offset,
                without_nul(event.order_id or ""),
                without_nul(agent),
                without_nul(event.turn_id),
                without_nul(event.snapshot_id),
                without_nul(event.product_id),
                without_nul(event.action or ""),
                *units(event.quantity, offset),
                price(event.price, offset),
                *units(event.notional, offset),
                *units(event.fee, offset),
                *units(event.slippage, offset),
                *units(event.latency_cost, offset),
                *((None, None) if event.realised is None else units(event.realised, offset)),
                *units(event.scraped or "0", offset),
                *units(event.cash_after, offset),
                *units(event.position_after, offset),
                used.partition,
                used.offset,
                micros_of(used.event_time),
                micros_of(event.at),
            )
        )
        held = shard.accounts[agent].positions.get(event.product_id, NO_POSITION)
        position = (
            *checked_columns(held.quantity, offset),
            *checked_columns(held.cost, offset),
            held.entry_ms,
        )
        batch.rows[schema.positions].append(
            (number, offset, without_nul(agent), without_nul(event.product_id), *position)
        )

    def _account(self, name: str, unit: str, batch: RowBatch) -> int:
        key = name, unit
        number = self.accounts.get(key)
        if number is None:
            number = self.accounts[key] = len(self.accounts) + 1
            batch.rows[schema.accounts].append(
                (number, without_nul(name), without_nul(unit), *kind_and_agent(name))
            )
        return number


def booked_offset_of(shard: Shard) -> BookedOffset:
    """How far a shard was folded, as the books note it."""
    return BookedOffset(shard.next_offset, shard.head_offset, shard.head)


def kind_and_agent(account: str) -> tuple[str, str | None]:
    """The kind of an account, and the agent it belongs to.

    "agent/momentum/cash" is cash of momentum, "house/fees" is fees of the house; a name of any
    other shape is a kind of its own.
    """
    owner, _, rest = account.partition("/")
    if owner == "agent" and "/" in rest:
        agent, _, kind = rest.rpartition("/")
        return without_nul(kind), without_nul(agent)
    return without_nul(rest or account), None


def units(text: str | None, offset: int) -> tuple[int, int]:
    """The two columns of the amount that a decimal text says.

    Raises:
        BrokenLog: The text is missing or not such a decimal, or the columns do not hold it.
    """
    whole, _, decimals = (text or "").partition(".")
    try:
        if not whole or len(decimals) > SCALE_DIGITS:
            raise ValueError
        amount = int(whole + decimals.ljust(SCALE_DIGITS, "0"))
    except ValueError:
        raise BrokenLog(
            f"{EVENTS}@{offset}: {text!r} is no amount of {SCALE_DIGITS} decimals"
        ) from None
    return checked_columns(amount, offset)


def price(text: str | None, offset: int) -> str:
    """A price as the books keep it: plain digits without zeros at the end.

    Raises:
        BrokenLog: The text is missing or not a price.
    """
    try:
        return price_text(to_price_units(Decimal(text or "")))
    except (ArithmeticError, ValueError):
        raise BrokenLog(
            f"{EVENTS}@{offset}: {text!r} is not a price of {PRICE_DIGITS} decimals"
        ) from None
