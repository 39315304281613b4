"""Limits of risk in the executor: set in the log, applied to every order, tripped by losses."""

import json

import pytest
from pydantic import JsonValue

from arena.messages import (
    MarketChecked,
    Message,
    OrderDecided,
    RiskLimitsSet,
    RiskRequest,
    RiskTripped,
)
from arena.risk_limits import RiskLimits
from tests.trading_tools.orders.desk_room import AGENT, SOL, DeskRoom
from trading_tools.risk.requests import LimitSettings


def room_with(**limits: JsonValue) -> DeskRoom:
    """SOL-USD at 140.00/140.10, and an agent with limits."""
    settings = LimitSettings(RiskLimits.from_json(limits))
    room = DeskRoom(limits=settings)
    room.tick("140")
    room.snapshot()
    return room


def test_limits_are_set_before_the_first_order_they_govern() -> None:
    """After the note of the check, so that a restart measures from there on."""
    room = room_with(max_symbol_exposure_pct=10, on_breach="adjust")
    handled = room.buy("100")

    assert ["MarketChecked", "RiskLimitsSet", "OrderDecided"] == [r.kind for r in handled.appends]
    event = json.loads(handled.appends[-1].value)
    assert "adjusted" == event["risk"]["decision"]
    assert float(event["quantity"]) < 72
    assert handled.reply is not None
    assert "Risk cut the order from 100" in handled.reply.text
    assert ["OrderDecided"] == [record.kind for record in room.buy("1").appends]


def test_rejection_names_limit_and_values() -> None:
    """The model can act on it."""
    room = room_with(max_symbol_exposure_pct=10)
    handled = room.buy("100")

    assert handled.reply is not None
    assert ("rejected", "risk_limit") == (handled.kind, handled.reason)
    assert "max_symbol_exposure_pct" in handled.reply.text


@pytest.mark.parametrize("flatten", [False, True])
def test_drawdown_allows_sells_only_until_lifted(flatten: bool) -> None:
    """Found at the end of a snapshot; a restart neither repeats nor forgets it."""
    room = room_with(max_drawdown_pct=5, flatten_on_breach=flatten)
    room.buy("300", stop_loss_pct=50)
    room.snapshot()
    room.tick("120")
    events = room.snapshot()

    kinds = [event["kind"] for event in events]
    assert 1 == kinds.count("RiskTripped")
    assert "MarketChecked" == kinds[-1]
    assert flatten == ({} == room.shard.accounts[AGENT].positions)
    told = [(c.order_type, c.cause, c.quantity > 0) for c in room.orders.closed]
    assert flatten == (("market", "flatten:max_drawdown_pct", True) in told), "the agent hears it"
    refused = room.buy("1").reply
    assert refused is not None
    assert "max_drawdown_pct" in refused.text
    room.restart()
    assert ["MarketChecked"] == [event["kind"] for event in room.snapshot()]
    if not flatten:
        sold = room.call("execute_trade", product_id=SOL, quantity="all", action="sell")
        assert "filled" == sold.kind


def test_daily_loss_ends_with_the_utc_day() -> None:
    """Buys are allowed again on the next day."""
    room = room_with(max_daily_loss_pct=5)
    room.buy("300")
    room.snapshot()
    room.tick("115")
    room.snapshot()
    assert "rejected" == room.buy("1").kind
    room.tick("115", after_s=16 * 3600)
    room.snapshot()

    assert "filled" == room.buy("1").kind


def test_records_are_what_pydantic_writes() -> None:
    """The records of limits equal their messages, byte for byte."""
    room = room_with(max_drawdown_pct=5, flatten_on_breach=True)
    room.buy("300", trailing_pct=50)
    room.snapshot()
    room.tick("120")
    room.snapshot()
    kinds: dict[str, type[Message]] = {
        kind.type_name(): kind for kind in (MarketChecked, RiskLimitsSet, RiskTripped)
    }
    found = [record for record in room.records if record.kind in kinds]

    assert set(kinds) == {record.kind for record in found}
    for record in found:
        message = kinds[record.kind].model_validate_json(record.value)
        assert record.value.decode() == message.model_dump_json()


@pytest.mark.parametrize("quantity", ["999999999999999999", "1", "0.00000001"])
def test_any_quantity_makes_a_record_that_can_be_read(quantity: str) -> None:
    """An order may ask for far more than a percentage or an amount of a record can hold."""
    settings = RiskLimits.from_json(
        {"preset": "cautious", "max_order_notional": "1000", "min_cash_pct": 5}
    )
    room = DeskRoom(limits=LimitSettings(default=settings))
    room.tick("140")

    room.buy(quantity)

    assert OrderDecided.model_validate_json(room.records[-1].value).risk is not None


def test_lift_keeps_the_count_of_the_day() -> None:
    """Losses are measured from now on; buys of the day still count."""
    room = room_with(max_drawdown_pct=5, max_trades_per_day=2)
    room.buy("300")
    room.snapshot()
    room.tick("120")
    room.snapshot()
    assert "rejected" == room.buy("1").kind
    assert room.limits is not None
    request = RiskRequest(agent=AGENT, lift=True, by="test", at=room.now)
    assert "" == room.limits.note(request, 1)

    assert "filled" == room.buy("1").kind, "the breach is lifted"
    assert "risk_limit" == room.buy("1").reason, "the third buy of the day"
    room.snapshot()
    assert "" == room.shard.risk[AGENT].tripped
