"""A shard with command handler and watch, without a bus, for tests of limit orders and exits."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from arena.accounts import Shard
from arena.messages import OpenAccount, Ticker
from arena.newest_events import Event
from arena.open_orders import AgentOrders
from arena.wire import encode
from tests.trading_tools.helpers import product, tool_call
from trading_tools.command_handler import CommandHandler
from trading_tools.events import PendingEvent, epoch_of
from trading_tools.handled_command import HandledCommand
from trading_tools.orders.marks import Checked
from trading_tools.orders.watch import OrderWatch
from trading_tools.quotes import MarketState, Quote, quote_of
from trading_tools.registry import load_catalogue
from trading_tools.risk.requests import LimitSettings
from trading_tools.rules import TradingRules

START = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
AGENT = "momentum"
SOL = "SOL-USD"
ACCOUNT_TOOLS = {n: t for n, t in load_catalogue().items() if t.touches_account}


def sol_ticker(bid: str, ask: str, at: datetime, size: str | None = None) -> Ticker:
    """A ticker of SOL-USD; `size` is offered at both best prices."""
    sized = None if size is None else Decimal(size)
    return Ticker(
        venue="test",
        product_id=SOL,
        price=Decimal(bid),
        best_bid=Decimal(bid),
        best_ask=Decimal(ask),
        best_bid_size=sized,
        best_ask_size=sized,
        event_time=at,
        received_at=at,
    )


@dataclass
class DeskRoom:
    """One agent, one product, a clock that the test moves.

    Attributes:
        records: All records of the log.
        now: Venue time and wall time.
    """

    rules: TradingRules = field(default_factory=TradingRules)
    limits: LimitSettings | None = None
    records: list[PendingEvent] = field(default_factory=list)
    now: datetime = START
    tickers: int = 0
    commands: int = 0
    snapshots: int = 0
    quotes: list[Quote] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Claim the shard and open the account."""
        shard = Shard()
        encoded = encode(epoch_of(shard, "me", self.now))
        shard.apply("Epoch", encoded.value, 0)
        self.records.append(PendingEvent(0, "Epoch", "shard/0", encoded.value, encoded.headers))
        market = MarketState()
        market.note(product(SOL), 0, 0)
        self.handler = CommandHandler(
            0, 1, shard, market, self.rules, ACCOUNT_TOOLS, limits=self.limits
        )
        self.watch = OrderWatch(self.handler)
        opened = self.handler.handle(
            OpenAccount(call_id="open", agent=AGENT, issued_at=self.now), 0, self.now
        )
        self.records += opened.appends

    @property
    def shard(self) -> Shard:
        """The fold."""
        return self.handler.shard

    @property
    def orders(self) -> AgentOrders:
        """The agent's limit orders and exits."""
        return self.shard.standing.get(AGENT, AgentOrders())

    def open_types(self) -> list[str]:
        """Types of the open orders, in the order in which they were placed."""
        return [order.order_type for order in self.orders.open.values()]

    def tick(
        self,
        bid: str,
        ask: str | None = None,
        *,
        after_s: float = 1,
        size: str | None = None,
        age_s: float = 0,
    ) -> list[Event]:
        """Let a ticker come, some seconds after its time; returns the events that it triggered."""
        quote = self.note(bid, ask, after_s=after_s, size=size)
        self.now += timedelta(seconds=age_s)
        return self.check(quote)

    def note(
        self, bid: str, ask: str | None = None, *, after_s: float = 1, size: str | None = None
    ) -> Quote:
        """Let a ticker come that is checked later."""
        self.now += timedelta(seconds=after_s)
        self.tickers += 1
        found = sol_ticker(bid, ask or str(Decimal(bid) + Decimal("0.1")), self.now, size)
        self.handler.market.note(found, 0, self.tickers)
        quote = quote_of(found, 0, self.tickers)
        self.quotes.append(quote)
        return quote

    def check(self, quote: Quote) -> list[Event]:
        """Check a ticker; returns the events that it triggered."""
        return self._noted(self.watch.on_quote(quote, self.now))

    def snapshot(self) -> list[Event]:
        """End a snapshot; returns the events of the check."""
        self.snapshots += 1
        checked = Checked({0: self.tickers + 1}, f"snapshot {self.snapshots}", self.now)
        return self._noted(self.watch.on_snapshot(checked, self.now))

    # Any: arguments of a tool.
    def call(self, tool: str, **arguments: Any) -> HandledCommand:
        """Let the agent call a tool."""
        self.commands += 1
        call = tool_call(
            AGENT,
            tool,
            json.dumps(arguments),
            index=self.commands,
            issued_at=self.now,
            deadline_at=self.now + timedelta(seconds=30),
        )
        handled = self.handler.handle(call, self.commands, self.now)
        self.records += handled.appends
        self.watch.note_orders(AGENT)
        return handled

    # Any: arguments of a tool.
    def buy(self, quantity: str = "10", **arguments: Any) -> HandledCommand:
        """Let the agent buy SOL-USD."""
        return self.call(
            "execute_trade", product_id=SOL, quantity=quantity, action="buy", **arguments
        )

    def restart(self) -> list[Event]:
        """Kill the owner, and let another one fold the log and take over.

        It reads the tickers again that the log does not say were checked.
        """
        shard = Shard()
        for record in self.records:
            shard.apply(record.kind, record.value, record.offset)
        encoded = encode(epoch_of(shard, f"owner {shard.epoch + 1}", self.now))
        place = shard.next_offset
        shard.apply("Epoch", encoded.value, place)
        claim = PendingEvent(place, "Epoch", "shard/0", encoded.value, encoded.headers)
        self.records.append(claim)
        self.handler = CommandHandler(
            0, 1, shard, self.handler.market, self.rules, ACCOUNT_TOOLS, limits=self.limits
        )
        self.watch = OrderWatch(self.handler)
        placed = {(quote.partition, quote.offset): quote for quote in self.quotes}
        events = self._noted(self.watch.take_over(self.now, placed))
        for quote in self.quotes:
            if quote.offset >= self.shard.checked.get(0, 0):
                events += self._noted(self.watch.on_quote(quote, self.now))
        return events

    def lose_last(self, count: int) -> None:
        """Take back the newest records, as if the owner was killed before it appended them."""
        del self.records[len(self.records) - count :]

    def _noted(self, records: list[PendingEvent]) -> list[Event]:
        self.records += records
        return [json.loads(record.value) | {"kind": record.kind} for record in records]


def outcomes(events: list[Event]) -> list[tuple[str, str, str]]:
    """Order type, outcome and cause of order events."""
    return [
        (event.get("order_type", "market"), event["outcome"], event.get("cause", ""))
        for event in events
        if event["kind"] == "OrderDecided"
    ]
