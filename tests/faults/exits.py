"""Traffic of orders with exits, and an independent check of what became of them.

The check knows nothing of the executor: it looks at every ticker for every exit.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from arena import ids, topics
from arena.accounts import Shard
from arena.messages import MarketSnapshot
from operations.storm.checker_records import TopicRecords
from tests.faults.harness import Traffic

CLOSED = ("filled", "cancelled", "expired", "rejected")
SNAPSHOT_S = 0.4
Json = dict[str, Any]  # Any: a decoded record


@dataclass
class ExitTraffic(Traffic):
    """Agents whose buys bring exits close to the price, so that many fire.

    Attributes:
        snapshots: Number of published snapshots.
    """

    snapshots: int = 0

    async def run_market(self) -> None:
        """Move the prices, and publish snapshots, until cancelled."""
        published = 0.0
        loop = asyncio.get_running_loop()
        while True:
            await self._tick(self._rng.choice(list(self._prices)))
            if loop.time() - published > SNAPSHOT_S:
                published = loop.time()
                await self._snapshot()
            await asyncio.sleep(0.01)

    async def _snapshot(self) -> None:
        self.snapshots += 1
        now = datetime.now(UTC)
        snapshot = MarketSnapshot(
            snapshot_id=ids.derive("exits", self.seed, self.snapshots),
            venue="faults",
            as_of=now,
            published_at=now,
            interval_s=SNAPSHOT_S,
            products=(),
            ticker_offsets={0: self._ticker_end},
        )
        await self.bus.append(topics.SNAPSHOTS.name, snapshot, key="faults")

    def _arguments(self, product_id: str) -> str:
        rng = self._rng
        action = "buy" if rng.random() < 0.8 else "sell"
        quantity = f"{rng.choice((50, 400, 3_000)) / self._prices[product_id]:.8f}"
        order: Json = {"product_id": product_id, "quantity": quantity, "action": action}
        if action == "buy":
            wanted = {
                "stop_loss_pct": rng.choice(("0.3", "0.5")),
                "take_profit_pct": rng.choice(("0.1", "0.2")),
                "trailing_pct": rng.choice(("0.05", "0.2")),
                "exit_after": rng.choice((1, 5)),
            }
            order |= {name: value for name, value in wanted.items() if rng.random() < 0.6}
            if rng.random() < 0.2:
                limit = Decimal(self._prices[product_id] * 0.9995).quantize(Decimal("0.01"))
                order["limit_price"] = str(limit)
        elif rng.random() < 0.5:
            order["quantity"] = "all"
        return orjson.dumps(order).decode()


@dataclass
class ExitFindings:
    """What the check found.

    Attributes:
        wrong: One line for each fault.
        ends: How limit orders and exits ended.
    """

    wrong: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)


def check_exits(records: TopicRecords) -> ExitFindings:
    """Check every exit and limit order against every ticker."""
    found, shard = ExitFindings(), Shard()
    tickers = [
        (record.offset, orjson.loads(record.value))
        for record in records.tickers
        if record.kind == "Ticker"
    ]
    steps: dict[str, list[Json]] = {}
    checked = 0
    for record in records.events:
        if shard.apply(record.kind, record.value, record.offset) is None:
            continue
        event = orjson.loads(record.value)
        if record.kind == "OrderDecided":
            steps.setdefault(event["order_id"], []).append(event)
        elif record.kind == "MarketChecked":
            checked = max(checked, event["offsets"]["0"])
    for order_id, history in steps.items():
        _check_life(order_id, history, found)
        first = history[0]
        if first.get("order_type", "market") not in ("market", "limit"):
            _check_exit(order_id, history, tickers, checked, found)
    _check_open(shard, found)
    return found


def _check_life(order_id: str, history: list[Json], found: ExitFindings) -> None:
    numbers = [event.get("step", 0) for event in history]
    if numbers != [*range(len(history))]:
        found.wrong.append(f"{order_id} has the steps {numbers}")
    ends = [event["outcome"] for event in history if event["outcome"] in CLOSED]
    if len(ends) > 1 or (ends and history[-1]["outcome"] not in CLOSED):
        found.wrong.append(f"{order_id} ended as {ends}")
    if len(history) > 1 or history[0].get("order_type", "market") != "market":
        kind, cause = history[-1].get("order_type"), history[-1].get("cause", "")
        found.ends[f"{kind} {history[-1]['outcome']} {cause}".strip()] += 1


def _check_exit(
    order_id: str,
    history: list[Json],
    tickers: list[tuple[int, Json]],
    checked: int,
    found: ExitFindings,
) -> None:
    """An exit fires at the first ticker that meets its level, or before that ends otherwise."""
    terms, last = history[0]["terms"], history[-1]
    expected = _first_trigger(history[0], tickers)
    if last.get("cause") == "triggered":
        fired, is_timed = last["trigger"]["offset"], history[0]["order_type"] == "time_exit"
        # The end of a snapshot can be the first to show that the time has come.
        early = is_timed and (expected is None or fired < expected)
        if early and _time(last["at"]) < _time(terms["exits_at"]):
            found.wrong.append(f"{order_id} fired before its time")
        if fired != expected and not early:
            found.wrong.append(
                f"{order_id} ({history[0]['order_type']}, {terms}) fired at"
                f" {last['trigger']['offset']}, its price came at {expected}"
            )
        if Decimal(last["used"]["bid"]) < Decimal(last["price"]):
            found.wrong.append(f"{order_id} sold above the bid")
    elif last["outcome"] == "accepted" and expected is not None and expected < checked:
        found.wrong.append(f"{order_id} is open, and its price came at {expected}")


def _first_trigger(first: Json, tickers: list[tuple[int, Json]]) -> int | None:
    terms, kind = first["terms"], first["order_type"]
    peak = Decimal(first["used"]["bid"])
    for offset, ticker in tickers:
        if offset <= terms["placed_after"][1]:
            continue
        if ticker["product_id"] != first["product_id"]:
            continue
        bid = Decimal(ticker["best_bid"])
        peak = max(peak, bid)
        if kind == "stop_loss" and bid <= Decimal(terms["trigger_price"]):
            return offset
        if kind == "take_profit" and bid >= Decimal(terms["trigger_price"]):
            return offset
        distance = Decimal(terms.get("trailing_pct", "0")) / 100
        if kind == "trailing_stop" and bid <= peak * (1 - distance):
            return offset
        if kind == "time_exit" and _time(ticker["event_time"]) >= _time(terms["exits_at"]):
            return offset
    return None


def _check_open(shard: Shard, found: ExitFindings) -> None:
    for agent, orders in shard.standing.items():
        held = shard.accounts[agent].positions
        for order in orders.open.values():
            if order.step < 0:
                found.wrong.append(f"{order.order_id} of {agent} was never armed")
            if order.action == "sell" and order.product_id not in held:
                found.wrong.append(f"{order.order_id} of {agent} outlived its position")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
