"""Limit orders: marketable ones fill at once, others when the market trades through."""

import json
from decimal import Decimal

import pytest

from arena.money import to_units
from arena.risk_limits import RiskLimits
from tests.trading_tools.orders.desk_room import AGENT, SOL, START, DeskRoom, outcomes
from trading_tools.handled_command import HandledCommand
from trading_tools.risk.requests import LimitSettings


@pytest.fixture
def room() -> DeskRoom:
    """SOL-USD at 140.00/140.10."""
    room = DeskRoom()
    room.tick("140")
    return room


def reason(handled: HandledCommand) -> str:
    """Reason and detail of a rejection."""
    assert handled.reply is not None
    return f"{handled.reason}: {handled.reply.text}"


def test_standing_buy_fills_at_its_limit_once_traded_through(room: DeskRoom) -> None:
    """An ask at the limit is a queue that it may be the last of; one below has passed it."""
    handled = room.buy("10", limit_price="139", stop_loss_pct=2, exit_after=600)
    assert "accepted" == handled.kind
    assert handled.reply is not None
    assert "Placed a limit order to buy 10 SOL-USD at 139" in handled.reply.text
    assert [] == room.tick("138.9", "139")

    events = room.tick("138.8", "138.99", after_s=60)

    assert [
        ("limit", "filled", "triggered"),
        ("stop_loss", "accepted", "armed"),
        ("time_exit", "accepted", "armed"),
    ] == outcomes(events)
    assert ("139", 0) == (events[0]["price"], float(events[0]["slippage"]))
    assert "136.22" == events[1]["terms"]["trigger_price"], "2 % below the limit"
    assert f"{room.now.isoformat()[:-6]}"[:16] < events[2]["terms"]["exits_at"][:16]
    assert [("time_exit", "filled", "triggered")] == outcomes(room.tick("139", after_s=600))[:1]


def test_marketable_order_fills_at_once_within_its_limit(room: DeskRoom) -> None:
    """With slippage, but at no worse price than the limit."""
    (record, *_) = room.buy("10", limit_price="140.11").appends
    event = json.loads(record.value)

    assert ("filled", "limit", "140.11") == (event["outcome"], event["order_type"], event["price"])
    assert [] == room.open_types()


def test_sizes_bound_each_fill(room: DeskRoom) -> None:
    """What is offered fills, the rest waits: one order id, a record for each step."""
    room.tick("140", "140.10", size="4")
    room.buy("10", limit_price="140.20")
    assert to_units(Decimal(6)) == next(iter(room.orders.open.values())).remaining
    assert [("limit", "part_filled", "triggered")] == outcomes(room.tick("139", "139.5", size="5"))
    assert [("limit", "filled", "triggered")] == outcomes(room.tick("139", "139.6", size="5"))

    events = [e for e in room.shard.recent if e.get("order_type") == "limit"]
    assert [0, 1, 2] == [event.get("step", 0) for event in events]
    assert 1 == len({event["order_id"] for event in events})
    assert ["4", "9", "10"] == [e["filled_quantity"].split(".")[0] for e in events]


def test_open_buys_reserve_cash(room: DeskRoom) -> None:
    """What is reserved cannot be spent, and is free again once the order ends."""
    room.buy("700", limit_price="139")
    assert "insufficient_cash" in reason(room.buy("20"))
    assert "for open orders" in reason(room.buy("20"))
    handled = room.call("cancel_order", order_id="all")
    assert "cancelled" == handled.kind

    assert "filled" == room.buy("20").kind


def test_order_expires_in_venue_time(room: DeskRoom) -> None:
    """At the first ticker or snapshot from that time on, before it could fill."""
    room.buy("1", limit_price="139", expires_after="5m")
    events = room.tick("130", after_s=300)

    assert [("limit", "expired", "expired")] == outcomes(events)
    assert [("limit", "expired")] == [(c.order_type, c.status) for c in room.orders.closed]


def test_cancel_is_told_apart_from_unknown(room: DeskRoom) -> None:
    """One order by its id; an unknown one is rejected with what is open."""
    (record,) = room.buy("1", limit_price="139").appends
    order_id = json.loads(record.value)["order_id"]
    assert "not one of your 1 open orders" in reason(room.call("cancel_order", order_id="abc"))
    assert "cancelled" == room.call("cancel_order", order_id=order_id).kind
    assert "cancelled already" in reason(room.call("cancel_order", order_id=order_id))
    assert "no order of yours is open" in reason(room.call("cancel_order", order_id="all"))


def test_sell_limit_ends_with_its_position(room: DeskRoom) -> None:
    """It cannot sell what is not held any more."""
    room.buy("10")
    room.call("execute_trade", product_id=SOL, quantity="10", action="sell", limit_price="150")
    handled = room.call("execute_trade", product_id=SOL, quantity="all", action="sell")

    steps = [json.loads(record.value) for record in handled.appends]
    assert [("limit", "cancelled")] == [
        (s.get("order_type"), s["outcome"]) for s in steps if s.get("order_type")
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"limit_price": "139.005"}, "no multiple of 0.01; try 139"),
        ({"stop_loss_pct": "0.001"}, "not below the bid"),
        ({"limit_price": "0"}, "limit_price was 0"),
        ({"stop_loss_pct": "100"}, "stop_loss_pct was 100"),
        ({"trailing_pct": "0"}, "trailing_pct was 0"),
        ({"expires_after": "5m"}, "expires_after was given without limit_price"),
    ],
)
def test_bad_terms_trade_nothing(room: DeskRoom, arguments: dict[str, str], expected: str) -> None:
    """Each is refused whole, with the value and the remedy."""
    cash = room.shard.accounts[AGENT].cash
    handled = room.buy("1", **arguments)

    assert "rejected" == handled.kind
    assert expected in reason(handled)
    assert cash == room.shard.accounts[AGENT].cash
    assert [] == room.open_types()


def test_exit_for_what_is_not_held(room: DeskRoom) -> None:
    """Nothing is armed."""
    handled = room.call("set_exit", product_id=SOL, stop_loss_pct=3)

    assert "nothing_held: Rejected: nothing held: SOL-USD is not held" in reason(handled)
    assert START < room.now


def test_rest_below_the_smallest_order_still_fills(room: DeskRoom) -> None:
    """The minimum is for the order, not for what a ticker's size left of it."""
    room.buy("1", limit_price="139")

    first = room.tick("138.5", "138.6", size="0.998")
    rest = room.tick("138.5", "138.6", size="5")

    assert [("limit", "part_filled", "triggered")] == outcomes(first)
    assert [("limit", "filled", "triggered")] == outcomes(rest)
    assert "0.002" == rest[0]["quantity"], "worth 28 cents"


def test_size_of_the_newest_ticker_fills_an_order_once(room: DeskRoom) -> None:
    """Three tickers are checked late: each fill is at the newest one, which offers 1 SOL."""
    room.buy("10", limit_price="139")
    late = [room.note(bid, size="1") for bid in ("138.5", "138.4", "138.3")]

    events = [event for quote in late for event in room.check(quote)]

    assert [("limit", "part_filled", "triggered")] == outcomes(events)
    assert to_units(Decimal(9)) == next(iter(room.orders.open.values())).remaining
    again = room.tick("138.3", size="1")
    assert [("limit", "part_filled", "triggered")] == outcomes(again)


def test_stop_that_a_limit_order_brings_counts_at_its_fill() -> None:
    """`require_stop` is met, and the risk of the position is measured with that stop."""
    limits = RiskLimits.from_json({"require_stop": True, "max_position_risk_pct": 1})
    room = DeskRoom(limits=LimitSettings(default=limits))
    room.tick("140")
    room.buy("10", limit_price="139", stop_loss_pct=2)

    events = room.tick("138.5", "138.6")

    assert [("limit", "filled", "triggered"), ("stop_loss", "accepted", "armed")] == outcomes(
        events
    )
    states = {check["limit"]: check["state"] for check in events[0]["risk"]["checks"]}
    assert {"require_stop": "ok", "max_position_risk_pct": "ok"} == states


def test_fill_far_above_the_market_is_measured_by_what_it_loses() -> None:
    """The market fell through the limit by a half: a fill there would lose more than allowed."""
    limits = RiskLimits.from_json({"max_daily_loss_pct": 5, "on_breach": "adjust"})
    room = DeskRoom(limits=LimitSettings(default=limits))
    room.tick("140")
    room.buy("500", limit_price="139")

    (event,) = room.tick("70")

    assert "adjusted" == event["risk"]["decision"]
    cash, held = Decimal(event["cash_after"]), Decimal(event["position_after"])
    assert Decimal(95_000) <= cash + held * 70 < Decimal(95_001)
