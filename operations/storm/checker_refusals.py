"""Computes a second time why an order was refused; the executor's reason is not trusted.

The command, the price that was used, the listing, the agent's money and the times in the records
determine the reason of a refusal, or a fill. A reason that the records cannot confirm, such as
which halt an executor had read, is counted as `unjudged_<reason>`.
"""

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any

from operations.storm.checker_records import (
    ExecutorSettings,
    Findings,
    Json,
    TopicRecord,
    parse,
    read_time,
)

MICRO = Decimal("0.000001")
ATOM = Decimal("0.00000001")
EXACT = Context(prec=80)
ARGUMENTS_CHARS_MAX = 8_192
DECIMAL_CHARS_MAX = 64
PRODUCT_CHARS_MAX = 64
DIGITS_MAX = 18
AMOUNT_LIMIT = Decimal(10**18)
"""Every amount in an account is below this."""
LATE_REASONS = frozenset({"expired", "control_unknown"})
"""Reasons after the deadline; which one depends on when the shard owner read the order."""
TOO_OLD, ISSUED_AHEAD = "too_old", "issued_ahead"
AHEAD_MAX = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class OrderArguments:
    """The arguments of an order."""

    product_id: str
    quantity: Decimal
    action: str


def read_order(text: str) -> OrderArguments | None:
    """Return the arguments of `execute_trade`, or None if they cannot be read exactly."""
    if len(text) > ARGUMENTS_CHARS_MAX:
        return None
    try:
        text.encode()
        found = json.loads(
            text, parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_unique
        )
        if not isinstance(found, dict) or set(found) != {"product_id", "quantity", "action"}:
            return None
        product_id, action = found["product_id"], found["action"]
        if not isinstance(product_id, str) or len(product_id) > PRODUCT_CHARS_MAX:
            return None
        product_id.encode()
        quantity = _decimal(found["quantity"])
    except (ValueError, RecursionError, InvalidOperation):
        return None
    return OrderArguments(product_id, quantity, action) if action in ("buy", "sell") else None


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:  # Any: decoded JSON
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key is given twice")
    return dict(pairs)


def _decimal(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("not a decimal")
    if isinstance(value, str):
        if len(value) > DECIMAL_CHARS_MAX or "_" in value or not value.isascii():
            raise ValueError("not a decimal")
        value = Decimal(value)
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError("not finite")
    if number and not -DECIMAL_CHARS_MAX < number.adjusted() < DIGITS_MAX:
        raise ValueError("out of range")
    return number


@dataclass
class HaltedScopes:
    """Which scopes `arena.control` ever halted; `records` is None if it was not read."""

    records: list[TopicRecord] | None = None

    def __post_init__(self) -> None:
        """Collect the scopes: every record but a readable `Resume` may halt its scope."""
        self._scopes = {raw.key for raw in self.records or () if raw.kind != "Resume"}

    def may_cover(self, agent: str) -> bool:
        """True if an agent may have been halted at some time."""
        return self.records is None or bool({b"all", b"agent/" + agent.encode()} & self._scopes)


def check_reason(
    event: Json,
    call: Json,
    ticker: Json | None,
    listing: Json | None,
    money: tuple[Decimal, Decimal],
    terms: ExecutorSettings,
    halts: HaltedScopes,
    findings: Findings,
) -> None:
    """Check the reason of a refusal, or that a fill was right.

    Args:
        event: The `OrderDecided`.
        call: Its command.
        ticker: The ticker that the event names as its price, or None.
        listing: The listing of the product, from any time.
        money: The agent's cash and its position in the product, before the event.
        terms: The settings of the executors.
        halts: The scopes that were halted.
        findings: Gets the findings and the counts.
    """
    reason_given = event["reason"]
    late = read_time(event["at"]) > read_time(call["deadline_at"])
    if reason_given == "halted" and not late and halts.may_cover(event["agent"]):
        findings.counts["unjudged_halted"] += 1
        return
    order = read_order(call["arguments"])
    expected = _reasons(order, event, call, ticker, listing, money, terms, late=late)
    if reason_given not in expected and _is_unverifiable(
        reason_given, event, order, listing, late=late
    ):
        findings.counts[f"unjudged_{reason_given}"] += 1
        return
    findings.counts["refusals_judged"] += reason_given is not None
    wanted = " or ".join(sorted(str(one or "a fill") for one in expected))
    findings.expect(
        reason_given in expected, f"seq {event['seq']}: {reason_given or 'a fill'}, not {wanted}"
    )


def _is_unverifiable(
    reason_given: str | None,
    event: Json,
    order: OrderArguments | None,
    listing: Json | None,
    *,
    late: bool,
) -> bool:
    """True if the reason depends on which market records an executor had read."""
    if order is None or late:
        return False
    if reason_given in ("unknown_product", "not_tradable"):
        return listing is not None  # a restarted executor may have read none, or an older one
    # Prices as new as the agent's snapshot may not have arrived in time.
    return reason_given == "no_price" and event["used"] is not None


def _reasons(
    order: OrderArguments | None,
    event: Json,
    call: Json,
    ticker: Json | None,
    listing: Json | None,
    money: tuple[Decimal, Decimal],
    terms: ExecutorSettings,
    *,
    late: bool,
) -> frozenset[str | None]:
    """Return the possible reasons, None for a fill: the first rule that applies decides."""
    if order is None:
        return frozenset({"malformed_arguments"})
    if late:
        return LATE_REASONS
    if listing is None or not _is_in_usd(listing):
        return frozenset({"unknown_product"})
    if listing.get("status", "online") != "online" or listing.get("modes"):
        return frozenset({"not_tradable"})
    if (reason := _quantity_reason(order, listing, money[1])) is not None:
        return frozenset({reason})
    if event["used"] is None or ticker is None:
        return frozenset({"no_price"})
    reason = _price_reason(order, event, call, ticker, terms)
    return frozenset({reason or _money_reason(order, ticker, listing, money, terms)})


def _is_in_usd(listing: Json) -> bool:
    return bool(listing.get("quote_currency", "USD") == "USD")


def _quantity_reason(order: OrderArguments, listing: Json, held: Decimal) -> str | None:
    quantity = order.quantity
    room = AMOUNT_LIMIT - held if order.action == "buy" else AMOUNT_LIMIT
    if quantity <= 0 or quantity >= room:
        return "invalid_quantity"
    steps = EXACT.divide(quantity, Decimal(listing["base_increment"]))
    exact = EXACT.multiply(quantity, Decimal(10**8))
    whole = steps == steps.to_integral_value() and exact == exact.to_integral_value()
    return None if whole else "bad_increment"


def _price_reason(
    order: OrderArguments, event: Json, call: Json, ticker: Json, terms: ExecutorSettings
) -> str | None:
    bid, ask = Decimal(ticker["best_bid"]), Decimal(ticker["best_ask"])
    if not 0 < bid <= ask:
        return "no_price"
    if age_ms(event, ticker) > terms.price_age_ms:
        return "stale_price"
    seen = call["quotes_seen"].get(order.product_id)
    if seen is None:
        return None
    was = Decimal(seen["ask" if order.action == "buy" else "bid"])
    best = ask if order.action == "buy" else bid
    far = was > 0 and abs(best - was) * 10_000 > terms.collar_bps * was
    return "beyond_collar" if far else None


def _money_reason(
    order: OrderArguments,
    ticker: Json,
    listing: Json,
    money: tuple[Decimal, Decimal],
    terms: ExecutorSettings,
) -> str | None:
    cash, held = money
    buy = order.action == "buy"
    best = Decimal(ticker["best_ask" if buy else "best_bid"])
    price = slipped(best, terms.slippage_bps, listing, buy)
    notional, fee = notional_and_fee(price, order.quantity, terms.fee_bps)
    if notional < max(Decimal(listing.get("min_market_funds", "0")), ATOM):
        return "below_minimum"
    if buy and notional + fee > cash:
        return "insufficient_cash"
    if not buy and order.quantity > held:
        return "insufficient_position"
    return "invalid_quantity" if not buy and cash + notional >= AMOUNT_LIMIT else None


def age_ms(event: Json, ticker: Json) -> int:
    """Return the age of the price when it was used."""
    alive = max(
        read_time(ticker["received_at"]),
        read_time(ticker["confirmed_at"] or ticker["received_at"]),
    )
    return max(0, int((read_time(event["at"]) - alive).total_seconds() * 1000))


def slipped(best: Decimal, bps: Decimal, listing: Json, up: bool) -> Decimal:
    """Return the price with slippage against the taker, rounded to the next increment."""
    step = Decimal(listing["quote_increment"])
    moved = EXACT.multiply(best, 1 + (bps if up else -bps) / 10_000)
    steps = EXACT.divide(moved, step).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR)
    return steps * step


def notional_and_fee(price: Decimal, quantity: Decimal, bps: Decimal) -> tuple[Decimal, Decimal]:
    """Return notional and fee of an order, in whole micro-dollars."""
    notional = EXACT.multiply(price, quantity).quantize(MICRO, ROUND_HALF_EVEN, EXACT)
    return notional, EXACT.multiply(notional, bps / 10_000).quantize(MICRO, ROUND_CEILING, EXACT)


@dataclass
class OrderMemory:
    """The orders that an executor remembered when it read a command.

    Attributes:
        effective: All effective events, in order.
        remembered: Number of ids of decided orders and openings that an executor keeps.
    """

    effective: list[Json]
    remembered: int
    _sources: list[int] = field(default_factory=list)
    _index_of: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Index the events by the offset of their command, and by order."""
        self._sources = [event["source"]["offset"] for event in self.effective]
        self._index_of = {event["order_id"]: n for n, event in enumerate(self.effective)}
        self._newest: dict[str, list[tuple[int, str]]] = {}
        for index, event in enumerate(self.effective):
            if "issued_at" in event:
                issued = self._newest.setdefault(event["agent"], [])
                newest = max(issued[-1][1], event["issued_at"], key=read_time) if issued else None
                issued.append((index, newest or event["issued_at"]))

    def may_have_been_decided(self, offset: int, call: Json) -> bool:
        """True if the executor cannot exclude that it decided an order before this offset."""
        forgotten_count = bisect_left(self._sources, offset) - self.remembered
        index = self._index_of.get(call["call_id"])
        if index is not None and index >= forgotten_count:
            return False
        issued = self._newest.get(call["agent"], [])
        index = bisect_left(issued, forgotten_count, key=lambda pair: pair[0])
        return index > 0 and read_time(call["issued_at"]) <= read_time(issued[index - 1][1])


def is_ahead(call: Json, written_ms: int) -> bool:
    """True if the issue time of an order is long after it was written to the topic."""
    written_at = EPOCH + timedelta(milliseconds=written_ms)
    return written_ms > 0 and read_time(call["issued_at"]) - written_at > AHEAD_MAX


def check_without_event(
    calls: dict[str, list[tuple[int, Json]]],
    dead_lettered: Mapping[int, int],
    refusals: Counter[tuple[str, str]],
    memory: OrderMemory,
    has_invalid_envelope: Callable[[Json], bool],
    findings: Findings,
) -> set[str]:
    """Check refusals without an event: orders that are too old, or from the future.

    Args:
        calls: Calls by id, each with all offsets of its command.
        dead_lettered: Offset of each dead-lettered command -> its timestamp, Unix ms.
        refusals: (order id, error) of the answers without an event.
        memory: The orders that an executor remembers.
        has_invalid_envelope: True for a call that executors refuse.
        findings: Gets the findings and the counts.

    Returns:
        The ids of orders that rightly have no event.
    """
    justified: set[str] = set()
    justified_answers: set[tuple[str, str]] = set()
    for call_id, occurrences in calls.items():
        for offset, call in occurrences:
            if offset not in dead_lettered:
                continue
            is_order = call["tool"] == "execute_trade"
            if has_invalid_envelope(call):
                findings.counts["calls_objected_to"] += 1
            elif is_order and is_ahead(call, dead_lettered[offset]):
                findings.counts["refused_issued_ahead"] += 1
                justified_answers.add((call_id, ISSUED_AHEAD))
            elif is_order and memory.may_have_been_decided(offset, call):
                findings.counts["refused_too_old"] += 1
                justified_answers.add((call_id, TOO_OLD))
            else:
                findings.add(f"{call['tool']} at {offset} was dead-lettered, though it is readable")
                continue
            justified.add(call_id)
    for (call_id, error), count in refusals.items():
        findings.counts["refusals_without_event"] += count
        is_just = (call_id, error) in justified_answers
        findings.expect(is_just, f"order {call_id} was refused without an event: {error!r}")
    return justified


def answers_without_event(inboxes: dict[str, list[TopicRecord]]) -> Counter[tuple[str, str]]:
    """Return (order id, error) of the answers that refuse an order without an event."""
    found: Counter[tuple[str, str]] = Counter()
    for records in inboxes.values():
        for raw in records:
            body = parse(raw.value) if raw.kind == "ToolResult" else None
            if body is None or body.get("ok") is not False:
                continue
            if body.get("tool") == "execute_trade" and body.get("account_seq") is None:
                found[str(body.get("call_id")), str(body.get("error"))] += 1
    return found
