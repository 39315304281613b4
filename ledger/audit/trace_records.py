"""Finds the records of one order, in one pass over each topic."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from arena import ids, topics
from arena.bus.base import Record
from arena.errors import UsageError
from arena.messages import (
    ChatReply,
    ChatRequest,
    Feedback,
    LlmCall,
    MarketSnapshot,
    OrderDecided,
    Ticker,
    ToolCall,
    Turn,
)
from ledger.audit.chain import ChainChecker
from ledger.audit.checker import Scope
from ledger.audit.decoding import FILLED, DecodedRecord, is_fill
from ledger.audit.sources import RecordSource
from ledger.audit.trace_texts import TextRecords, find_text

COMMANDS, EVENTS, TICKERS = topics.COMMANDS.name, topics.EVENTS.name, topics.TICKERS.name


@dataclass(slots=True)
class OrderRecords:
    """The records of one order.

    Attributes:
        event: The event that decides it; of a limit order or an exit, its newest fill, or else its
            first step. prev: the digest of the log before it.
        steps: Every event of the order, first to last.
        entry: Of an exit that an entry or a call brought: the records of that order.
        command, turn, reply, call, request, snapshot: The other records, or None.
        seen: The ticker that the snapshot shows. used: the ticker that priced the fill.
        trigger: The ticker that met the level of a limit order or an exit.
        text: How the text that the turn was played by came into force.
        feedback: The feedback that its prompt showed.
    """

    event: tuple[Record, OrderDecided]
    prev: str
    command: tuple[Record, ToolCall] | None = None
    turn: tuple[Record, Turn] | None = None
    reply: tuple[Record, ChatReply] | None = None
    call: tuple[Record, LlmCall] | None = None
    request: tuple[Record, ChatRequest] | None = None
    snapshot: tuple[Record, MarketSnapshot] | None = None
    seen: tuple[Record, Ticker] | None = None
    used: tuple[Record, Ticker] | None = None
    trigger: tuple[Record, Ticker] | None = None
    steps: list[tuple[Record, OrderDecided]] = field(default_factory=list)
    entry: "OrderRecords | None" = None
    text: TextRecords = field(default_factory=TextRecords)
    feedback: list[tuple[Record, Feedback]] = field(default_factory=list)

    @property
    def parent(self) -> str:
        """The id of the order that brought this exit; "" for an order that a call placed."""
        terms = self.steps[0][1].terms
        own = self.steps[0][1].order_id
        return terms.parent if terms is not None and terms.parent != own else ""


def order_ids(source: RecordSource) -> list[str]:
    """Return the ids of all filled orders, oldest first; if there are none, of all decided ones."""
    filled: dict[str, None] = {}
    others: dict[str, None] = {}
    for decoded in _effective(source):
        body = decoded.body or {}
        if decoded.kind == "OrderDecided":
            (filled if is_fill(body) else others)[body["order_id"]] = None
    return list(filled or others)


def _effective(source: RecordSource) -> Iterator[DecodedRecord]:
    chain = ChainChecker(Scope({}))
    for record in source.read([EVENTS]):
        decoded = DecodedRecord(record)
        chain.take(decoded)
        if decoded.effective:
            yield decoded


def find_event(source: RecordSource, order_id: str) -> OrderRecords:
    """Find the events of an order, and the digest of the log before the one that decides it.

    Raises:
        UsageError: No order has this id, or several begin with it.
    """
    heads: dict[int, str] = {}
    matches: dict[str, OrderRecords] = {}
    for decoded in _effective(source):
        record = decoded.record
        head = heads.get(record.partition, "0" * 64)
        heads[record.partition] = hashlib.sha256(head.encode() + (record.value or b"")).hexdigest()
        if decoded.kind != "OrderDecided" or not (decoded.body or {})["order_id"].startswith(
            order_id
        ):
            continue
        event = record.message()
        assert isinstance(event, OrderDecided), "its header says so"
        found = matches.setdefault(event.order_id, OrderRecords((record, event), head))
        found.steps.append((record, event))
        if event.outcome in FILLED:
            found.event, found.prev = (record, event), head
    exact = matches.get(order_id)
    if exact is not None or len(matches) == 1:
        return exact or next(iter(matches.values()))
    remedy = "`arena audit trace --random` shows one"
    if matches:
        raise UsageError(
            f"{len(matches)} orders begin with {order_id!r}", remedy="write more of it"
        )
    raise UsageError(f"no order {order_id!r} was decided in {source.name}", remedy=remedy)


def find_other_records(source: RecordSource, found: OrderRecords) -> None:
    """Find the other records of the order, as far as the source has them.

    An exit that an entry brought has no command of its own: the records of the entry are found.
    """
    event = found.event[1]
    if found.parent:
        found.entry = find_event(source, found.parent)
        find_other_records(source, found.entry)
        _find_tickers(source, found)
        return
    held = source.topics()
    families = [t for t in held if t.startswith(topics.PROMPTED.name)]
    wanted = [COMMANDS, topics.SNAPSHOTS.name, topics.LLM_CALLS.name, topics.TURNS.name]
    wanted += [*families, topics.inbox(event.agent)]
    for record in source.read([t for t in wanted if t in held]):
        value = record.value or b""
        # Every record of the order names the order, its turn or its snapshot.
        if not any(
            i and i.encode() in value for i in (event.order_id, event.turn_id, event.snapshot_id)
        ):
            continue
        message = record.message()
        match message:
            case ToolCall() if message.call_id == event.order_id and record.topic == COMMANDS:
                found.command = found.command or (record, message)
            case Turn() if message.turn_id == event.turn_id:
                found.turn = found.turn or (record, message)
            case ChatReply() if _asked_for(message, event):
                found.reply = found.reply or (record, message)
            case LlmCall() if _asked_for(message, event):
                found.call = found.call or (record, message)
            case ChatRequest() if _asked_for(message, event):
                found.request = found.request or (record, message)
            case MarketSnapshot() if message.snapshot_id == event.snapshot_id:
                found.snapshot = found.snapshot or (record, message)
    _find_tickers(source, found)
    if found.turn is not None:
        _find_coaching(source, found, found.turn[1])


def _asked_for(message: ChatRequest | ChatReply | LlmCall, event: OrderDecided) -> bool:
    """True for the model call that asked for an order."""
    names = (message.stage, message.role)
    return message.call_id == ids.model_call_id(event.turn_id, event.round, *names)


def _find_tickers(source: RecordSource, found: OrderRecords) -> None:
    event = found.event[1]
    snapshot = found.snapshot[1] if found.snapshot is not None else None
    view = snapshot.view(event.product_id) if snapshot is not None else None
    shown = view.ticker if view is not None else None
    location = (event.used.partition, event.used.offset) if event.used is not None else None
    trigger = event.trigger
    met = (trigger.partition, trigger.offset) if trigger is not None else None
    product = event.product_id.encode()
    if TICKERS not in source.topics():
        return
    for record in source.read([TICKERS]):
        here = (record.partition, record.offset)
        if here not in (location, met) and (shown is None or record.key != product):
            continue
        ticker = record.message()
        if not isinstance(ticker, Ticker):
            continue
        if here == location:
            found.used = (record, ticker)
        if here == met:
            found.trigger = (record, ticker)
        end = snapshot.ticker_offsets.get(record.partition, 0) if snapshot is not None else 0
        if shown is not None and record.offset < end and _same_update(ticker, shown):
            found.seen = (record, ticker)


def _find_coaching(source: RecordSource, found: OrderRecords, turn: Turn) -> None:
    """Find the records of a turn's text, and the feedback that its prompt showed."""
    held, named = source.topics(), () if turn.owner is None else turn.owner.feedback
    if topics.PROMPTS.name in held:
        found.text = find_text(source.read([topics.PROMPTS.name]), turn)
    if named and topics.FEEDBACK.name in held:
        for record in source.read([topics.FEEDBACK.name]):
            message = record.message_or_none()
            if not isinstance(message, Feedback) or record.key_text != turn.agent:
                continue
            known = {one.feedback_id for _, one in found.feedback}
            if message.feedback_id in named and message.feedback_id not in known:
                found.feedback.append((record, message))


def _same_update(one: Ticker, other: Ticker) -> bool:
    """True if two tickers are the same update of the venue; only `confirmed_at` may differ."""
    return one.model_copy(update={"confirmed_at": None}) == other.model_copy(
        update={"confirmed_at": None}
    )
