"""The records that the executor appends to `account.events`, as bytes.

An order event is written as JSON directly: building and dumping the pydantic model costs ten times
as much. A contract test checks that both are equal, byte for byte.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from arena.account_state import Account, Position
from arena.accounts import Shard
from arena.checkpoint import FORMAT
from arena.messages import (
    AccountOpened,
    Epoch,
    OrderDecided,
    Posting,
    QuoteSeen,
    Rules,
    Source,
    StateDigest,
    ToolCall,
)
from arena.money import decimal_text, from_units, price_text, units_text
from arena.newest_events import Event
from arena.wire import Headers, encode, headers_of, utc_text
from trading_tools.context import Share
from trading_tools.decide import Decision
from trading_tools.fill import Fill, Unfilled
from trading_tools.orders.records import MARKET_ORDER, StepDetails
from trading_tools.quotes import Listing, Quote
from trading_tools.rules import TradingRules

FILL_FIELDS = (
    "price",
    "notional",
    "fee",
    "fee_bps",
    "slippage",
    "latency_cost",
    "realised",
    "scraped",
)
"""Fields of a fill, which are null in a rejection, in the order of `OrderDecided`."""


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """A record for `account.events`, and the offset that it must get there.

    Attributes:
        offset: The offset at which it was folded already.
        kind: Its type.
        key: The agent, or the shard for an epoch or digest.
        value: The record's value.
        headers: The record's headers.
        event: The value, decoded, of an `OrderDecided`; None for other types.
    """

    offset: int
    kind: str
    key: str
    value: bytes
    headers: Headers
    event: Event | None = field(default=None, compare=False)

    def fold_into(self, shard: Shard) -> "PendingEvent":
        """Fold it into its shard, as its owner does before it appends it; returns itself."""
        event = shard.apply(self.kind, self.value, self.offset)
        assert event is not None, f"own {self.kind} at {self.offset} does not count"
        return self


def epoch_of(shard: Shard, owner: str, now: datetime, rules: Rules | None = None) -> Epoch:
    """The claim of an owner on a shard, with the rules that it will decide by."""
    return Epoch(
        epoch=shard.epoch + 1, owner=owner, seq=shard.seq, prev=shard.head, rules=rules, at=now
    )


def state_digest_of(shard: Shard, sha256: str, now: datetime) -> StateDigest:
    """The owner's statement of what its shard hashes to now."""
    return StateDigest(
        epoch=shard.epoch,
        owner=shard.owner,
        seq=shard.seq,
        prev=shard.head,
        format=FORMAT,
        sha256=sha256,
        at=now,
    )


def account_opened(
    shard: Shard,
    source: tuple[int, int],
    order_id: str,
    agent: str,
    rules: TradingRules,
    now: datetime,
    scrape: Decimal | None = None,
) -> PendingEvent:
    """The event that opens an account, with the starting cash of each currency.

    Args:
        shard: The shard before the event.
        source: Partition and offset of the command after which a restart continues.
        order_id: Id of the command, or of the opening that a first call implies.
        agent: The agent.
        rules: The rules, for the starting cash.
        now: Wall time.
        scrape: Share of every realised profit to set aside.
    """
    event = AccountOpened(
        epoch=shard.epoch,
        owner=shard.owner,
        seq=shard.seq + 1,
        prev=shard.head,
        source=Source(partition=source[0], offset=source[1]),
        order_id=order_id,
        agent=agent,
        cash_usd=from_units(rules.starting_cash),
        scrape=scrape,
        postings=tuple(
            Posting(account=account, unit=unit, amount=str(sign * cash))
            for unit, cash in rules.starting_amounts
            for account, sign in ((f"agent/{agent}/cash", 1), ("house/capital", -1))
        ),
        at=now,
    )
    encoded = encode(event)
    return PendingEvent(shard.next_offset, "AccountOpened", agent, encoded.value, encoded.headers)


@dataclass(frozen=True, slots=True)
class Origin:
    """The call that placed an order, as all records of the order name it.

    Attributes:
        source: Partition and offset of the command that a record decides.
        issued_at: Issue time of the call as text.
    """

    source: tuple[int, int]
    order_id: str
    agent: str
    turn_id: str
    round: int
    index: int
    snapshot_id: str
    issued_at: str


def origin_of_call(call: ToolCall, source: tuple[int, int]) -> Origin:
    """The origin of an order that a command places."""
    return Origin(
        source,
        call.call_id,
        call.agent,
        call.turn_id,
        call.round,
        call.index,
        call.snapshot_id,
        utc_text(call.issued_at),
    )


def order_decided(
    shard: Shard,
    origin: Origin,
    decision: Decision,
    account: Account,
    rules: TradingRules,
    now: datetime,
    prices_at: datetime | None = None,
    wallet: str = "",
    details: StepDetails = MARKET_ORDER,
) -> PendingEvent:
    """The record of one step of an order.

    Args:
        shard: The shard before the event.
        origin: The call that placed the order.
        decision: The outcome of the step.
        account: The agent's account before the event.
        rules: The rules, for the fee.
        now: Wall time of the decision.
        prices_at: The time for the age of the price, if it is not `now`.
        wallet: Currency of the wallet that the order is settled in; "" for the main account.
        details: What a limit order, an exit, or an order under limits has besides.
    """
    event = {
        "epoch": shard.epoch,
        "owner": shard.owner,
        "seq": shard.seq + 1,
        "prev": shard.head,
        "source": {"partition": origin.source[0], "offset": origin.source[1]},
        "order_id": origin.order_id,
        "agent": origin.agent,
        "turn_id": origin.turn_id,
        "round": origin.round,
        "index": origin.index,
        "snapshot_id": origin.snapshot_id,
        **_outcome(decision, account, rules, prices_at or now),
        **({"currency": wallet} if wallet else {}),
        **(details.fields() if details is not MARKET_ORDER else {}),
        "issued_at": origin.issued_at,
        "at": utc_text(now),
    }
    headers = headers_of(OrderDecided, turn=origin.turn_id)
    value = orjson.dumps(event)
    return PendingEvent(shard.next_offset, "OrderDecided", origin.agent, value, headers, event)


# Any: JSON values, in the order of the fields of `OrderDecided`.
def _outcome(
    decision: Decision, account: Account, rules: TradingRules, prices_at: datetime
) -> dict[str, Any]:
    order, outcome = decision.order, decision.outcome
    product_id = "" if order is None else order.product_id
    fill = outcome if isinstance(outcome, Fill) else None
    refusal = None if isinstance(outcome, Fill) else outcome
    return {
        "outcome": _status(decision),
        "reason": None if refusal is None or refusal.reason is None else refusal.reason.value,
        "detail": "" if refusal is None else refusal.detail,
        "product_id": product_id,
        "action": None if order is None else order.action,
        "quantity": None if order is None else _quantity(decision),
        "seen": _seen(decision.seen),
        "used": _used(decision.quote, prices_at),
        **_listing(decision.listing),
        **_money(fill, account, product_id, rules),
    }


def _status(decision: Decision) -> str:
    outcome = decision.outcome
    if isinstance(outcome, Fill):
        return "part_filled" if decision.is_part else "filled"
    return outcome.status if isinstance(outcome, Unfilled) else "rejected"


def _quantity(decision: Decision) -> str | None:
    if isinstance(decision.outcome, Fill):
        return units_text(decision.outcome.quantity)
    assert decision.order is not None
    quantity = decision.order.quantity
    return None if isinstance(quantity, Share) else decimal_text(quantity)


def _seen(seen: QuoteSeen | None) -> dict[str, str] | None:
    if seen is None:
        return None
    return {"bid": decimal_text(seen.bid), "ask": decimal_text(seen.ask)}


def _used(quote: Quote | None, prices_at: datetime) -> dict[str, Any] | None:  # Any: JSON values
    if quote is None:
        return None
    return {
        "partition": quote.partition,
        "offset": quote.offset,
        "bid": quote.bid_text,
        "ask": quote.ask_text,
        "age_ms": quote.age_ms(prices_at),
        "event_time": utc_text(quote.event_time),
    }


def _listing(listing: Listing | None) -> dict[str, Any]:  # Any: JSON values
    if listing is None or listing.place is None:
        return {}
    partition, offset = listing.place
    return {"listing": {"partition": partition, "offset": offset}}


def _money(
    fill: Fill | None, account: Account, product_id: str, rules: TradingRules
) -> dict[str, Any]:  # Any: JSON values
    if fill is None:
        held = account.positions.get(product_id, Position()).quantity
        return {
            **dict.fromkeys(FILL_FIELDS),
            "postings": [],
            "cash_after": units_text(account.cash),
            "position_after": units_text(held) if product_id else None,
        }
    return {
        "price": price_text(fill.price),
        "notional": units_text(fill.notional),
        "fee": units_text(fill.fee),
        "fee_bps": decimal_text(rules.fee_bps),
        "slippage": units_text(fill.slippage),
        "latency_cost": units_text(fill.latency_cost),
        "realised": None if fill.realised is None else units_text(fill.realised),
        "scraped": units_text(fill.scraped) if fill.scraped else None,
        "postings": [
            {"account": name, "unit": unit, "amount": str(amount)}
            for name, unit, amount in fill.postings
        ],
        "cash_after": units_text(fill.cash_after),
        "position_after": units_text(fill.position_after),
    }
