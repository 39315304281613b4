"""Exits: armed by their entry, fired by tickers, cancelled with their position."""

import json

import pytest

from arena.messages import OrderDecided
from tests.trading_tools.orders.desk_room import SOL, DeskRoom, outcomes
from trading_tools.replay_steps import take_step


@pytest.fixture
def room() -> DeskRoom:
    """SOL-USD at 140.00/140.10."""
    room = DeskRoom()
    room.tick("140")
    return room


def test_entry_arms_its_exits_in_the_same_step(room: DeskRoom) -> None:
    """One record for the entry, one for each exit; the reply names their levels."""
    handled = room.buy(stop_loss_pct=3, take_profit_pct="5%", trailing_pct=4, exit_after="30m")

    assert handled.reply is not None
    assert "stop-loss at 135.92" in handled.reply.text
    assert ["stop_loss", "take_profit", "trailing_stop", "time_exit"] == room.open_types()
    steps = [json.loads(record.value) for record in handled.appends]
    assert ["filled", *["accepted"] * 4] == [step["outcome"] for step in steps]
    assert {steps[0]["order_id"]} == {step["terms"]["parent"] for step in steps[1:]}


@pytest.mark.parametrize(
    ("bid", "fired"),
    [
        ("135.93", None),
        ("135.92", "stop_loss"),
        ("100", "stop_loss"),
        ("147.13", None),
        ("147.14", "take_profit"),
    ],
)
def test_first_ticker_at_the_level_fires(room: DeskRoom, bid: str, fired: str | None) -> None:
    """It sells all at the bid of that ticker, never at the level, and cancels the other exit."""
    room.buy(stop_loss_pct=3, take_profit_pct=5)
    events = room.tick(bid)
    if fired is None:
        assert [] == events
        return
    other = {"stop_loss": "take_profit", "take_profit": "stop_loss"}[fired]
    assert [(fired, "filled", "triggered"), (other, "cancelled", "sibling_filled")] == outcomes(
        events
    )
    assert bid == events[0]["used"]["bid"]
    assert events[0]["trigger"]["offset"] == events[0]["used"]["offset"]
    assert [] == room.open_types()
    assert {} == room.shard.accounts["momentum"].positions


def test_trailing_stop_follows_the_highest_bid(room: DeskRoom) -> None:
    """It fires so many percent below the highest bid since it was placed."""
    room.buy(trailing_pct=5)
    for bid in ("150", "160", "152.01"):
        assert [] == room.tick(bid)
    (event,) = room.tick("152")

    assert "trailing_stop" == event["order_type"]
    assert "152" == event["trigger"]["level"]


def test_time_exit_fires_in_venue_time(room: DeskRoom) -> None:
    """At the first ticker from that time on."""
    room.buy(exit_after="10m")

    assert [] == room.tick("141", after_s=599)
    assert [("time_exit", "filled", "triggered")] == outcomes(room.tick("141", after_s=1))


def test_sale_by_the_agent_cancels_the_exits(room: DeskRoom) -> None:
    """A position that is closed has nothing to exit; one that is reduced keeps its exits."""
    room.buy("10", stop_loss_pct=3, take_profit_pct=5)
    room.call("execute_trade", product_id=SOL, quantity="4", action="sell")
    assert ["stop_loss", "take_profit"] == room.open_types()

    sold = room.call("execute_trade", product_id=SOL, quantity="all", action="sell")

    steps = [json.loads(record.value) for record in sold.appends]
    assert ["filled", "cancelled", "cancelled"] == [step["outcome"] for step in steps]
    assert ["position_closed"] * 2 == [step["cause"] for step in steps[1:]]
    assert [] == room.open_types()


def test_new_exit_replaces_the_one_of_its_type(room: DeskRoom) -> None:
    """The position is protected all the time: the new one is armed before the old one ends."""
    room.buy(stop_loss_pct=3, take_profit_pct=5)
    handled = room.call("set_exit", product_id=SOL, stop_loss_price="138", trailing_pct=2)

    steps = [json.loads(record.value) for record in handled.appends]
    assert [
        ("stop_loss", "accepted", ""),
        ("stop_loss", "cancelled", "replaced"),
        ("trailing_stop", "accepted", "armed"),
    ] == [(step["order_type"], step["outcome"], step.get("cause", "")) for step in steps]
    assert ["take_profit", "stop_loss", "trailing_stop"] == room.open_types()
    assert [("stop_loss", "filled", "triggered")] == outcomes(room.tick("138"))[:1]


def test_exit_waits_for_a_fresh_price(room: DeskRoom) -> None:
    """A ticker too old to trade on triggers; the first fresh one fills, also after a crash."""
    room.buy(stop_loss_pct=3)
    assert [] == room.tick("130", age_s=60)
    room.snapshot()
    room.restart()
    (event, *_) = room.tick("150")

    assert ("filled", "triggered") == (event["outcome"], event["cause"])
    assert "150" == event["used"]["bid"], "at the price found then, not at the level"
    assert "130" == event["trigger"]["bid"]


@pytest.mark.parametrize("lost", range(4))
def test_crash_between_any_two_records_loses_nothing(lost: int) -> None:
    """The next owner takes the steps that were due, with the same ids."""
    whole, cut = DeskRoom(), DeskRoom()
    for room in (whole, cut):
        room.tick("140")
        room.buy(stop_loss_pct=3, take_profit_pct=5, trailing_pct=4)
    cut.lose_last(lost)
    taken = cut.restart()

    assert lost == len(taken), "each lost record is made again, and no other"
    assert whole.open_types() == cut.open_types()
    assert [*whole.orders.open] == [*cut.orders.open]
    assert whole.shard.digest() == cut.shard.digest()
    for room in (whole, cut):
        room.tick("120")
    assert whole.shard.digest() == cut.shard.digest()


def test_records_are_what_pydantic_writes(room: DeskRoom) -> None:
    """Every step as bytes equals the message, byte for byte."""
    room.buy(stop_loss_pct=3, take_profit_pct=5, trailing_pct=4, exit_after=60)
    room.call("set_exit", product_id=SOL, stop_loss_price="138")
    room.buy("1", limit_price="139", stop_loss_pct=2, exit_after=60, expires_after="1h")
    room.call("cancel_order", order_id="all")
    room.buy(stop_loss_pct=3)
    room.tick("120")
    for record in room.records:
        if record.kind == "OrderDecided":
            message = OrderDecided.model_validate_json(record.value)
            assert record.value.decode() == message.model_dump_json()


def test_exits_armed_by_the_next_owner_miss_no_ticker(room: DeskRoom) -> None:
    """The owner was killed between an entry and its exits; the price fell and came back."""
    room.buy("10", stop_loss_pct=3, trailing_pct=20)
    room.lose_last(2)
    for bid in ("120", "140"):
        room.note(bid)

    events = room.restart()

    armed, trailing = events[:2]
    assert [0, 1] == armed["terms"]["placed_after"] == trailing["terms"]["placed_after"]
    assert "140" == trailing["used"]["bid"]
    assert ("stop_loss", "filled", "triggered") == outcomes(events)[2]
    assert 2 == events[2]["trigger"]["offset"]


@pytest.mark.parametrize(("level", "same"), [("135.92", True), ("135.93", False), ("138", False)])
def test_replay_fires_an_exit_at_its_own_level_only(room: DeskRoom, level: str, same: bool) -> None:
    """A record that names another level is not written again."""
    room.buy("10", stop_loss_pct=3)
    (event, *_) = room.tick("135")
    assert "135.92" == event["trigger"]["level"]
    before = DeskRoom()
    before.handler.market = room.handler.market
    for record in room.records[len(before.records) : -1]:
        before.shard.apply(record.kind, record.value, record.offset)

    event["trigger"]["level"] = level
    written = take_step(before.handler, event, None)

    assert same == (written is not None and written.value == room.records[-1].value)
