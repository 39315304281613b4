"""Rules that change during a run: every reader uses the rules that an order was decided by."""

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
ACCOUNT_INVARIANTS = range(1, 8)
"""The invariants of the account log; these orders do not belong to turns."""
FIRST = TradingRules(fee_bps=Decimal(60))
SECOND = TradingRules(
    fee_bps=Decimal("12.5"),
    slippage_bps=Decimal(9),
    price_age_s_max=20.0,
    collar_bps=Decimal(100),
    starting_cash=50_000 * 10**8,
)


def order(agent: str, index: int) -> ToolCall:
    """Return an order of an agent that saw a recent price."""
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
    """Run an executor with some rules until every agent has an order filled."""
    filled = len(decided(bus))
    await bus.append(topics.TICKERS.name, ticker("67201.10", "67203.55"), key="BTC-USD")
    async with serving(bus, rules):
        for agent in agents:
            await bus.append(topics.COMMANDS.name, order(agent, filled), key=agent)
        await read_until(bus, topics.EVENTS.name, OrderDecided, filled + len(agents))


def decided(bus: MemoryBus) -> list[OrderDecided]:
    """Return every order event."""
    messages = [r.message() for r in bus.cluster.logs.get((topics.EVENTS.name, 0), ())]
    return [m for m in messages if isinstance(m, OrderDecided)]


def compact(bus: MemoryBus) -> None:
    """Keep the newest record per key of the roster, as log compaction does."""
    log = bus.cluster.logs[topics.ROSTER.name, 0]
    newest = {record.key: record for record in log}
    log[:] = [r._replace(offset=n) for n, r in enumerate(newest.values())]


async def export_with_changed_rules(bus: MemoryBus, folder: Path) -> Path:
    """Export an arena that was restarted with other rules, with a compacted roster."""
    await bus.ensure_topics(TOPICS)
    await bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    await trade(bus, FIRST, "mo")
    await trade(bus, SECOND, "mo", "late")
    await trade(bus, FIRST, "mo")
    compact(bus)
    await export_topics(bus, folder, [spec.name for spec in TOPICS])
    return folder


async def test_replay_and_audit_use_the_rules_of_each_order(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    """Also if the roster has only the newest rules, those of the last part."""
    folder = await export_with_changed_rules(memory_bus, tmp_path / "records")

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
        v.number
        for v in results
        if v.number in ACCOUNT_INVARIANTS and v.status is InvariantStatus.FAIL
    ]


@pytest.mark.parametrize("claimed", [FIRST, SECOND])
async def test_forged_rules_do_not_change_the_replay(
    memory_bus: MemoryBus, tmp_path: Path, claimed: TradingRules
) -> None:
    """Forged or unreadable rules on the roster do not replace those of the epoch."""
    await memory_bus.ensure_topics(TOPICS)
    await memory_bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    await trade(memory_bus, FIRST, "mo")
    (published,) = roster_rules(memory_bus)
    forged = replace(claimed, fee_bps=Decimal(1)).message(published.at)
    await memory_bus.append(topics.ROSTER.name, forged, key="rules")
    log = memory_bus.cluster.logs[topics.ROSTER.name, 0]
    log.append(log[-1]._replace(offset=len(log), value=b"{"))
    compact(memory_bus)
    folder = tmp_path / "records"
    await export_topics(memory_bus, folder, [spec.name for spec in TOPICS])

    assert [] == OrderReplay(folder).run().differences


async def test_standby_with_other_rules_changes_no_prompt(memory_bus: MemoryBus) -> None:
    """The roster has the rules of the owner, and those of the standby after it took over."""
    async with serving(memory_bus, FIRST) as owner:
        await until(lambda: owner.details.get("shards") == [0])
        async with serving(memory_bus, SECOND) as standby:
            await until(lambda: "recovery_ms" in standby.gauges and standby.status == "standby")
            before = roster_rules(memory_bus)
    async with serving(memory_bus, SECOND) as owner:
        await until(lambda: owner.details.get("shards") == [0])
    events = [r.message() for r in memory_bus.cluster.logs[topics.EVENTS.name, 0]]
    epochs = [e.rules for e in events if isinstance(e, Epoch) and e.rules]

    assert [Decimal(60)] == [rules.fee_bps for rules in before]
    assert [Decimal(60), Decimal("12.5")] == [rules.fee_bps for rules in roster_rules(memory_bus)]
    assert epochs == roster_rules(memory_bus)


def roster_rules(bus: MemoryBus) -> list[Rules]:
    """Return the rules on the roster, oldest first."""
    messages = [r.message() for r in bus.cluster.logs[topics.ROSTER.name, 0]]
    return [m for m in messages if isinstance(m, Rules)]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.01)
