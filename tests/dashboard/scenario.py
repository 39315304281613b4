"""A small arena by the numbers: seeded prices, agents that trade, and every record they leave.

It writes what the connector, chat nodes, executor and routers would write, with account events
that form a sound chain, so that views, screens and a real dashboard can be fed with it.
"""

import random
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from arena import ids, topics
from arena.accounts import Position, Shard, sold
from arena.bus.base import Record
from arena.messages import (
    AccountOpened,
    AgentSpec,
    ChatMessage,
    DeadLetter,
    Epoch,
    Heartbeat,
    LlmCall,
    MarketSnapshot,
    Message,
    OrderDecided,
    Posting,
    ProductView,
    QuoteSeen,
    QuoteUsed,
    RejectReason,
    RequestedCall,
    Round,
    Rules,
    Source,
    Ticker,
    Turn,
    TurnStarted,
    Usage,
)
from arena.messages.market import Side
from arena.money import cash_notional_units, fee_units, from_units, slip_price, to_units, units_text
from arena.topics import partition_of
from arena.wire import encode

START = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
FEE_BPS = Decimal(60)
SLIPPAGE_BPS = Decimal(2)
CASH = Decimal(100_000)
PRICES = {
    "BTC-USD": Decimal("67201.10"),
    "ETH-USD": Decimal("3120.55"),
    "SOL-USD": Decimal("141.20"),
}
AGENTS = (
    ("brainrot", "brainrot", "agent"),
    ("momentum", "momentum", "agent"),
    ("scalper", "scalper", "agent"),
    ("buy-and-hold", "buy_and_hold", "baseline"),
    ("cash", "cash", "baseline"),
    ("random", "random", "baseline"),
)
WORDS = (
    "15m trend up three closes in a row, adding a third",
    "RSI is stretched and the spread widened: waiting for a pullback before I touch it again",
    "Fees eat this edge, staying flat",
    "to the moon \x1b[31mred\x1b[0m \u202egnilaes",
)


@dataclass
class Scenario:
    """Writes records into lists, as a broker would hold them.

    Attributes:
        seed: Of prices and decisions. speed: Venue seconds per wall second.
        agents: Name, strategy, kind. records: In the order they were written.
    """

    seed: int = 7
    agents: tuple[tuple[str, str, str], ...] = AGENTS
    speed: float = 60.0
    scripted: bool = True
    start: datetime = START
    records: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open the accounts and name the agents."""
        self.random = random.Random(self.seed)
        self.shard = Shard()
        self.prices = dict(PRICES)
        self.ends: dict[tuple[str, int], int] = {}
        self.snapshots = 0
        self.wall = self.start + timedelta(days=1)
        self.venue = self.start
        self.newest: MarketSnapshot | None = None
        self.calls = 0
        self._rules()
        epoch = Epoch(epoch=1, owner="x1", seq=0, prev=self.shard.head, at=self.wall)
        self._event(epoch)
        for name, strategy, kind in self.agents:
            self.join(name, strategy, kind)

    def write(self, topic: str, message: Message, key: str = "") -> Record:
        """Append a message to a topic."""
        spec = topics.spec_of(topic)
        partition = partition_of(key, spec.partitions) if key else 0
        encoded = encode(message)
        offset = self.ends.get((topic, partition), 0)
        self.ends[topic, partition] = offset + 1
        stamp = int(self.wall.timestamp() * 1000)
        record = Record(
            topic,
            partition,
            offset,
            stamp,
            key.encode() or None,
            encoded.value,
            dict(encoded.headers),
        )
        self.records.append(record)
        return record

    def _event(self, event: Message) -> None:
        record = self.write(topics.EVENTS.name, event)
        applied = self.shard.apply(event.type_name(), record.value or b"", record.offset)
        assert applied is not None, "the scenario wrote an event that does not count"

    def _rules(self) -> None:
        rules = Rules(
            starting_cash_usd=CASH,
            fee_schedule="taker",
            fee_bps=FEE_BPS,
            slippage_bps=SLIPPAGE_BPS,
            price_age_s_max=15,
            collar_bps=Decimal(100),
            at=self.wall,
        )
        self.write(topics.ROSTER.name, rules, "rules")

    def join(self, name: str, strategy: str, kind: str) -> None:
        """Put an agent on the roster and open its account."""
        spec = AgentSpec.model_validate(
            {
                "agent": name,
                "strategy": strategy,
                "node": "rules",
                "kind": kind,
                "joined_at": self.wall,
            }
        )
        self.write(topics.ROSTER.name, spec, f"agent/{name}")
        units = str(to_units(CASH))
        self._event(
            AccountOpened(
                epoch=1,
                owner="x1",
                seq=self.shard.seq + 1,
                prev=self.shard.head,
                source=Source(partition=0, offset=self.shard.seq),
                order_id=ids.derive("open", name),
                agent=name,
                cash_usd=CASH,
                postings=(
                    Posting(account=f"agent/{name}/cash", unit="USD", amount=units),
                    Posting(account="house/capital", unit="USD", amount=f"-{units}"),
                ),
                at=self.wall,
            )
        )

    def ticker(self, product_id: str, price: Decimal | None = None) -> Ticker:
        """Write the current price of a product."""
        mid = price or self.prices[product_id]
        half = (mid / 10_000).quantize(Decimal("0.01")) or Decimal("0.01")
        ticker = Ticker(
            venue="simulated",
            product_id=product_id,
            price=mid,
            best_bid=mid - half,
            best_ask=mid + half,
            event_time=self.venue,
            received_at=self.wall,
            sequence=self.ends.get((topics.TICKERS.name, 0), 0),
        )
        self.write(topics.TICKERS.name, ticker, product_id)
        return ticker

    def advance(self, venue_s: float) -> None:
        """Let time pass, on both clocks, and prices move."""
        self.venue += timedelta(seconds=venue_s)
        self.wall += timedelta(seconds=venue_s / self.speed)
        for product_id, price in self.prices.items():
            moved = price * Decimal(1 + self.random.gauss(0.00002, 0.0012))
            self.prices[product_id] = moved.quantize(Decimal("0.01"))

    def snapshot(self) -> MarketSnapshot:
        """Write tickers of all products and the snapshot made of them."""
        tickers = [self.ticker(product_id) for product_id in self.prices]
        self.snapshots += 1
        snapshot = MarketSnapshot(
            snapshot_id=ids.snapshot_id("simulated", self.venue, list(self.prices)),
            venue="simulated",
            as_of=self.venue,
            interval_s=60,
            simulated=True,
            speed=self.speed,
            products=tuple(
                ProductView(product_id=t.product_id, ticker=t, age_ms=20, stale=False)
                for t in tickers
            ),
            published_at=self.wall,
        )
        self.write(topics.SNAPSHOTS.name, snapshot, "simulated")
        self.newest = snapshot
        return snapshot

    def order(
        self, agent: str, action: Side, product_id: str, quantity: Decimal, *, latency_ms: int = 7
    ) -> OrderDecided:
        """Decide an order as the executor would: filled at the current price, or refused."""
        assert self.newest is not None, "an order answers a snapshot"
        view = self.newest.view(product_id)
        assert view is not None
        assert view.ticker is not None
        self.calls += 1
        used = self.ticker(product_id)
        seen = view.ticker
        best = used.best_ask if action == "buy" else used.best_bid
        price = slip_price(to_units(best), SLIPPAGE_BPS, 10**6, up=action == "buy")
        account = self.shard.accounts[agent]
        held = account.positions.get(product_id, Position())
        size = to_units(quantity)
        notional = cash_notional_units(size, price)
        fee = fee_units(notional, FEE_BPS)
        base: dict[str, object] = {
            "epoch": 1,
            "owner": "x1",
            "seq": self.shard.seq + 1,
            "prev": self.shard.head,
            "source": Source(partition=0, offset=self.shard.seq),
            "order_id": ids.derive("order", self.seed, self.calls),
            "agent": agent,
            "turn_id": ids.turn_id(agent, self.newest.snapshot_id),
            "round": 0,
            "index": 0,
            "snapshot_id": self.newest.snapshot_id,
            "product_id": product_id,
            "action": action,
            "quantity": quantity,
            "seen": QuoteSeen(bid=seen.best_bid, ask=seen.best_ask),
            "used": QuoteUsed(
                partition=0,
                offset=self.ends[topics.TICKERS.name, 0] - 1,
                bid=used.best_bid,
                ask=used.best_ask,
                age_ms=4,
                event_time=used.event_time,
            ),
            "issued_at": self.wall - timedelta(milliseconds=latency_ms),
            "at": self.wall,
        }
        if action == "buy" and notional + fee > account.cash:
            detail = (
                f"insufficient cash: {quantity} {product_id} at {best} needs "
                f"{from_units(notional + fee):,.2f} with fees, has {from_units(account.cash):,.2f}"
            )
            rejected = {"outcome": "rejected", "reason": RejectReason.INSUFFICIENT_CASH}
            event = OrderDecided.model_validate({**base, **rejected, "detail": detail})
        elif action == "sell" and size > held.quantity:
            detail = f"asked {quantity} {product_id}, holds {units_text(held.quantity)}"
            rejected = {"outcome": "rejected", "reason": RejectReason.INSUFFICIENT_POSITION}
            event = OrderDecided.model_validate({**base, **rejected, "detail": detail})
        else:
            terms = _terms(agent, action, product_id, size, notional, fee, copy(held), account.cash)
            seen_best = seen.best_ask if action == "buy" else seen.best_bid
            worse = best - seen_best if action == "buy" else seen_best - best
            lost = cash_notional_units(size, to_units(worse))
            slip = cash_notional_units(size, abs(price - to_units(best)))
            event = OrderDecided.model_validate(
                {
                    **base,
                    **terms,
                    "outcome": "filled",
                    "price": from_units(price),
                    "notional": from_units(notional),
                    "fee": from_units(fee),
                    "fee_bps": FEE_BPS,
                    "slippage": from_units(slip),
                    "latency_cost": from_units(lost),
                }
            )
        self._event(event)
        return event

    def begin_turn(self, agent: str) -> TurnStarted:
        """Write the evidence that an agent began to think about the newest snapshot."""
        assert self.newest is not None
        started = TurnStarted(
            turn_id=ids.turn_id(agent, self.newest.snapshot_id),
            agent=agent,
            snapshot_id=self.newest.snapshot_id,
            snapshot_offset=self.snapshots - 1,
            as_of=self.newest.as_of,
            started_at=self.wall,
        )
        self.write(topics.TURNS.name, started, agent)
        return started

    def end_turn(
        self, started: TurnStarted, order: OrderDecided | None, words: str, **changes: object
    ) -> Turn:
        """Write the model calls and the whole turn."""
        strategy = next((s for n, s, _ in self.agents if n == started.agent), "momentum")
        usage = Usage(prompt_tokens=1_800, completion_tokens=240, cost_usd=None)
        self.llm_call(started, usage=usage)
        turn = Turn.model_validate(
            {
                **started.model_dump(exclude={"type"}),
                "strategy": strategy,
                "node": "rules",
                "model": "scripted" if self.scripted else "gpt-5-mini",
                "scripted": self.scripted,
                "prompt_sha256": ids.derive("prompt", started.turn_id).replace("-", "") * 2,
                "messages": _conversation(started, order, words),
                "rounds": _rounds(started, order, usage),
                "outcome": "completed",
                "final_text": words,
                "usage": usage,
                "ended_at": self.wall,
                "total_ms": 31.4,
                **changes,
            }
        )
        self.write(topics.TURNS.name, turn, started.agent)
        return turn

    def llm_call(self, started: TurnStarted, *, usage: Usage, **changes: object) -> LlmCall:
        """Write the record of a model call."""
        call = LlmCall.model_validate(
            {
                "call_id": ids.model_call_id(started.turn_id, 0),
                "agent": started.agent,
                "turn_id": started.turn_id,
                "round": 0,
                "node": "rules",
                "model": "scripted" if self.scripted else "gpt-5-mini",
                "scripted": self.scripted,
                "outcome": "ok",
                "request_sha256": "ab" * 32,
                "usage": usage,
                "started_at": self.wall,
                "ended_at": self.wall,
                **changes,
            }
        )
        self.write(topics.LLM_CALLS.name, call, "rules")
        return call

    def beat(self, kind: str, name: str, **changes: object) -> None:
        """Write a heartbeat."""
        beat = {
            "node": f"{kind}/{name}/host/1",
            "kind": kind,
            "name": name,
            "host": "host",
            "pid": 1,
            "started_at": self.start,
            "at": self.wall,
            **changes,
        }
        self.write(topics.HEARTBEATS.name, Heartbeat.model_validate(beat), f"{kind}/{name}/host/1")

    def dead_letter(self) -> None:
        """Write a dead letter."""
        letter = DeadLetter(
            topic="market.tickers",
            partition=0,
            offset=0,
            timestamp_ms=0,
            error="no JSON",
            reader="router/momentum/host/1",
            at=self.wall,
        )
        self.write(topics.DEAD_LETTERS.name, letter, "market.tickers")

    def garbage(self, topic: str, value: bytes = b"{not json") -> None:
        """Write bytes that are no message."""
        offset = self.ends.get((topic, 0), 0)
        self.ends[topic, 0] = offset + 1
        self.records.append(Record(topic, 0, offset, 0, None, value, {"type": b"Ticker"}))

    def step(self) -> None:
        """One snapshot, and what every agent makes of it."""
        self.advance(45)
        for product_id in self.prices:
            self.ticker(product_id)
        self.advance(15)
        self.snapshot()
        for kind, name in (("connector", "coinbase"), ("tools", "tools"), ("chat-node", "rules")):
            self.beat(kind, name, gauges={"lag": 0})
        for name, strategy, _ in self.agents:
            started = self.begin_turn(name)
            self.advance(2)
            order = self._decide(name, strategy)
            self.end_turn(started, order, self.random.choice(WORDS))

    def _decide(self, agent: str, strategy: str) -> OrderDecided | None:
        chance = {"cash": 0.0, "buy_and_hold": 1.0 if self.snapshots == 1 else 0.0}
        if self.random.random() >= chance.get(strategy, 0.35):
            return None
        product_id = self.random.choice(sorted(self.prices))
        held = self.shard.accounts[agent].positions.get(product_id)
        if held and self.random.random() < 0.6:
            return self.order(agent, "sell", product_id, from_units(held.quantity))
        usd = Decimal(self.random.choice((9_000, 18_000, 31_000, 90_000)))
        size = (usd / self.prices[product_id]).quantize(Decimal("0.0001"))
        latency_ms = self.random.randint(3, 30)
        return self.order(agent, "buy", product_id, size, latency_ms=latency_ms)

    def run(self, steps: int) -> "Scenario":
        """So many snapshots."""
        for _ in range(steps):
            self.step()
        return self

    def by_partition(self) -> dict[tuple[str, int], list[Record]]:
        """The records of each partition, in order."""
        logs: dict[tuple[str, int], list[Record]] = {}
        for record in self.records:
            logs.setdefault((record.topic, record.partition), []).append(record)
        return logs


def _terms(
    agent: str,
    action: Side,
    product_id: str,
    size: int,
    notional: int,
    fee: int,
    held: Position,
    cash: int,
) -> dict[str, object]:
    """The parts of a fill that follow from the account: postings and what is left after it."""
    unit = product_id.split("-")[0]
    sign = 1 if action == "buy" else -1
    realised = Decimal(0)
    if action == "sell":
        realised = from_units(sold(held, size, notional - fee))
    else:
        held.quantity += size
    legs = [
        (f"agent/{agent}/cash", "USD", -sign * notional - fee),
        ("house/market", "USD", sign * notional),
        ("house/fees", "USD", fee),
        (f"agent/{agent}/position", unit, sign * size),
        ("house/market", unit, -sign * size),
    ]
    return {
        "postings": tuple(Posting(account=a, unit=u, amount=str(n)) for a, u, n in legs),
        "realised": realised if action == "sell" else None,
        "cash_after": from_units(cash - sign * notional - fee),
        "position_after": from_units(held.quantity),
    }


def _conversation(
    started: TurnStarted, order: OrderDecided | None, words: str
) -> tuple[ChatMessage, ...]:
    prompt = "\n".join(f"BTC-USD 1m close {67_000 + n}.10 volume 0.{n:02d}" for n in range(60))
    opening = (
        ChatMessage(role="system", content="You trade on momentum. Be brief."),
        ChatMessage(role="user", content=f"Market as of {started.as_of}\n{prompt}"),
    )
    closing = ChatMessage(role="assistant", content=words)
    if order is None:
        return (*opening, closing)
    call = RequestedCall(
        model_call_id="call_1",
        name="execute_trade",
        arguments=f'{{"product_id": "{order.product_id}", "quantity": "{order.quantity}", '
        f'"action": "{order.action}"}}',
    )
    result = order.detail or f"filled {order.quantity} {order.product_id} at {order.price}"
    return (
        *opening,
        ChatMessage(role="assistant", content="", tool_calls=(call,)),
        ChatMessage(role="tool", content=result, tool_call_id="call_1"),
        closing,
    )


def _rounds(started: TurnStarted, order: OrderDecided | None, usage: Usage) -> tuple[Round, ...]:
    first = Round(
        call_id=ids.model_call_id(started.turn_id, 0),
        outcome="ok",
        finish_reason="tool_calls" if order else "stop",
        usage=usage,
        model_ms=11.2,
        tools_ms=8.1 if order else 0,
        tool_call_ids=(order.order_id,) if order else (),
        tools_ok=(order.outcome == "filled",) if order else (),
    )
    if order is None:
        return (first,)
    last = Round(
        call_id=ids.model_call_id(started.turn_id, 1),
        outcome="ok",
        finish_reason="stop",
        model_ms=9.8,
    )
    return (first, last)


def in_order(scenario: Scenario) -> Iterator[Record]:
    """The records as they were written."""
    yield from scenario.records
