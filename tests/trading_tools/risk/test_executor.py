"""Limits in the executor, over the bus in memory: settings, requests, verdicts in the log."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from arena import topics
from arena.bus.memory import MemoryBus
from arena.exports import export_topics
from arena.messages import (
    Candle,
    ClosedCandle,
    OrderDecided,
    RiskAdjustment,
    RiskLimitsSet,
    RiskRequest,
    ToolCall,
    ToolResult,
)
from arena.risk_limits import RiskLimits
from arena.risk_requests import key_of_adjustment, key_of_request
from tests.trading_tools.helpers import product, read_until, serving, ticker, tool_call
from trading_tools.replay import OrderReplay
from trading_tools.risk.requests import LimitSettings

REPLAYED = tuple(
    one.name
    for one in (
        topics.TICKERS,
        topics.CANDLES,
        topics.COMMANDS,
        topics.EVENTS,
        topics.ROSTER,
        topics.CONTROL,
    )
)
STANDARD = RiskLimits.of_preset("standard")


async def market(bus: MemoryBus) -> None:
    """One product at 100."""
    await bus.send(topics.TICKERS.name, product(), key="BTC-USD")
    await bus.send(topics.TICKERS.name, ticker("100", "100"), key="BTC-USD")


def trade(quantity: str, index: int, action: str = "buy", agent: str = "mo") -> ToolCall:
    """An order at that price."""
    arguments = f'{{"product_id": "BTC-USD", "quantity": "{quantity}", "action": "{action}"}}'
    return tool_call(agent, "execute_trade", arguments, index=index, ticker_offsets={0: 2})


async def order(bus: MemoryBus, call: ToolCall) -> ToolResult:
    """The reply to an order."""
    await bus.send(topics.COMMANDS.name, call, key=call.agent)
    found = await read_until(bus, call.reply_to, ToolResult, call.index + 1)
    return next(result for result in found if result.call_id == call.call_id)


async def ask(bus: MemoryBus, agent: str | None, **values: Any) -> None:  # Any: fields
    """A request of an operator."""
    request = RiskRequest(agent=agent, by="test", at=datetime.now(UTC), **values)
    await bus.append(topics.CONTROL.name, request, key=key_of_request(agent))


async def test_limits_are_in_the_log_before_the_first_order(memory_bus: MemoryBus) -> None:
    """The record of the limits comes first; the order's record has what risk said."""
    await market(memory_bus)
    async with serving(memory_bus, limits=LimitSettings(STANDARD)):
        cut = await order(memory_bus, trade("900", 0))
        sold = await order(memory_bus, trade("1", 1, "sell"))
    (limits,) = await read_until(memory_bus, topics.EVENTS.name, RiskLimitsSet, 1)
    first, second = await read_until(memory_bus, topics.EVENTS.name, OrderDecided, 2)

    assert ("mo", "standard", "arena", STANDARD) == (
        limits.agent,
        limits.preset,
        limits.set_by,
        RiskLimits.from_json(limits.limits),
    )
    assert limits.seq < first.seq
    assert first.risk is not None
    assert second.risk is not None
    assert ("filled", "adjusted", Decimal(900), "max_symbol_exposure_pct") == (
        first.outcome,
        first.risk.decision,
        first.risk.asked,
        first.risk.limit,
    )
    assert first.quantity is not None
    assert 497 < first.quantity < 500
    assert "cut the order from 900 to" in cut.text
    assert ("approved", {"exempt"}) == (
        second.risk.decision,
        {check.state for check in second.risk.checks},
    )
    assert sold.ok


async def test_a_request_governs_the_next_order(memory_bus: MemoryBus) -> None:
    """A request takes effect without a restart, is in the log, and can be taken back."""
    await market(memory_bus)
    await memory_bus.ensure_topics([topics.CONTROL])
    async with serving(memory_bus, limits=LimitSettings()):
        assert (await order(memory_bus, trade("900", 0))).ok
        await ask(memory_bus, "mo", limits={"veto_actions": ["buy"]}, reason="drill")
        refused = await order(memory_bus, trade("1", 1))
        await ask(memory_bus, "mo", reset=True)
        allowed = await order(memory_bus, trade("1", 2))
    asked, reset = await read_until(memory_bus, topics.EVENTS.name, RiskLimitsSet, 2)

    assert (False, "risk_limit", True) == (refused.ok, refused.error, allowed.ok)
    assert "veto_actions: only sells are allowed" in refused.text
    assert ("request", "drill", "test", {"veto_actions": ["buy"]}) == (
        asked.set_by,
        asked.reason,
        asked.by,
        asked.limits,
    )
    assert ("arena", {}) == (reset.set_by, reset.limits)


async def test_an_adjustment_lasts_until_its_venue_time(memory_bus: MemoryBus) -> None:
    """The log has its limits before the order they cut, and those before after its end."""
    await market(memory_bus)
    await memory_bus.ensure_topics([topics.CONTROL])
    until = ticker("100", "100").event_time + timedelta(seconds=10)
    asked = RiskAdjustment(
        agent="mo", factor=Decimal("0.5"), expires_at=until, reason="drill", by="judge", at=until
    )
    async with serving(memory_bus, limits=LimitSettings(STANDARD)):
        await memory_bus.append(topics.CONTROL.name, asked, key=key_of_adjustment("mo"))
        cut = await order(memory_bus, trade("400", 0))
        later = ticker("100", "100").model_copy(update={"event_time": until})
        await memory_bus.send(topics.TICKERS.name, later, key="BTC-USD")
        whole = trade("200", 1).model_copy(update={"ticker_offsets": {0: 3}})
        assert "cut the order" not in (await order(memory_bus, whole)).text
    first, second = await read_until(memory_bus, topics.EVENTS.name, RiskLimitsSet, 2)

    assert "cut the order from 400 to" in cut.text
    assert ("25", "request", "judge", "drill") == (
        first.limits["max_symbol_exposure_pct"],
        first.set_by,
        first.by,
        first.reason,
    )
    assert ("50", "arena") == (second.limits["max_symbol_exposure_pct"], second.set_by)


async def candles(bus: MemoryBus, hours: int) -> int:
    """Closed minutes of some hours in which every second hour loses 10 %; their number."""
    start = datetime(2026, 11, 28, tzinfo=UTC)
    for hour in range(hours):
        close = Decimal(100 - 10 * (hour % 2))
        candle = Candle(
            start=start + timedelta(minutes=60 * hour + 59),
            open=close,
            high=close,
            low=close,
            close=close,
            volume=Decimal(1),
        )
        message = ClosedCandle(venue="test", product_id="BTC-USD", candle=candle)
        await bus.append(topics.CANDLES.name, message, key="BTC-USD")
    return hours


async def test_value_at_risk_follows_the_candles_of_the_snapshot(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    """The verdict names hours and offsets; too few candles do not block; it replays the same."""
    await market(memory_bus)
    count = await candles(memory_bus, 40)
    limits = RiskLimits.from_json({"max_var_pct": 5, "max_price_jump_pct": 20})
    async with serving(memory_bus, limits=LimitSettings(limits)):
        early = trade("200", 0).model_copy(update={"candle_offsets": {0: 10}})
        late = trade("200", 1).model_copy(update={"candle_offsets": {0: count}})
        assert (await order(memory_bus, early)).ok
        refused = await order(memory_bus, late)
    few, many = await read_until(memory_bus, topics.EVENTS.name, OrderDecided, 2)
    assert few.risk is not None
    assert few.risk.value_at_risk is not None
    assert many.risk is not None
    assert many.risk.value_at_risk is not None

    assert ["unknown", "9 hours of candles, at least 24 are needed"] == [
        next(getattr(c, f) for c in few.risk.checks if c.limit == "max_var_pct")
        for f in ("state", "detail")
    ]
    assert ({0: 10}, 9, {0: 40}, 39) == (
        few.risk.value_at_risk.candle_offsets,
        few.risk.value_at_risk.hours_used,
        many.risk.value_at_risk.candle_offsets,
        many.risk.value_at_risk.hours_used,
    )
    jump = next(c for c in many.risk.checks if c.limit == "max_price_jump_pct")
    assert Decimal("11.12") == jump.after
    assert "max_var_pct: value at risk of a day would be" in refused.text
    await export_topics(memory_bus, tmp_path / "records", REPLAYED)
    replayed = OrderReplay(tmp_path / "records").run()
    assert [] == replayed.differences
    assert replayed.counts["orders"] == 2
