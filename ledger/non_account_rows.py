"""Snapshots, turns and model calls as rows of the books. Pure."""

from collections.abc import Mapping

from arena.account_state import Account
from arena.accounts import Shard
from arena.bus.base import Record
from arena.messages import CandleWindow, LlmCall, MarketSnapshot, Message, Turn
from arena.money import PriceUnits, decimal_text, price_or_none, round_to_units
from ledger import schema
from ledger.amounts import AMOUNT_MAX, INT64_MAX, split, split_or_null
from ledger.batch import Row, RowBatch
from ledger.records import micros, without_nul

US_PER_MS = 1_000
ID_CHARS_MAX = 500
"""An id is part of a key, and PostgreSQL bounds those at 2,704 bytes."""


class NonAccountRows:
    """What the last snapshot showed, so that the same candles are not offered again each minute.

    Attributes:
        seen: (venue, product, granularity in seconds) -> starts of its last window's candles.
        equity_after_us: Venue -> time of its newest snapshot in the books, if its topic is read
            again: an older one would be marked with the accounts of today.
    """

    def __init__(self) -> None:
        """Nothing was seen."""
        self.seen: dict[tuple[str, str, int], frozenset[int]] = {}
        self.equity_after_us: dict[str, int] = {}

    def add(
        self, record: Record, message: Message, shards: Mapping[int, Shard], batch: RowBatch
    ) -> None:
        """Add what a message comes to; other messages of the topics come to nothing.

        Args:
            record: Where it stood.
            message: What it says.
            shards: The accounts as they stand now.
            batch: Where the rows go.
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
                self._candles(snapshot.venue, view.product_id, window, batch)
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
            for agent, account in shard.accounts.items():
                row = equity_row(snapshot, agent, account, bids, shard.next_offset)
                batch.rows[schema.equity_snapshots].append(row)

    def _candles(self, venue: str, product_id: str, window: CandleWindow, batch: RowBatch) -> None:
        key = (venue, product_id, window.granularity_s)
        seen = self.seen.get(key, frozenset())
        starts = [micros(candle.start) for candle in window.candles]
        for start_us, candle in zip(starts, window.candles, strict=True):
            if start_us in seen:
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
        self.seen[key] = frozenset(starts)


def check_fit(batch: RowBatch) -> None:
    """See that every number of the rows fits its column.

    Raises:
        OverflowError: One needs more than 64 bits.
    """
    for table, rows in batch.rows.items():
        for row in rows:
            for value in row:
                if isinstance(value, int) and not -INT64_MAX <= value <= INT64_MAX:
                    raise OverflowError(f"{table.name} has a number of {value:.3e}: it has 64 bits")


def why_not_booked(message: Message) -> str:
    """Why a message cannot be a row, "" if it can: its ids are keys."""
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
    snapshot: MarketSnapshot, agent: str, account: Account, bids: dict[str, PriceUnits], offset: int
) -> Row:
    """An account marked at the bids of a snapshot; `offset` is how far the log was folded."""
    return (
        without_nul(snapshot.snapshot_id),
        without_nul(agent),
        without_nul(snapshot.venue),
        micros(snapshot.as_of),
        offset,
        *split(account.cash),
        *split(account.scraped),
        *split(max(-AMOUNT_MAX, min(AMOUNT_MAX, account.equity(bids)))),
    )


def usage_row(record: Record, call: LlmCall) -> Row:
    """A model call."""
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
        *split_or_null(None if usage.cost_usd is None else round_to_units(usage.cost_usd)),
        call.attempts,
        round(call.latency_ms * US_PER_MS),
        micros(call.started_at),
        micros(call.ended_at),
    )


def turn_row(record: Record, turn: Turn) -> Row:
    """A turn: what was decided on which snapshot, in the agent's own words."""
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
