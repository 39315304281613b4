"""Rules that change midway: every reader uses those that an order was decided by."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.exports import export_topics
from arena.messages import Epoch, OrderDecided, QuoteSeen, Rules, ToolCall
from ledger.audit.auditor import Auditor
from ledger.audit.checker import InvariantStatus
from ledger.audit.sources import RecordSource
from tests.trading_tools.helpers import WAIT_S, product, read_until, serving, ticker, tool_call
from trading_tools.replay import OrderReplay
from trading_tools.rules import TradingRules

TOPICS = (topics.TICKERS, topics.COMMANDS, topics.EVENTS, topics.ROSTER, topics.CONTROL)
PRICES_INVARIANT = 5
MONEY = range(1, 8)
"""Invariants of the account log; these orders answer no turns."""
FIRST = TradingRules(fee_bps=Decimal(60))
THEN = TradingRules(
    fee_bps=Decimal("12.5"),
    slippage_bps=Decimal(9),
    price_age_s_max=20.0,
    collar_bps=Decimal(100),
    starting_cash=50_000 * 10**8,
)


def order(agent: str, index: int) -> ToolCall:
    """An order of an agent that saw the price of a moment ago."""
    text = orjson.dumps({"product_id": "BTC-USD", "quantity": "0.1", "action": "buy"})
    seen = QuoteSeen(bid=Decimal("67200"), ask=Decimal("67203"))
    return tool_call(
        agent,
        "execute_trade",
        text.decode(),
        index=index,
        quotes_seen={"BTC-USD": seen},
        ticker_offsets={0: 2},
    )


async def trade(bus: MemoryBus, rules: TradingRules, *agents: str) -> None:
    """Serve by some rules until every agent had an order filled."""
    filled = len(decided(bus))
    await bus.append(topics.TICKERS.name, ticker("67201.10", "67203.55"), key="BTC-USD")
    async with serving(bus, rules):
        for agent in agents:
            await bus.append(topics.COMMANDS.name, order(agent, filled), key=agent)
        await read_until(bus, topics.EVENTS.name, OrderDecided, filled + len(agents))


def decided(bus: MemoryBus) -> list[OrderDecided]:
    """Every order event that is there."""
    messages = [r.message() for r in bus.cluster.logs.get((topics.EVENTS.name, 0), ())]
    return [m for m in messages if isinstance(m, OrderDecided)]


def compact(bus: MemoryBus) -> None:
    """Keep the newest record per key of the roster, as the broker does sooner or later."""
    log = bus.cluster.logs[topics.ROSTER.name, 0]
    newest = {record.key: record for record in log}
    log[:] = [r._replace(offset=n) for n, r in enumerate(newest.values())]


async def changed(bus: MemoryBus, folder: Path) -> Path:
    """The export of an arena that was started again with other rules, its roster compacted."""
    await bus.ensure_topics(TOPICS)
    await bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    await trade(bus, FIRST, "mo")
    await trade(bus, THEN, "mo", "late")
    await trade(bus, FIRST, "mo")
    compact(bus)
    await export_topics(bus, folder, [spec.name for spec in TOPICS])
    return folder


async def test_replay_and_audit_use_the_rules_of_the_time(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    """Also where the roster has forgotten all but the newest, which are those of the last part."""
    folder = await changed(memory_bus, tmp_path / "records")

    replayed = OrderReplay(folder).run()
    source = RecordSource("test", folder)
    auditor = Auditor(source.scope())
    auditor.take_all(source.read())
    results = auditor.results()
    prices = next(v for v in results if v.number == PRICES_INVARIANT)

    orders = decided(memory_bus)
    assert ["filled"] * 4 == [one.outcome for one in orders]
    assert [Decimal(60), Decimal("12.5"), Decimal("12.5"), Decimal(60)] == [
        one.fee_bps for one in orders
    ]
    assert [] == replayed.differences
    assert (4, 2) == (replayed.counts["orders"], replayed.counts["openings"])
    assert (InvariantStatus.PASS, []) == (prices.status, prices.violations)
    assert [] == [
        v.number for v in results if v.number in MONEY and v.status is InvariantStatus.FAIL
    ]


@pytest.mark.parametrize("claimed", [FIRST, THEN])
async def test_a_forged_rule_does_not_change_what_was_decided(
    memory_bus: MemoryBus, tmp_path: Path, claimed: TradingRules
) -> None:
    """Rules that anybody writes to the roster, or none that can be read, are not the epoch's."""
    await memory_bus.ensure_topics(TOPICS)
    await memory_bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    await trade(memory_bus, FIRST, "mo")
    (told,) = stated(memory_bus)
    forged = replace(claimed, fee_bps=Decimal(1)).message(told.at)
    await memory_bus.append(topics.ROSTER.name, forged, key="rules")
    log = memory_bus.cluster.logs[topics.ROSTER.name, 0]
    log.append(log[-1]._replace(offset=len(log), value=b"{"))
    compact(memory_bus)
    folder = tmp_path / "records"
    await export_topics(memory_bus, folder, [spec.name for spec in TOPICS])

    assert [] == OrderReplay(folder).run().differences


async def test_a_standby_with_other_rules_changes_no_prompt(memory_bus: MemoryBus) -> None:
    """The roster tells the rules of the owner; those of a standby once it took over."""
    async with serving(memory_bus, FIRST) as owner:
        await until(lambda: owner.details.get("shards") == [0])
        async with serving(memory_bus, THEN) as standby:
            await until(lambda: "recovery_ms" in standby.gauges and standby.status == "standby")
            before = stated(memory_bus)
    async with serving(memory_bus, THEN) as owner:
        await until(lambda: owner.details.get("shards") == [0])
    events = [r.message() for r in memory_bus.cluster.logs[topics.EVENTS.name, 0]]
    epochs = [e.rules for e in events if isinstance(e, Epoch) and e.rules]

    assert [Decimal(60)] == [rules.fee_bps for rules in before]
    assert [Decimal(60), Decimal("12.5")] == [rules.fee_bps for rules in stated(memory_bus)]
    assert epochs == stated(memory_bus)


def stated(bus: MemoryBus) -> list[Rules]:
    """The rules on the roster, oldest first."""
    messages = [r.message() for r in bus.cluster.logs[topics.ROSTER.name, 0]]
    return [m for m in messages if isinstance(m, Rules)]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.01)
