"""For any commands in any order, the books are valid at every prefix of the log."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from arena.account_state import Position
from arena.accounts import Shard
from arena.messages import Message, OpenAccount, QuoteSeen
from arena.wire import encode
from tests.trading_tools.helpers import product, ticker, tool_call
from trading_tools.command_handler import CommandHandler
from trading_tools.events import PendingEvent, epoch_of
from trading_tools.quotes import MarketState
from trading_tools.registry import load_catalogue
from trading_tools.rules import TradingRules

START = datetime(2026, 11, 21, tzinfo=UTC)
TOOLS = {name: tool for name, tool in load_catalogue().items() if tool.touches_account}
RULES = TradingRules(starting_cash=10_000 * 10**8)
AGENTS = st.sampled_from(["momentum", "brainrot", "scalper"])
PRODUCTS = st.sampled_from(["BTC-USD", "SOL-USD", "DOGE-USD"])
BAD_QUANTITIES = st.sampled_from(["0", "-1", "0.000000001", "1e10", "NaN", "many"])


@dataclass
class Log:
    """The records of `account.events`, and the offsets of their commands."""

    records: list[PendingEvent] = field(default_factory=list)
    commands: list[Message] = field(default_factory=list)


class Trading(RuleBasedStateMachine):
    """Agents trade; commands are repeated; owners die and others take over."""

    def __init__(self) -> None:
        """Start with an empty log."""
        super().__init__()
        self.log = Log()
        self.now = START
        self.market = MarketState()
        self.ticks = 0

    @initialize()
    def begin(self) -> None:
        """Start the first owner, with two products."""
        for product_id in ("BTC-USD", "SOL-USD"):
            self.market.note(product(product_id), 0, 0)
        self.price_moves("BTC-USD", 100, 30)
        self.price_moves("SOL-USD", 100, 2)
        self.owner_dies()

    @rule()
    def owner_dies(self) -> None:
        """Let another owner fold the log; commands without a reply are read again."""
        shard = self._fold()
        encoded = encode(epoch_of(shard, f"owner-{shard.epoch}", self.now))
        record = PendingEvent(shard.next_offset, "Epoch", "", encoded.value, encoded.headers)
        shard.apply(record.kind, record.value, record.offset)
        self.log.records.append(record)
        self.handler = CommandHandler(0, 1, shard, self.market, RULES, TOOLS)
        for offset, command in enumerate(self.log.commands[-5:], len(self.log.commands[:-5])):
            self._handle(command, offset)

    @rule(product_id=PRODUCTS, percent=st.integers(95, 105), spread=st.integers(0, 50))
    def price_moves(self, product_id: str, percent: int, spread: int) -> None:
        """Send a new ticker near the usual price."""
        cents = {"BTC-USD": 6_700_000, "SOL-USD": 14_100, "DOGE-USD": 12}[product_id] * percent
        self._tick(product_id, Decimal(cents // 100) / 100, Decimal(spread) / 100)

    @rule(product_id=PRODUCTS)
    def bad_print_comes(self, product_id: str) -> None:
        """Send a ticker whose bid is above its ask."""
        self._tick(product_id, Decimal(100), Decimal(-1))

    def _tick(self, product_id: str, bid: Decimal, spread: Decimal) -> None:
        self.ticks += 1
        found = ticker(str(bid), str(bid + spread), product_id)
        self.market.note(found.model_copy(update={"received_at": self.now}), 0, self.ticks)

    @rule(seconds=st.integers(0, 12))
    def time_passes(self, seconds: int) -> None:
        """Let prices age."""
        self.now += timedelta(seconds=seconds)

    @rule(
        agent=AGENTS,
        product_id=st.sampled_from(["BTC-USD", "SOL-USD"]),
        usd=st.integers(1, 6_000),
        action=st.sampled_from(["buy", "sell"]),
        seen=st.sampled_from([None, "1", "1.01", "0.95"]),
    )
    def order(self, agent: str, product_id: str, usd: int, action: str, seen: str | None) -> None:
        """Send an order that is likely to be filled."""
        price = {"BTC-USD": 67_000, "SOL-USD": 141}[product_id]
        quantity = f"{Decimal(usd) / price:.8f}"
        quote = self.market.quotes[product_id]
        prices = {}
        if seen is not None:
            bid, ask = Decimal(quote.bid_text), Decimal(quote.ask_text)
            seen_quote = QuoteSeen(bid=bid * Decimal(seen), ask=ask * Decimal(seen))
            prices = {product_id: seen_quote}
        self._order(agent, product_id, quantity, action, quotes_seen=prices)

    @rule(agent=AGENTS, product_id=PRODUCTS, quantity=BAD_QUANTITIES, life_s=st.integers(-1, 0))
    def bad_order(self, agent: str, product_id: str, quantity: str, life_s: int) -> None:
        """Send an order that cannot be filled."""
        deadline = self.now + timedelta(seconds=life_s)
        self._order(agent, product_id, quantity, "buy", deadline_at=deadline)

    # Any: fields of a ToolCall.
    def _order(
        self, agent: str, product_id: str, quantity: str, action: str, **changes: Any
    ) -> None:
        deadline = self.now + timedelta(seconds=60)
        arguments = {"product_id": product_id, "quantity": quantity, "action": action}
        fields = {"issued_at": self.now, "deadline_at": deadline} | changes
        index = len(self.log.commands)
        text = json.dumps(arguments)
        self._command(tool_call(agent, "execute_trade", text, index=index, **fields))

    @rule(agent=AGENTS, scrape=st.sampled_from([None, Decimal("0.2"), Decimal(1)]))
    def open_account(self, agent: str, scrape: Decimal | None) -> None:
        """Request an account; some set a part of their profits aside."""
        call_id = f"open-{agent}"
        self._command(OpenAccount(call_id=call_id, agent=agent, scrape=scrape, issued_at=self.now))

    @rule(agent=AGENTS)
    def read_account(self, agent: str) -> None:
        """Read an account, which changes nothing."""
        before = self.handler.shard.digest() if agent in self.handler.shard.accounts else ""
        deadline = self.now + timedelta(seconds=9)
        index = len(self.log.commands)
        self._command(tool_call(agent, "get_portfolio", "", index=index, deadline_at=deadline))
        assert not before or before == self.handler.shard.digest()

    @rule(back=st.integers(1, 8))
    def command_comes_twice(self, back: int) -> None:
        """Send a copy of an earlier command, at a new offset."""
        if len(self.log.commands) >= back:
            before = self.handler.shard.digest()
            self._command(self.log.commands[-back])
            assert before == self.handler.shard.digest()

    @invariant()
    def replay_is_live(self) -> None:
        """The log folds to the live state, and every prefix is within the limits."""
        folded = self._fold()
        assert folded.digest() == self.handler.shard.digest()
        assert folded.head == self.handler.shard.head
        for unit in {unit for _, unit in folded.house}:
            house = sum(n for (_, u), n in folded.house.items() if u == unit)
            agents = sum(
                a.cash + a.scraped if unit == "USD" else _held(a.positions, unit)
                for a in folded.accounts.values()
            )
            assert 0 == house + agents

    def _command(self, message: Message) -> None:
        self.log.commands.append(message)
        self._handle(message, len(self.log.commands) - 1)

    def _handle(self, message: Message, offset: int) -> None:
        assert self.handler.why_invalid(message) is None
        handled = self.handler.handle(message, offset, self.now)
        self.log.records += handled.appends

    def _fold(self) -> Shard:
        shard = Shard()
        for offset, record in enumerate(self.log.records):
            assert shard.apply(record.kind, record.value, offset) is not None
            for account in shard.accounts.values():
                assert account.cash >= 0
                assert 0 <= account.scraped
                assert account.scrape or not account.scraped
                assert all(p.quantity > 0 and p.cost >= 0 for p in account.positions.values())
        return shard


def _held(positions: dict[str, Position], unit: str) -> int:
    return sum(
        p.quantity for product_id, p in positions.items() if product_id.split("-")[0] == unit
    )


Trading.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestTrading = Trading.TestCase
