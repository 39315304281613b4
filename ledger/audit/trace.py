"""Traces an order back to the bytes that the venue sent, and recomputes every hash.

    order -> command -> turn -> model reply -> request -> snapshot -> tickers -> raw frame
    turn -> version of the strategy's text, its trial and approval, feedback of its owner
    exit -> steps -> ticker that triggered it -> raw frame, and -> the entry that brought it

A step has the location of its record, the SHA-256 of its bytes, and the checks: the expected value
and the one computed here.
"""

import hashlib
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from arena import ids
from arena.bus.base import Record
from arena.chat_body import chat_body_sha256
from arena.messages import MarketSnapshot, OrderDecided, Ticker
from arena.money import decimal_text
from arena.plural import counted
from arena.prompt_versions import short_version, version_of
from arena.trial_words import result_text
from ledger.audit.decoding import location_of, prompt_sha256
from ledger.audit.raw_frames import RawFrame, find_frame, frame_files, sent_ticker
from ledger.audit.sources import RecordSource
from ledger.audit.trace_records import COMMANDS, OrderRecords, find_event, find_other_records


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison of an expected value with the one that was computed or found."""

    what: str
    expected: str
    found: str

    @property
    def holds(self) -> bool:
        """True if both are the same."""
        return self.expected == self.found


@dataclass(slots=True)
class TraceStep:
    """One step of a trace.

    Attributes:
        name: "order", "command", ... location: the location of its record.
        sha256: The hash of its bytes. summary: a line for people.
        missing: Why it could not be found; "" if it was.
        checks: The comparisons made.
    """

    name: str
    location: str = ""
    sha256: str = ""
    summary: str = ""
    missing: str = ""
    checks: list[Check] = field(default_factory=list)

    def check(self, what: str, expected: object, found: object) -> None:
        """Add a comparison."""
        self.checks.append(Check(what, str(expected), str(found)))

    @property
    def holds(self) -> bool:
        """True if every comparison holds."""
        return all(check.holds for check in self.checks)


def trace(source: RecordSource, order_id: str, frames: Path | None = None) -> list[TraceStep]:
    """Trace an order back.

    Args:
        source: The records.
        order_id: The id of the order, or an unambiguous beginning of it.
        frames: A recording of raw frames; by default those of the run.

    Raises:
        UsageError: No order has this id, or several begin with it.
    """
    found = find_event(source, order_id)
    find_other_records(source, found)
    files = frame_files(source.run, frames)
    if found.entry is None:
        return _placed_order(found, files)
    entry = _placed_order(found.entry, files)
    for step in entry:
        step.name = f"entry: {step.name}"
    return [_exit(found), *_life(found), *_prices(found, files), *entry]


def _placed_order(found: OrderRecords, files: list[Path]) -> list[TraceStep]:
    """The steps of an order that a call placed."""
    steps = [_order(found), *_life(found), _command(found), _turn(found), *_coaching(found)]
    steps.append(_reply(found))
    steps += [_request(found), _snapshot(found), _seen_ticker(found)]
    first, *prices = _prices(found, files)
    return [*steps, first, _frame(found.seen, "frame of the price seen", files), *prices]


def _prices(found: OrderRecords, files: list[Path]) -> list[TraceStep]:
    """The ticker used, and that which triggered the order, back to their frames."""
    steps = [_used_ticker(found)]
    if found.event[1].trigger is not None:
        steps += [_trigger(found), _frame(found.trigger, "frame of the trigger", files)]
    if found.used is not None and found.used not in (found.seen, found.trigger):
        steps.append(_frame(found.used, "frame of the price used", files))
    return steps


def _life(found: OrderRecords) -> list[TraceStep]:
    """The other steps of a limit order or an exit."""
    steps = []
    for number, (record, event) in enumerate(found.steps):
        if record == found.event[0]:
            continue
        step = _step(f"step {event.step}", record)
        why = f", {event.cause}" if event.cause else ""
        step.summary = f"{_what(event)} {event.outcome}{why}, {event.at:%Y-%m-%d %H:%M:%S.%f} UTC"
        step.check("number of the step", event.step, number)
        steps.append(step)
    return steps


def _exit(found: OrderRecords) -> TraceStep:
    """The step of an exit, which derives from the order that brought it."""
    record, event = found.event
    step = _step("exit", record)
    at = f" at {decimal_text(event.price)}" if event.price is not None else ""
    why = f" ({event.cause})" if event.cause else ""
    step.summary = f"{event.agent}: {_what(event)} {event.outcome}{at}{why}"
    step.check("digest of the log before it", event.prev, found.prev)
    derived = ids.derive("exit", found.parent, event.order_type)
    step.check("id from the order that brought it", event.order_id, derived)
    assert found.entry is not None, "the caller checked it"
    brought = [one.order_id for _, entry in found.entry.steps for one in entry.exits]
    named = event.order_id if event.order_id in brought else "none"
    step.check("exit that the entry brought", event.order_id, named)
    return step


def _trigger(found: OrderRecords) -> TraceStep:
    """The ticker that met the level of a limit order or an exit."""
    event = found.event[1]
    assert event.trigger is not None, "the caller checked it"
    if found.trigger is None:
        return _step("ticker that triggered it", None)
    record, ticker = found.trigger
    step = _step("ticker that triggered it", record)
    level = event.trigger.level
    step.summary = _ticker_words(ticker)
    step.summary += f", met {decimal_text(level)}" if level is not None else ""
    step.check("bid and ask", _pair(event.trigger.bid, event.trigger.ask), _prices_of(ticker))
    step.check("product", event.product_id, ticker.product_id)
    if level is not None and event.order_type != "limit":
        rises = event.order_type == "take_profit"
        met = ticker.best_bid >= level if rises else ticker.best_bid <= level
        step.check("level met by the bid", True, met)
    return step


def _what(event: OrderDecided) -> str:
    kind = "" if event.order_type == "market" else f" {event.order_type}"
    quantity = f" {_digits(event.quantity)}" if event.quantity is not None else ""
    return f"{event.action}{quantity} {event.product_id}{kind}"


def _step(name: str, record: Record | None, lacking: str = "") -> TraceStep:
    if record is None:
        return TraceStep(name, missing=lacking or "not in these records")
    location = location_of(record.topic, record.partition, record.offset)
    return TraceStep(name, location, hashlib.sha256(record.value or b"").hexdigest())


def _order(found: OrderRecords) -> TraceStep:
    record, event = found.event
    step = _step("order", record)
    what = f"{event.action} {_digits(event.quantity)} {event.product_id}"
    if event.order_type != "market":
        what = _what(event)
    why = event.reason or event.cause
    at = f" at {decimal_text(event.price)}" if event.price is not None else f" ({why})"
    at = at if event.price is not None or why else ""
    step.summary = f"{event.agent}: {what} {event.outcome}{at}, {event.at:%Y-%m-%d %H:%M:%S.%f} UTC"
    step.check("digest of the log before it", event.prev, found.prev)
    derived = ids.tool_call_id(event.turn_id, event.round, event.index)
    step.check("id from turn, round and index", event.order_id, derived)
    return step


def _command(found: OrderRecords) -> TraceStep:
    event = found.event[1]
    if found.command is None:
        return _step("command", None)
    record, call = found.command
    step = _step("command", record)
    step.summary = f"{call.tool} {call.arguments}"
    named = location_of(COMMANDS, event.source.partition, event.source.offset)
    step.check("place that the event names", named, step.location)
    step.check("turn", event.turn_id, call.turn_id)
    step.check("snapshot", event.snapshot_id, call.snapshot_id)
    return step


def _turn(found: OrderRecords) -> TraceStep:
    event = found.event[1]
    if found.turn is None:
        return _step("turn", None, "its turn has no end in these records, or it was sent manually")
    record, turn = found.turn
    step = _step("turn", record)
    step.summary = f"{turn.strategy} with {turn.model or turn.node}: {turn.outcome}; {turn.memory}"
    step.check(
        "id from agent and snapshot", turn.turn_id, ids.turn_id(turn.agent, turn.snapshot_id)
    )
    if turn.messages:
        found_hash = prompt_sha256([m.model_dump(mode="json") for m in turn.messages[:2]])
        step.check("prompt SHA-256", turn.prompt_sha256, found_hash)
        made = [r.tool_call_ids for r in turn.rounds[event.round : event.round + 1]]
        ids_made = made[0] if made else ()
        named = ids_made[event.index] if event.index < len(ids_made) else "none"
        step.check(f"order of round {event.round}", event.order_id, named)
    return step


def _coaching(found: OrderRecords) -> list[TraceStep]:
    """How the text that the turn was played by came into force, and the feedback that it showed."""
    steps, text = [], found.text
    if text.proposed is not None and found.turn is not None:
        record, proposed = text.proposed
        step = _step("version of the text", record)
        why = f": {proposed.reason}" if proposed.reason else ""
        step.summary = f"{short_version(proposed.version)} by {proposed.author} {proposed.by}{why}"
        step.check("SHA-256 of the text", found.turn[1].version, version_of(proposed.text))
        steps.append(step)
    if text.trial is not None:
        record, ended = text.trial
        step = _step("trial of the text", record)
        step.summary = f"trial {ended.trial_id} ({ended.market}): {result_text(ended)}"
        step.check("tried text", found.turn[1].version if found.turn else "", ended.challenger)
        steps.append(step)
    if text.approved is not None:
        record, decided = text.approved
        step = _step("approval of the text", record)
        why = f": {decided.reason}" if decided.reason else ""
        step.summary = f"{decided.action} by {decided.author} {decided.by}{why}"
        steps.append(step)
    if text.tries is not None:
        record, started = text.tries
        step = _step("trial", record)
        step.summary = f"shadow agent of {started.agent} in trial {started.trial_id}"
        steps.append(step)
    for record, feedback in found.feedback:
        step = _step("feedback", record)
        step.summary = f"{feedback.by}: {feedback.text}"
        steps.append(step)
    return steps


def _reply(found: OrderRecords) -> TraceStep:
    event = found.event[1]
    if found.reply is None:
        return _step("model reply", None)
    record, reply = found.reply
    step = _step("model reply", record)
    calls = reply.tool_calls
    step.summary = (
        f"{reply.model}{' (scripted)' if reply.scripted else ''}: {len(calls)} tool calls"
    )
    if found.command is not None:
        asked = calls[event.index].arguments if event.index < len(calls) else "none"
        step.check("arguments, as the model wrote them", found.command[1].arguments, asked)
    if found.call is not None:
        call = found.call[1]
        step.summary += f"; logged at {found.call[0].topic}@{found.call[0].offset}"
        if call.raw_response and not call.raw_truncated:
            raw = hashlib.sha256(call.raw_response.encode()).hexdigest()
            step.check("raw response SHA-256", call.raw_response_sha256, raw)
    return step


def _request(found: OrderRecords) -> TraceStep:
    if found.request is None:
        return _step("request", None)
    record, request = found.request
    step = _step("request", record)
    step.summary = (
        f"round {request.round}, {counted(len(request.messages), 'message')}, "
        f"{counted(len(request.tools), 'tool')}"
    )
    if found.turn is not None and not request.role:  # a role may have a prompt of its own
        computed = prompt_sha256([m.model_dump(mode="json") for m in request.messages[:2]])
        step.check("prompt SHA-256, as in the turn", found.turn[1].prompt_sha256, computed)
    step.check("snapshot", found.event[1].snapshot_id, request.snapshot_id)
    # Calls of earlier versions do not record how the conversation was encoded.
    call = None if found.call is None else found.call[1]
    if call is not None and call.options is not None and call.wire is not None:
        sent = chat_body_sha256(call.model, request, call.options, call.wire)
        step.check("body that was sent, SHA-256", call.request_sha256, sent)
    return step


def _snapshot(found: OrderRecords) -> TraceStep:
    if found.snapshot is None:
        return _step("snapshot", None)
    record, snapshot = found.snapshot
    step = _step("snapshot", record)
    names = [view.product_id for view in snapshot.products]
    source = _price_source(snapshot)
    step.summary = f"{source} as of {snapshot.as_of:%Y-%m-%d %H:%M:%S} UTC, {', '.join(names)}"
    derived = ids.snapshot_id(snapshot.venue, snapshot.as_of, names, snapshot.rewinds)
    step.check("id from venue, time and products", snapshot.snapshot_id, derived)
    if found.turn is not None:
        step.check("offset that the turn names", found.turn[1].snapshot_offset, record.offset)
    return step


def _price_source(snapshot: MarketSnapshot) -> str:
    """The file of recorded prices; else the venue, and whether its prices are not live."""
    if snapshot.source:
        return snapshot.source
    kind = "recorded " if snapshot.recorded else "simulated " if snapshot.simulated else ""
    return f"{kind}{snapshot.venue}"


def _seen_ticker(found: OrderRecords) -> TraceStep:
    if found.seen is None:
        return _step("ticker seen", None, "no ticker before the snapshot matches the one it shows")
    record, ticker = found.seen
    step = _step("ticker seen", record)
    step.summary = _ticker_words(ticker)
    quote = found.event[1].seen
    if quote is not None:
        step.check("bid and ask seen", _pair(quote.bid, quote.ask), _prices_of(ticker))
    return step


def _used_ticker(found: OrderRecords) -> TraceStep:
    event = found.event[1]
    if event.used is None:
        return _step("ticker used", None, "the order was refused before a price was looked up")
    if found.used is None:
        return _step("ticker used", None)
    record, ticker = found.used
    step = _step("ticker used", record)
    step.summary = f"{_ticker_words(ticker)}, {event.used.age_ms} ms old"
    step.check("bid and ask used", _pair(event.used.bid, event.used.ask), _prices_of(ticker))
    step.check("product", event.product_id, ticker.product_id)
    return step


def _frame(found: tuple[Record, Ticker] | None, name: str, files: list[Path]) -> TraceStep:
    if found is None:
        return TraceStep(name, missing="its ticker was not found")
    ticker = found[1]
    if not files:
        why = "no raw frames were recorded; set `record = true` in [market]"
        return TraceStep(name, missing=why)
    frame = find_frame(files, ticker.product_id, ticker.sequence)
    if frame is None:
        names = ", ".join(path.name for path in files)
        why = f"no ticker frame of {ticker.product_id} with sequence {ticker.sequence} in {names}"
        return TraceStep(name, missing=why)
    return _frame_step(name, frame, ticker)


def _frame_step(name: str, frame: RawFrame, ticker: Ticker) -> TraceStep:
    location = f"{frame.file}, line {frame.line}"
    step = TraceStep(name, location, hashlib.sha256(frame.raw).hexdigest())
    step.summary = frame.raw.decode("utf-8", "replace")
    sent = sent_ticker(frame.raw, ticker.product_id, ticker.sequence)
    assert sent is not None, "the frame was found by this ticker"
    step.check("bid and ask sent", f"{sent.bid}/{sent.ask}", _prices_of(ticker))
    step.check("sequence", sent.sequence, ticker.sequence)
    if ticker.trade_id is not None and sent.has_trade_id:
        step.check("trade id", sent.trade_id, ticker.trade_id)
    return step


def _prices_of(ticker: Ticker) -> str:
    return _pair(ticker.best_bid, ticker.best_ask)


def _pair(bid: Decimal, ask: Decimal) -> str:
    return f"{decimal_text(bid)}/{decimal_text(ask)}"


def _digits(quantity: Decimal | None) -> str:
    return "" if quantity is None else decimal_text(quantity)


def _ticker_words(ticker: Ticker) -> str:
    at = f"{ticker.event_time:%Y-%m-%d %H:%M:%S.%f}"
    return f"{ticker.product_id} {_prices_of(ticker)}, sequence {ticker.sequence}, {at} UTC"
