"""`arena tools call compute_technical_metrics` against a real broker, and without one."""

import pytest

from arena import topics
from arena.bus.base import Bus
from arena.errors import BrokerUnavailable, DependencyMissing
from arena.messages import ClosedCandle, ToolResult
from arena.settings import Settings
from arena.unknown_names import OPERATOR
from tests.arena.candle_rows import candles
from trading_tools.manual_call import call_manually

RSI = '{"product_id": "BTC-USD", "metric": "rsi", "granularity": "1m", "length": 14}'


async def call(settings: Settings, tool: str, arguments: str) -> ToolResult:
    """Call a tool as the command does."""
    return await call_manually(settings, tool, arguments, OPERATOR, 10)


async def test_call_reads_the_candles_to_their_end(bus: Bus, settings: Settings) -> None:
    """Before a connector has run it says so; then it computes from all that is there."""
    with pytest.raises(DependencyMissing, match=r"market\.candles does not exist"):
        await call(settings.override(prefix="none."), "compute_technical_metrics", RSI)
    await bus.ensure_topics([topics.CANDLES, topics.SNAPSHOTS])
    empty = await call(settings, "compute_technical_metrics", RSI)
    for one in candles(range(40)):
        message = ClosedCandle(venue="coinbase", product_id="BTC-USD", candle=one)
        await bus.append(topics.CANDLES.name, message, key="BTC-USD")
    result = await call(settings, "compute_technical_metrics", RSI)
    listed = await call(settings, "list_technical_metrics", '{"product_id": "BTC-USD"}')

    assert ("unknown_product", True) == (empty.error, "no candles yet" in empty.text)
    assert result.ok
    assert "computed from 40 bars since 2026-01-01 00:00 UTC" in result.text
    assert "BTC-USD: 40 minutes" in listed.text


async def test_call_without_a_broker_says_so(settings: Settings) -> None:
    """The error has the address and the remedy."""
    nowhere = settings.override(bootstrap_servers="127.0.0.1:1")

    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1"):
        await call(nowhere, "compute_technical_metrics", RSI)
