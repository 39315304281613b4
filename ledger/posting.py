"""Converts events of `account.events` into rows of the books. Pure.

The fold (`arena.accounts.Shard`) decides whether an event counts. A record that it ignores, such as
one of a zombie or a losing epoch, has no row.
"""

from decimal import Decimal

from arena import topics
from arena.account_state import Position
from arena.accounts import Shard
from arena.bus.base import Record
from arena.checkpoint import proven_image
from arena.errors import BrokenLog
from arena.money import PRICE_DIGITS, SCALE_DIGITS, price_text, to_price_units
from arena.pass_overs import PassedOver
from arena.shards import main_currency
from ledger import schema
from ledger.batch import BookedOffset, RowBatch
from ledger.records import (
    FILLED,
    MARKET,
    BookedRead,
    checked_columns,
    micros_of,
    read_booked,
    without_nul,
)

EVENTS = topics.EVENTS.name
ENTRY_KINDS = {
    "Epoch": "epoch",
    "StateDigest": "digest",
    "MarketChecked": "checked",
    "AccountOpened": "opened",
    "RiskLimitsSet": "limits_set",
    "RiskTripped": "tripped",
}
NO_POSITION = Position()


class Poster:
    """Folds the log and makes the rows of its events.

    Attributes:
        shards: The folded shards by partition.
        accounts: (name, unit) -> the number of the account.
        last_fold_at: Partition -> the offset of the last stored fold.
        events_per_fold: Records between two stored folds; 0 stores none.
        events: Events that counted. postings: their entries. ignored: records without effect.
    """

    def __init__(
        self,
        shards: dict[int, Shard] | None = None,
        accounts: dict[tuple[str, str], int] | None = None,
        passed_over: PassedOver | None = None,
    ) -> None:
        """Continue from the state of the books.

        Args:
            shards: The shards folded so far, by partition.
            accounts: The numbers of the accounts in the books.
            passed_over: Records of the log that an operator told every reader to skip.
        """
        self.passed_over = passed_over or {}
        self.shards = shards or {}
        self.accounts = accounts or {}
        self.last_fold_at: dict[int, int] = {}
        self.events_per_fold = 0
        self.events = self.postings = self.ignored = 0
        self._main_currencies: dict[int, str] = {}

    def post(self, record: Record, batch: RowBatch) -> None:
        """Fold one record, and add its rows.

        Raises:
            BrokenLog: It cannot be at this offset of a sound log.
        """
        number, offset = record.partition, record.offset
        shard = self.shards.get(number)
        if (EVENTS, number) not in batch.before:
            batch.before[EVENTS, number] = None if shard is None else booked_offset_of(shard)
        if shard is None:
            shard = self.shards[number] = Shard(passed_over=self.passed_over.get(number, {}))
        name = record.kind
        packed = self._attested_fold(shard, name, record) if name == "StateDigest" else None
        before = shard.next_offset
        counted = shard.apply(name, record.value, offset)
        if counted is None or record.value is None:
            self.ignored += 1
        else:
            if packed is not None:
                batch.folds[number] = before, packed
                self.last_fold_at[number] = before
            self._add_event(name, read_booked(record.value, offset), shard, record, batch)

    def _attested_fold(self, shard: Shard, name: str, record: Record) -> bytes | None:
        """Return the packed state before a record, if the record proves it and a fold is due."""
        since = shard.next_offset - self.last_fold_at.get(record.partition, 0)
        if not self.events_per_fold or since < self.events_per_fold:
            return None
        return proven_image(shard, name, record.value, record.offset)

    def finish(self, batch: RowBatch) -> None:
        """Set the offsets that the shards of a batch have reached."""
        for topic, number in batch.before:
            if topic == EVENTS:
                batch.after[topic, number] = booked_offset_of(self.shards[number])

    def _add_event(
        self, name: str, event: BookedRead, shard: Shard, record: Record, batch: RowBatch
    ) -> None:
        number, offset = record.partition, record.offset
        if number not in self._main_currencies or name == "AccountOpened":
            self._main_currencies[number] = main_currency(shard)
        legs = len(event.postings)
        rows = batch.rows
        for leg, posting in enumerate(event.postings):
            account = self._account_number(posting.account, posting.unit, batch)
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
                event.step,
                "" if event.order_type == MARKET else event.order_type,
                without_nul(event.cause),
            )
        )
        if event.outcome in FILLED:
            self._add_fill(event, shard, record, batch)
        self.events += 1
        self.postings += legs

    def _add_fill(self, event: BookedRead, shard: Shard, record: Record, batch: RowBatch) -> None:
        number, offset = record.partition, record.offset
        used, agent = event.used, event.agent
        assert used is not None, "the fold refuses a fill without its ticker"
        assert agent is not None, "the fold refuses a fill without its agent"
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
                without_nul(event.currency or self._main_currencies[number]),
            )
        )
        own = shard.accounts[agent]
        account = shard.wallets[agent][event.currency] if event.currency else own
        held = account.positions.get(event.product_id, NO_POSITION)
        position = (
            *checked_columns(held.quantity, offset),
            *checked_columns(held.cost, offset),
            held.entry_ms,
        )
        batch.rows[schema.positions].append(
            (number, offset, without_nul(agent), without_nul(event.product_id), *position)
        )

    def _account_number(self, name: str, unit: str, batch: RowBatch) -> int:
        key = name, unit
        number = self.accounts.get(key)
        if number is None:
            number = self.accounts[key] = len(self.accounts) + 1
            batch.rows[schema.accounts].append(
                (number, without_nul(name), without_nul(unit), *kind_and_agent(name))
            )
        return number


def booked_offset_of(shard: Shard) -> BookedOffset:
    """Return the booked offset of a folded shard."""
    return BookedOffset(shard.next_offset, shard.head_offset, shard.head)


def kind_and_agent(account: str) -> tuple[str, str | None]:
    """Return the kind of an account, and the agent it belongs to.

    "agent/momentum/cash" is the cash of momentum, "house/fees" the fees of the house; a name of any
    other shape is its own kind.
    """
    owner, _, rest = account.partition("/")
    if owner == "agent" and "/" in rest:
        agent, _, kind = rest.rpartition("/")
        return without_nul(kind), without_nul(agent)
    return without_nul(rest or account), None


def units(text: str | None, offset: int) -> tuple[int, int]:
    """Return the two columns of an amount, from its decimal text.

    Raises:
        BrokenLog: The text is missing or not a decimal, or the amount does not fit.
    """
    whole, _, decimals = (text or "").partition(".")
    try:
        if not whole or len(decimals) > SCALE_DIGITS:
            raise ValueError
        amount = int(whole + decimals.ljust(SCALE_DIGITS, "0"))
    except ValueError:
        raise BrokenLog(
            f"{EVENTS}@{offset}: {text!r} is not an amount of {SCALE_DIGITS} decimals"
        ) from None
    return checked_columns(amount, offset)


def price(text: str | None, offset: int) -> str:
    """Return a price as the books store it: plain digits without trailing zeros.

    Raises:
        BrokenLog: The text is missing or not a price.
    """
    try:
        return price_text(to_price_units(Decimal(text or "")))
    except (ArithmeticError, ValueError):
        raise BrokenLog(
            f"{EVENTS}@{offset}: {text!r} is not a price of {PRICE_DIGITS} decimals"
        ) from None
