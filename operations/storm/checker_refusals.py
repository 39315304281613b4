"""Why an order was refused, computed a second time: nothing that an executor says is believed.

From the command, the price that was used, the listing, the agent's money and the times in the
records follows which reason an order ends with, or that it fills. What the records do not show,
such as which halt an executor had read, is counted as `unjudged_<reason>`.
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
    RawRecord,
    parse,
    when,
)

MICRO = Decimal("0.000001")
ATOM = Decimal("0.00000001")
EXACT = Context(prec=80)
ARGUMENTS_CHARS_MAX = 8_192
DECIMAL_CHARS_MAX = 64
PRODUCT_CHARS_MAX = 64
DIGITS_MAX = 18
AMOUNT_END = Decimal(10**18)
"""No account holds as much of anything."""
LATE = frozenset({"expired", "control_unknown"})
"""Both say that the deadline had passed; which it is depends on when the owner read the order."""
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
    """The arguments of `execute_trade`, or None if they cannot be read exactly."""
    if len(text) > ARGUMENTS_CHARS_MAX:
        return None
    try:
        text.encode()
        found = json.loads(
            text, parse_float=Decimal, parse_constant=_fail, object_pairs_hook=_unique
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


def _fail(name: str) -> None:
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
class HaltHistory:
    """What `arena.control` ever held, by scope; None as its records: the topic was not read."""

    records: list[RawRecord] | None = None

    def __post_init__(self) -> None:
        """Whatever is not a readable `Resume` may halt its scope."""
        self._scopes = {raw.key for raw in self.records or () if raw.kind != "Resume"}

    def may_cover(self, agent: str) -> bool:
        """True if an agent may ever have been halted."""
        return self.records is None or bool({b"all", b"agent/" + agent.encode()} & self._scopes)


def check_reason(
    event: Json,
    call: Json,
    ticker: Json | None,
    listing: Json | None,
    money: tuple[Decimal, Decimal],
    terms: ExecutorSettings,
    halts: HaltHistory,
    findings: Findings,
) -> None:
    """An order ended as it had to.

    Args:
        event: The `OrderDecided`.
        call: Its command.
        ticker: The record that the event names as the price it used, if it is one.
        listing: Of the product, from any time.
        money: The agent's cash and its position in the product, before the event.
        terms: What the executors were told.
        halts: What was ever halted.
        findings: Gets what is wrong, and the counts.
    """
    said = event["reason"]
    late = when(event["at"]) > when(call["deadline_at"])
    if said == "halted" and not late and halts.may_cover(event["agent"]):
        findings.counts["unjudged_halted"] += 1
        return
    asked = read_order(call["arguments"])
    expected = _reasons(asked, event, call, ticker, listing, money, terms, late=late)
    if said not in expected and _cannot_know(said, event, asked, listing, late=late):
        findings.counts[f"unjudged_{said}"] += 1
        return
    findings.counts["refusals_judged"] += said is not None
    wanted = " or ".join(sorted(str(one or "a fill") for one in expected))
    findings.expect(said in expected, f"seq {event['seq']}: {said or 'a fill'}, not {wanted}")


def _cannot_know(
    said: str | None,
    event: Json,
    asked: OrderArguments | None,
    listing: Json | None,
    *,
    late: bool,
) -> bool:
    """True if the reason is one that depends on what an executor had read of the market."""
    if asked is None or late:
        return False
    if said in ("unknown_product", "not_tradable"):
        return listing is not None  # one that was started since may not have read it, or an older
    # Prices as new as the agent's snapshot did not arrive in time.
    return said == "no_price" and event["used"] is not None


def _reasons(
    asked: OrderArguments | None,
    event: Json,
    call: Json,
    ticker: Json | None,
    listing: Json | None,
    money: tuple[Decimal, Decimal],
    terms: ExecutorSettings,
    *,
    late: bool,
) -> frozenset[str | None]:
    """The reasons an order may end with, None for a fill: the first that applies."""
    if asked is None:
        return frozenset({"malformed_arguments"})
    if late:
        return LATE
    if listing is None or not _in_usd(listing):
        return frozenset({"unknown_product"})
    if listing.get("status", "online") != "online" or listing.get("modes"):
        return frozenset({"not_tradable"})
    if (reason := _quantity_reason(asked, listing, money[1])) is not None:
        return frozenset({reason})
    if event["used"] is None or ticker is None:
        return frozenset({"no_price"})
    reason = _price_reason(asked, event, call, ticker, terms)
    return frozenset({reason or _money_reason(asked, ticker, listing, money, terms)})


def _in_usd(listing: Json) -> bool:
    return bool(listing.get("quote_currency", "USD") == "USD")


def _quantity_reason(asked: OrderArguments, listing: Json, held: Decimal) -> str | None:
    quantity = asked.quantity
    room = AMOUNT_END - held if asked.action == "buy" else AMOUNT_END
    if quantity <= 0 or quantity >= room:
        return "invalid_quantity"
    steps = EXACT.divide(quantity, Decimal(listing["base_increment"]))
    exact = EXACT.multiply(quantity, Decimal(10**8))
    whole = steps == steps.to_integral_value() and exact == exact.to_integral_value()
    return None if whole else "bad_increment"


def _price_reason(
    asked: OrderArguments, event: Json, call: Json, ticker: Json, terms: ExecutorSettings
) -> str | None:
    bid, ask = Decimal(ticker["best_bid"]), Decimal(ticker["best_ask"])
    if not 0 < bid <= ask:
        return "no_price"
    if age_ms(event, ticker) > terms.price_age_ms:
        return "stale_price"
    seen = call["quotes_seen"].get(asked.product_id)
    if seen is None:
        return None
    was = Decimal(seen["ask" if asked.action == "buy" else "bid"])
    best = ask if asked.action == "buy" else bid
    far = was > 0 and abs(best - was) * 10_000 > terms.collar_bps * was
    return "beyond_collar" if far else None


def _money_reason(
    asked: OrderArguments,
    ticker: Json,
    listing: Json,
    money: tuple[Decimal, Decimal],
    terms: ExecutorSettings,
) -> str | None:
    cash, held = money
    buy = asked.action == "buy"
    best = Decimal(ticker["best_ask" if buy else "best_bid"])
    price = slipped(best, terms.slippage_bps, listing, buy)
    notional, fee = notional_and_fee(price, asked.quantity, terms.fee_bps)
    if notional < max(Decimal(listing.get("min_market_funds", "0")), ATOM):
        return "below_minimum"
    if buy and notional + fee > cash:
        return "insufficient_cash"
    if not buy and asked.quantity > held:
        return "insufficient_position"
    return "invalid_quantity" if not buy and cash + notional >= AMOUNT_END else None


def age_ms(event: Json, ticker: Json) -> int:
    """How old the price was when it was used."""
    alive = max(when(ticker["received_at"]), when(ticker["confirmed_at"] or ticker["received_at"]))
    return max(0, int((when(event["at"]) - alive).total_seconds() * 1000))


def slipped(best: Decimal, bps: Decimal, listing: Json, up: bool) -> Decimal:
    """The price against the taker, out to the next increment."""
    step = Decimal(listing["quote_increment"])
    moved = EXACT.multiply(best, 1 + (bps if up else -bps) / 10_000)
    steps = EXACT.divide(moved, step).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR)
    return steps * step


def notional_and_fee(price: Decimal, quantity: Decimal, bps: Decimal) -> tuple[Decimal, Decimal]:
    """What an order is worth and what it costs, in whole micro-dollars."""
    notional = EXACT.multiply(price, quantity).quantize(MICRO, ROUND_HALF_EVEN, EXACT)
    return notional, EXACT.multiply(notional, bps / 10_000).quantize(MICRO, ROUND_CEILING, EXACT)


@dataclass
class OrderMemory:
    """Which orders an executor no longer remembered when it read a command.

    Attributes:
        effective: All events that count, in order.
        remembered: How many ids of decided orders and openings an executor keeps.
    """

    effective: list[Json]
    remembered: int
    _sources: list[int] = field(default_factory=list)
    _place_of: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Index the events by where their command is, and by order."""
        self._sources = [event["source"]["offset"] for event in self.effective]
        self._place_of = {event["order_id"]: n for n, event in enumerate(self.effective)}
        self._newest: dict[str, list[tuple[int, str]]] = {}
        for place, event in enumerate(self.effective):
            if "issued_at" in event:
                issued = self._newest.setdefault(event["agent"], [])
                newest = max(issued[-1][1], event["issued_at"], key=when) if issued else None
                issued.append((place, newest or event["issued_at"]))

    def may_be_decided(self, offset: int, call: Json) -> bool:
        """True if an order at that offset may have been decided, as far as could be remembered."""
        gone = bisect_left(self._sources, offset) - self.remembered
        known = self._place_of.get(call["call_id"])
        if known is not None and known >= gone:
            return False
        issued = self._newest.get(call["agent"], [])
        place = bisect_left(issued, gone, key=lambda pair: pair[0])
        return place > 0 and when(call["issued_at"]) <= when(issued[place - 1][1])


def is_ahead(call: Json, written_ms: int) -> bool:
    """True if an order says it was issued long after it was written to the topic."""
    written_at = EPOCH + timedelta(milliseconds=written_ms)
    return written_ms > 0 and when(call["issued_at"]) - written_at > AHEAD_MAX


def check_without_event(
    calls: dict[str, list[tuple[int, Json]]],
    buried: Mapping[int, int],
    told: Counter[tuple[str, str]],
    forgotten: OrderMemory,
    objectionable: Callable[[Json], bool],
    findings: Findings,
) -> set[str]:
    """Refusals that left no event: an order is too old to be decided, or says it is of the future.

    Args:
        calls: By id, each with every place of its command.
        buried: Offset of each command that was dead-lettered -> when it was written, Unix ms.
        told: (order id, error) of the answers without an event.
        forgotten: What no executor remembered.
        objectionable: True for a call that no executor takes.
        findings: Gets what is wrong, and the counts.

    Returns:
        The orders that rightly got no event.
    """
    rightly: set[str] = set()
    just: set[tuple[str, str]] = set()
    for call_id, places in calls.items():
        for offset, call in places:
            if offset not in buried:
                continue
            is_order = call["tool"] == "execute_trade"
            if objectionable(call):
                findings.counts["calls_objected_to"] += 1
            elif is_order and is_ahead(call, buried[offset]):
                findings.counts["refused_issued_ahead"] += 1
                just.add((call_id, ISSUED_AHEAD))
            elif is_order and forgotten.may_be_decided(offset, call):
                findings.counts["refused_too_old"] += 1
                just.add((call_id, TOO_OLD))
            else:
                findings.say(f"{call['tool']} at {offset} was buried, though it can be read")
                continue
            rightly.add(call_id)
    for (call_id, error), count in told.items():
        findings.counts["refusals_without_event"] += count
        is_just = (call_id, error) in just
        findings.expect(is_just, f"order {call_id} was refused without an event: {error!r}")
    return rightly


def answers_without_event(inboxes: dict[str, list[RawRecord]]) -> Counter[tuple[str, str]]:
    """(order id, error) of the answers that tell agents of a refusal without an event."""
    found: Counter[tuple[str, str]] = Counter()
    for records in inboxes.values():
        for raw in records:
            body = parse(raw.value) if raw.kind == "ToolResult" else None
            if body is None or body.get("ok") is not False:
                continue
            if body.get("tool") == "execute_trade" and body.get("account_seq") is None:
                found[str(body.get("call_id")), str(body.get("error"))] += 1
    return found
