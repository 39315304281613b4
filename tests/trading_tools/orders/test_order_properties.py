"""Limit orders and exits, in random sequences of calls, prices, snapshots and crashes."""

import json
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from arena.accounts import Shard
from arena.open_orders import OpenOrder
from tests.trading_tools.orders.desk_room import AGENT, SOL, DeskRoom
from trading_tools.orders.reserved import open_buys, reserved_cash
from trading_tools.rules import TradingRules

RULES = TradingRules(pacing="lock-step")
"""The age of prices is measured by the market, so a test may take its time."""

PRICES = st.integers(90, 200).map(lambda cents: Decimal(cents) + Decimal("0.37"))
PCT = st.sampled_from(["0.5", "1", "3", "10", "30"])
EXITS = st.fixed_dictionaries(
    {},
    optional={
        "stop_loss_pct": PCT,
        "take_profit_pct": PCT,
        "trailing_pct": PCT,
        "exit_after": st.sampled_from([2, 5, 30]),
    },
)
QUANTITY = st.sampled_from(["0.5", "3", "50", "all", "50%"])
STEPS = st.one_of(
    st.tuples(st.just("tick"), PRICES, st.sampled_from([None, "0.2", "2"])),
    st.tuples(st.just("buy"), QUANTITY, EXITS),
    st.tuples(st.just("limit"), QUANTITY, PRICES, EXITS),
    st.tuples(st.just("sell"), QUANTITY, st.none() | PRICES),
    st.tuples(st.just("set_exit"), EXITS),
    st.tuples(st.just("cancel")),
    st.tuples(st.just("snapshot")),
)


@dataclass
class Model:
    """What open exits are to do, by looking at every one of them at every ticker.

    Attributes:
        peaks: Order id of a trailing stop -> highest bid since it was placed.
    """

    peaks: dict[str, int] = field(default_factory=dict)

    def note_placed(self, room: DeskRoom) -> None:
        """Note the bid at which new trailing stops were placed."""
        bid = room.handler.market.quotes[SOL].bid
        for order in room.orders.open.values():
            if order.trailing_pct:
                self.peaks.setdefault(order.order_id, bid)

    def due(self, room: DeskRoom, bid: int, now_ms: int) -> set[str]:
        """Types of the exits that a bid triggers."""
        found = set()
        for order in room.orders.open.values():
            if not order.is_exit:
                continue
            self.peaks[order.order_id] = max(self.peaks.get(order.order_id, 0), bid)
            if self._is_due(order, bid, now_ms):
                found.add(order.order_type)
        return found

    def _is_due(self, order: OpenOrder, bid: int, now_ms: int) -> bool:
        if order.order_type == "time_exit":
            return now_ms >= order.exits_ms
        if order.order_type == "take_profit":
            return bid >= order.trigger
        if order.order_type == "stop_loss":
            return bid <= order.trigger
        share = int(Decimal(order.trailing_pct) * 10**6)
        return bid <= self.peaks[order.order_id] * (10**8 - share) // 10**8


# Any: arguments of tools.
def play(room: DeskRoom, model: Model, step: tuple[Any, ...]) -> None:
    """Carry out one step, and check what it triggered."""
    kind, *rest = step
    if kind == "tick":
        price, size = rest
        quote_bid = int(price * 10**18)
        due = model.due(room, quote_bid, int(room.now.timestamp() * 1000) + 1000)
        events = room.tick(str(price), size=size)
        fired = [
            event["order_type"]
            for event in events
            if event["outcome"] == "filled" and event.get("order_type") not in (None, "limit")
        ]
        assert bool(due) == bool(fired), (due, fired)
        assert set(fired) <= due
        assert len(fired) <= 1, "the first to fire sells all that is held"
    elif kind == "snapshot":
        room.snapshot()
    elif kind == "buy":
        room.buy(rest[0], **rest[1])
    elif kind == "limit":
        room.buy(rest[0], limit_price=str(rest[1].quantize(Decimal("0.01"))), **rest[2])
    elif kind == "sell":
        limit = {} if rest[1] is None else {"limit_price": str(rest[1])}
        room.call("execute_trade", product_id=SOL, quantity=rest[0], action="sell", **limit)
    elif kind == "set_exit":
        room.call("set_exit", product_id=SOL, **rest[0])
    else:
        room.call("cancel_order", order_id="all")
    model.note_placed(room)
    check(room)


def check(room: DeskRoom) -> None:
    """What holds after every step."""
    account = room.shard.accounts[AGENT]
    open_orders = list(room.orders.open.values())
    reserved = reserved_cash(open_buys(open_orders, ""), room.rules)
    assert account.cash >= reserved, "open buys can be paid for"
    types = Counter(order.order_type for order in open_orders if order.is_exit)
    assert all(count == 1 for count in types.values()), "one exit of a type"
    if SOL not in account.positions:
        assert not [order for order in open_orders if order.action == "sell"]
    assert all(order.step >= 0 for order in open_orders), "every exit is armed"


def folded(room: DeskRoom) -> Shard:
    """The log, folded from its first record."""
    shard = Shard()
    for record in room.records:
        assert shard.apply(record.kind, record.value, record.offset) is not None
    return shard


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_exits_fire_exactly_when_their_price_comes(steps: list[tuple[Any, ...]]) -> None:
    """Once each, at the first ticker; the log folds to the state of its owner."""
    room, model = DeskRoom(RULES), Model()
    room.tick("140")
    for step in steps:
        play(room, model, step)
    again = folded(room)

    assert room.shard.digest() == again.digest()
    assert room.shard.risk == again.risk
    closings = Counter(
        event["order_id"]
        for event in (json.loads(r.value) for r in room.records if r.kind == "OrderDecided")
        if event["outcome"] in ("filled", "cancelled", "expired", "rejected")
    )
    assert all(count == 1 for count in closings.values()), "an order ends once"


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=12), st.data())
def test_owner_killed_anywhere_loses_and_doubles_nothing(
    steps: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    """Cut after any record, the next owner ends with the same accounts and open orders."""
    room = DeskRoom(RULES)
    room.tick("140")
    room.snapshot()
    before = 0
    for step in steps:
        before = len(room.records)
        if step[0] == "tick":
            room.tick(str(step[1]), size=step[2])
        else:
            play(room, Model(), step)
    digest = room.shard.digest()
    lost = data.draw(st.integers(0, _own_steps(room, before)))
    room.lose_last(lost)
    room.restart()

    assert digest == room.shard.digest()


def _own_steps(room: DeskRoom, first: int) -> int:
    """How many of the newest records no command asked for; a lost command is read again."""
    count = 0
    for record in reversed(room.records[first:]):
        cause = json.loads(record.value).get("cause", "")
        if record.kind != "MarketChecked" and cause in ("", "cancelled"):
            break
        count += 1
    return count
