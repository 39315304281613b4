"""Converts snapshots, turns and model calls into rows of the books. Pure."""

from collections.abc import Mapping

from arena.account_state import Account
from arena.accounts import Shard
from arena.bus.base import Record
from arena.messages import CandleWindow, LlmCall, MarketSnapshot, Message, Turn
from arena.money import PriceUnits, decimal_text, price_or_none, round_to_units
from arena.products import SEPARATOR, VENUES_SEPARATOR, split_key
from arena.shards import accounts_by_currency
from ledger import schema
from ledger.amounts import AMOUNT_MAX, INT64_MAX, split_amount, split_amount_or_null
from ledger.batch import Row, RowBatch
from ledger.records import micros, without_nul

US_PER_MS = 1_000
ID_CHARS_MAX = 500
"""An id is part of a key, and PostgreSQL bounds those at 2,704 bytes."""


class NonAccountRows:
    """Makes rows, and remembers the last candles, so that the same ones are not added every minute.

    Attributes:
        candles_seen: (venue, product, granularity in seconds) -> starts of the candles in its
            last window.
        equity_after_us: Venue -> time of its newest snapshot in the books, if the topic is read
            again: an older snapshot would be valued with the present accounts.
    """

    def __init__(self) -> None:
        """Start without candles."""
        self.candles_seen: dict[tuple[str, str, int], frozenset[int]] = {}
        self.equity_after_us: dict[str, int] = {}

    def add(
        self, record: Record, message: Message, shards: Mapping[int, Shard], batch: RowBatch
    ) -> None:
        """Add the rows of a message; other messages of the topics have no rows.

        Args:
            record: The record of the message.
            message: The decoded message.
            shards: The accounts at this time.
            batch: Receives the rows.
        """
        match message:
            case MarketSnapshot():
                self._snapshot(message, shards, batch)
            case LlmCall():
                batch.rows[schema.llm_usage].append(usage_row(record, message))
            case Turn():
                batch.rows[schema.agent_logs].append(turn_row(record, message))

    def _snapshot(
        self, snapshot: MarketSnapshot, shards: Mapping[int, Shard], batch: RowBatch
    ) -> None:
        for view in snapshot.products:
            for window in view.windows.values():
                venue = venue_in_books(view.product_id, snapshot)
                self._candles(venue, view.product_id, window, batch)
        if micros(snapshot.as_of) <= self.equity_after_us.get(
            without_nul(snapshot.venue), -INT64_MAX
        ):
            return
        bids = {
            view.product_id: bid
            for view in snapshot.products
            if view.ticker is not None
            if (bid := price_or_none(view.ticker.best_bid)) is not None
        }
        for shard in shards.values():
            for agent, currency, account in accounts_by_currency(shard):
                owner = agent, currency
                row = equity_row(snapshot, owner, account, bids, shard.next_offset)
                batch.rows[schema.equity_snapshots].append(row)

    def _candles(self, venue: str, product_id: str, window: CandleWindow, batch: RowBatch) -> None:
        key = (venue, product_id, window.granularity_s)
        candles_seen = self.candles_seen.get(key, frozenset())
        starts = [micros(candle.start) for candle in window.candles]
        for start_us, candle in zip(starts, window.candles, strict=True):
            if start_us in candles_seen:
                continue
            digits = (candle.open, candle.high, candle.low, candle.close, candle.volume)
            batch.rows[schema.candles].append(
                (
                    without_nul(venue),
                    without_nul(product_id),
                    window.granularity_s,
                    start_us,
                    *map(decimal_text, digits),
                )
            )
        self.candles_seen[key] = frozenset(starts)


def venue_in_books(product_id: str, snapshot: MarketSnapshot) -> str:
    """The venue of a product: that of its id if it names one or the snapshot has several.

    Otherwise it is that of the snapshot, which may be simulated.

    Args:
        product_id: Such as "BTC-USD" or "binance:BTCUSDT".
        snapshot: The snapshot that shows the product.
    """
    several = SEPARATOR in product_id or VENUES_SEPARATOR in snapshot.venue
    return split_key(product_id).venue if several else snapshot.venue


def check_integers_fit(batch: RowBatch) -> None:
    """Check that every integer of the rows fits its column.

    Raises:
        OverflowError: An integer needs more than 64 bits.
    """
    for table, rows in batch.rows.items():
        for row in rows:
            for value in row:
                if isinstance(value, int) and not -INT64_MAX <= value <= INT64_MAX:
                    raise OverflowError(
                        f"{table.name} has a number of {value:.3e}, more than 64 bits"
                    )


def why_not_booked(message: Message) -> str:
    """Return why a message cannot be a row, or ""; its ids are keys and have a length limit."""
    ids: dict[str, str] = {}
    match message:
        case MarketSnapshot():
            ids = {"snapshot_id": message.snapshot_id}
        case LlmCall():
            ids = {"call_id": message.call_id}
        case Turn():
            ids = {"turn_id": message.turn_id}
    for name, found in ids.items():
        if len(found) > ID_CHARS_MAX:
            return f"{name} has {len(found):,} characters, the books hold {ID_CHARS_MAX}"
    return ""


def equity_row(
    snapshot: MarketSnapshot,
    owner: tuple[str, str],
    account: Account,
    bids: dict[str, PriceUnits],
    offset: int,
) -> Row:
    """Return the row of an account valued at the bids of a snapshot.

    Args:
        snapshot: The snapshot.
        owner: The agent, and the currency of the account.
        account: The account.
        bids: Product -> its best bid.
        offset: The offset up to which the account log was folded.
    """
    agent, currency = owner
    return (
        without_nul(snapshot.snapshot_id),
        without_nul(agent),
        without_nul(snapshot.venue),
        micros(snapshot.as_of),
        offset,
        *split_amount(account.cash),
        *split_amount(account.scraped),
        *split_amount(max(-AMOUNT_MAX, min(AMOUNT_MAX, account.equity(bids)))),
        without_nul(currency),
    )


def usage_row(record: Record, call: LlmCall) -> Row:
    """Return the row of a model call."""
    usage = call.usage
    texts = (call.call_id, call.agent, call.turn_id, call.node, call.model, call.outcome)
    return (
        record.partition,
        record.offset,
        *map(without_nul, texts),
        without_nul(call.request_sha256),
        call.round,
        int(call.scripted),
        int(call.replayed),
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.reasoning_tokens,
        usage.cached_tokens,
        *split_amount_or_null(None if usage.cost_usd is None else round_to_units(usage.cost_usd)),
        call.attempts,
        round(call.latency_ms * US_PER_MS),
        micros(call.started_at),
        micros(call.ended_at),
    )


def turn_row(record: Record, turn: Turn) -> Row:
    """Return the row of a turn: its snapshot, outcome and the text of the agent."""
    texts = (turn.turn_id, turn.agent, turn.strategy, turn.node, turn.model, turn.snapshot_id)
    words = (turn.outcome, turn.prompt_sha256, turn.error, turn.final_text, turn.memory)
    return (
        record.partition,
        record.offset,
        *map(without_nul, (*texts, *words)),
        turn.skipped_snapshots,
        micros(turn.as_of),
        micros(turn.started_at),
        micros(turn.ended_at),
    )
