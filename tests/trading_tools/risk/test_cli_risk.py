"""`arena risk`: what it shows and reports from the account log, and the requests it writes."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import JsonValue

from arena import topics
from arena.bus.base import Record
from arena.bus.memory import MemoryBus
from arena.errors import UsageError
from arena.halt_confirmation import append_and_confirm
from arena.messages import RiskRequest, ToolResult
from arena.risk_limits import RiskLimits
from arena.risk_log import RiskLog, read_risk_log
from arena.risk_requests import NewestRequests
from arena.wire import encode
from tests.trading_tools.helpers import product, read_until, serving, ticker, tool_call
from trading_tools.cli_risk import _require_obeyed, merged_request
from trading_tools.quotes import MarketState
from trading_tools.risk.newest_bids import read_market
from trading_tools.risk.report_text import report_lines, show_document, show_lines
from trading_tools.risk.requests import LimitSettings

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
LIMITS: dict[str, JsonValue] = {
    "max_symbol_exposure_pct": 40,
    "max_daily_loss_pct": 5,
    "veto_products": ["DOGE-USD"],
}


def request(**values: Any) -> RiskRequest:  # Any: fields of the message
    """A request for the limits of one agent."""
    return RiskRequest(**({"agent": "mo", "by": "test", "at": AT} | values))


async def traded(bus: MemoryBus) -> tuple[RiskLog, MarketState]:
    """The log of an agent that bought 30 % of its equity, and was refused 20 % more."""
    await bus.send(topics.TICKERS.name, product(), key="BTC-USD")
    await bus.send(topics.TICKERS.name, ticker("100", "100"), key="BTC-USD")
    async with serving(bus, limits=LimitSettings(RiskLimits.from_json(LIMITS))):
        for index, quantity in enumerate((300, 200)):
            arguments = f'{{"product_id": "BTC-USD", "quantity": {quantity}, "action": "buy"}}'
            call = tool_call("mo", "execute_trade", arguments, index=index, ticker_offsets={0: 2})
            await bus.send(topics.COMMANDS.name, call, key="mo")
            await read_until(bus, call.reply_to, ToolResult, index + 1)
    return await read_risk_log(bus), await read_market(bus)


async def test_the_report_counts_what_limits_did(memory_bus: MemoryBus) -> None:
    """Approved and rejected orders by limit, per agent and day, with what was blocked."""
    log, _ = await traded(memory_bus)
    document: dict[str, Any] = log.report.document()  # Any: JSON
    (day,) = document["limit_enforcement"]

    assert {
        "approved": 1,
        "adjusted": 0,
        "rejected": {"max_symbol_exposure_pct": 1},
        "cut": {},
        "near": {},
        "unknown": {},
        "tripped": {},
        "settings": {"custom": 1},
    } == document["agents"]["mo"]["risk"]
    assert (1, {"max_symbol_exposure_pct": 1}, {}) == (
        day["trades_blocked_by_max_symbol_exposure_pct"],
        day["risk_block_breakdown"],
        day["risk_limit_hints"],
    )
    text = "\n".join(report_lines(document))
    assert "mo: 1 approved, 0 cut, 1 rejected; exits: 0 armed, 0 fired, 0 cancelled" in text
    assert "  limits            custom" in text
    assert "buy 200 BTC-USD rejected: max_symbol_exposure_pct: BTC-USD would be 50." in text
    assert {"agents": {}, "limit_enforcement": []} == log.report.document("bo")
    json.dumps(document)


async def test_limits_in_force_are_shown_with_their_distance(memory_bus: MemoryBus) -> None:
    """Each limit has its value now and what is left; vetoes are listed as they were set."""
    log, market = await traded(memory_bus)
    document = show_document(log, market, NewestRequests(), "mo")
    text = "\n".join(show_lines(document))

    assert "mo: set by [risk] or flags\n" in text
    asked = NewestRequests()
    encoded = encode(request(lift=True))
    for key, offset in ((b"risk/mo", 4), (b"risk/bo", 5)):
        asked.take(Record("", 0, offset, 0, key, encoded.value, dict(encoded.headers)))
    waits = show_document(log, market, asked, "mo")
    assert "mo: set by [risk] or flags; a newer request applies from its next order on" == (
        next(iter(show_lines(waits)))
    )
    assert "max_symbol_exposure_pct              40  now 30.06, 9.94 left  ok" in text
    assert "max_daily_loss_pct                    5  now 0.19, 4.81 left  ok" in text
    assert "veto_products                  DOGE-USD" in text
    with pytest.raises(UsageError, match="there is no agent 'bo'"):
        show_document(log, market, NewestRequests(), "bo")


async def test_an_arena_without_limits_says_so(memory_bus: MemoryBus) -> None:
    """Before the first order there is nothing to show, and nothing to report."""
    await memory_bus.ensure_topics([topics.EVENTS, topics.CONTROL])
    log = await read_risk_log(memory_bus)

    assert ["no account has limits yet: they are set before an agent's first order"] == [
        *show_lines(show_document(log, MarketState(), NewestRequests(), None))
    ]
    assert ["no order was measured by limits yet"] == [*report_lines(log.report.document())]


def test_a_request_stands_alone() -> None:
    """Limits of the request before stay, unless a preset is named; a lift leaves all of them."""
    before = request(limits={"max_daily_loss_pct": 5}, preset="standard")

    more = merged_request(request(), {"max_drawdown_pct": "9"}, before)
    preset = merged_request(request(), {"preset": "cautious"}, before)
    lifted = merged_request(request(lift=True), {}, before)
    reset = merged_request(request(reset=True), {}, before)

    assert ({"max_daily_loss_pct": 5, "max_drawdown_pct": "9"}, "standard") == (
        more.limits,
        more.preset,
    )
    assert (None, "cautious") == (preset.limits, preset.preset)
    assert ({"max_daily_loss_pct": 5}, "standard", True) == (
        lifted.limits,
        lifted.preset,
        lifted.lift,
    )
    assert (None, "", True) == (reset.limits, reset.preset, reset.reset)
    with pytest.raises(UsageError, match="so it never applies"):
        merged_request(request(), {"max_drawdown_pct": "4"}, before)


async def test_a_request_is_confirmed_or_refused_by_the_executor(memory_bus: MemoryBus) -> None:
    """The owner confirms that it read a request; one that contradicts its settings is refused."""
    await memory_bus.ensure_topics([topics.CONTROL])
    limits = LimitSettings(RiskLimits.from_json({"max_symbol_exposure_pct": 40}))
    async with serving(memory_bus, limits=limits):
        fine = await append_and_confirm(memory_bus, request(limits={"max_drawdown_pct": 9}), 5.0)
        await _require_obeyed(memory_bus, "risk/mo")
        bad = request(limits={"max_portfolio_exposure_pct": 30})
        confirmed = await append_and_confirm(memory_bus, bad, 5.0)
        async with asyncio.timeout(5.0):
            with pytest.raises(UsageError, match="is above max_portfolio_exposure_pct = 30"):
                await _require_obeyed(memory_bus, "risk/mo")

    assert ({}, {}) == (fine.unconfirmed, confirmed.unconfirmed)
