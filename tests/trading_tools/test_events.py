"""The bytes of events are those that pydantic would write, for every outcome."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.account_state import Account, Position
from arena.accounts import Shard
from arena.messages import OrderDecided, QuoteSeen
from arena.wire import decode, encode, utc_text
from tests.trading_tools.helpers import product, ticker, tool_call
from trading_tools.context import Order
from trading_tools.decide import decide
from trading_tools.events import (
    PendingEvent,
    account_opened,
    epoch_of,
    order_decided,
    origin_of_call,
)
from trading_tools.quotes import MarketState
from trading_tools.rules import TradingRules
from trading_tools.schema import InvalidArguments

NOW = datetime(2026, 11, 21, 9, 12, 3, 400_000, tzinfo=UTC)
SEEN = {"BTC-USD": QuoteSeen(bid=Decimal("67200.10"), ask=Decimal("67201.00"))}


# Any: fields of a ToolCall.
def event_of(order: Order | InvalidArguments, **changes: Any) -> PendingEvent:
    """The event of an order of an account with a position."""
    market = MarketState()
    market.note(product(), 0, 0)
    market.note(ticker("67201.10", "67203.550").model_copy(update={"received_at": NOW}), 0, 1)
    fields: dict[str, Any] = {"issued_at": NOW, "deadline_at": NOW, "quotes_seen": SEEN} | changes
    call = tool_call("momentum", "execute_trade", "{}", **fields)
    account = Account(cash=10**13, positions={"BTC-USD": Position(10**7, 10**11, 5)})
    rules = TradingRules()
    decision = decide(account, call, order, market, rules, NOW)
    shard, origin = Shard(epoch=3, owner="me"), origin_of_call(call, (0, 7))
    return order_decided(shard, origin, decision, account, rules, NOW)


@pytest.mark.parametrize(
    "order",
    [
        Order("BTC-USD", Decimal("0.0410"), "buy"),
        Order("BTC-USD", Decimal("0.01"), "sell"),
        Order("BTC-USD", Decimal("1E+2"), "sell"),
        Order("BTC-USD", Decimal("-3"), "buy"),
        Order('D\u00f6GE "USD"\n\x1b[31m', Decimal("1.50"), "buy"),
        InvalidArguments("quantity was 'lots': send a number"),
    ],
)
def test_order_event_is_what_pydantic_writes(order: Order | InvalidArguments) -> None:
    """The hand-written JSON and headers equal those of the message."""
    written = event_of(order)
    read = decode(written.value, written.headers)

    assert isinstance(read, OrderDecided)
    assert encode(read).value == written.value
    assert encode(read).headers == written.headers


def test_order_without_turn_or_quotes_is_what_pydantic_writes() -> None:
    """The same for an operator's call."""
    written = event_of(Order("X", Decimal(1), "buy"), turn_id="", quotes_seen={})

    assert encode(decode(written.value, written.headers)).headers == written.headers
    assert encode(decode(written.value, written.headers)).value == written.value


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_are_written_as_pydantic_does(at: datetime) -> None:
    """With microseconds if there are any, and a Z."""
    epoch = epoch_of(Shard(), "me", at)

    assert f'"at":"{utc_text(at)}"'.encode() in encode(epoch).value


def test_opening_counts_and_balances() -> None:
    """The fold accepts an opening, and its money comes from the house's capital."""
    shard = Shard(epoch=1, owner="me")
    record = account_opened(shard, (0, 4), "order", "momentum", TradingRules(), NOW)
    event = shard.apply(record.kind, record.value, record.offset)

    assert event is not None
    assert 10**13 == shard.accounts["momentum"].cash == -shard.house["house/capital", "USD"]
    assert (4, 1) == (shard.source_offset, shard.seq)


def test_epoch_claims_the_current_state() -> None:
    """Its number, sequence and chain are those that the fold expects next."""
    shard = Shard()
    for owner in ("one", "two"):
        encoded = encode(epoch_of(shard, owner, NOW + timedelta(seconds=1)))
        assert shard.apply("Epoch", encoded.value, shard.next_offset)

    assert (2, "two") == (shard.epoch, shard.owner)
