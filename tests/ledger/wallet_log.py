"""The records of two agents with dollars and tethers, as the executor writes them."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from arena.accounts import Shard
from arena.bus.base import Record
from arena.exports import PartitionSpan
from arena.ids import derive
from arena.messages import Message, OpenAccount, Product, Ticker
from arena.wire import encode
from tests.ledger.audit.contest_log import COMMANDS, EVENTS, ROSTER, TICKERS, ContestLog
from tests.trading_tools.helpers import product, ticker, tool_call
from trading_tools.command_handler import CommandHandler
from trading_tools.events import epoch_of
from trading_tools.quotes import MarketState
from trading_tools.registry import load_catalogue
from trading_tools.rules import TradingRules

NOW = datetime(2026, 11, 21, 9, 12, 3, tzinfo=UTC)
DOLLARS, TETHERS = "BTC-USD", "binance:BTCUSDT"
QUOTES = {DOLLARS: "USD", TETHERS: "USDT"}
AGENTS = ("momentum", "brain")
RULES = TradingRules.from_flags(starting_cash="70000", wallets=["USDT=30000"])
ORDERS = (
    ("momentum", "buy", DOLLARS, "0.5"),
    ("momentum", "buy", TETHERS, "0.25"),
    ("momentum", "buy", TETHERS, "9"),
    ("brain", "buy", TETHERS, "0.1"),
    ("brain", "buy", DOLLARS, "0.2"),
    ("brain", "sell", DOLLARS, "3"),
)
LATER_ORDERS = (
    ("momentum", "sell", TETHERS, "0.2"),
    ("momentum", "sell", DOLLARS, "0.5"),
    ("brain", "sell", TETHERS, "0.05"),
    ("brain", "buy", TETHERS, "7"),
)
"""After the price rose by a tenth: the profits of momentum are partly set aside."""

Orders = tuple[tuple[str, str, str, str], ...]
"""Agent, action, product and quantity of some orders."""

ROUNDS: tuple[tuple[str, Orders], ...] = (("60000", ORDERS), ("66000", LATER_ORDERS))
"""Bids, and the orders that are decided at each."""


def random_rounds(seed: int) -> tuple[tuple[str, Orders], ...]:
    """Rounds of orders of any size, many of which are refused."""
    rng = random.Random(seed)
    return tuple(
        (
            str(rng.randrange(50_000, 70_000)),
            tuple(
                (
                    rng.choice(AGENTS),
                    rng.choice(("buy", "sell")),
                    rng.choice((DOLLARS, TETHERS)),
                    f"{rng.randrange(1, 40) / 100}",
                )
                for _ in range(8)
            ),
        )
        for _ in range(4)
    )


class WalletArena:
    """Two agents, each with dollars and tethers: fills and rejections in both, and a scrape.

    Attributes:
        records: Topic -> its records.
        shard: The fold of the account log.
    """

    def __init__(self, rounds: tuple[tuple[str, Orders], ...] = ROUNDS) -> None:
        """Write the whole log.

        Args:
            rounds: Bids, and the orders that are decided at each.
        """
        self.records: dict[str, list[Record]] = {t: [] for t in (TICKERS, COMMANDS, EVENTS, ROSTER)}
        self.shard = Shard()
        self._market = MarketState()
        tools = {n: t for n, t in load_catalogue().items() if t.touches_account}
        self._handler = CommandHandler(0, 1, self.shard, self._market, RULES, tools)
        self._write(ROSTER, RULES.message(NOW), "rules")
        claim = self._write(EVENTS, epoch_of(self.shard, "me", NOW, RULES.message(NOW)), "")
        self.shard.apply("Epoch", claim.value, 0)
        for name in QUOTES:
            self._note(product(name).model_copy(update={**_base_and_quote(name)}))
        for bid, orders in rounds:
            self._trade(bid, orders)

    def log(self) -> ContestLog:
        """The records, to audit and to change."""
        spans = {
            t: {0: PartitionSpan(first=0, end=len(r), count=len(r))}
            for t, r in self.records.items()
        }
        return ContestLog({t: list(r) for t, r in self.records.items()}, spans)

    def _trade(self, bid: str, orders: Orders) -> None:
        """Publish a price of both products, and decide some orders."""
        at = NOW + timedelta(seconds=len(self.records[TICKERS]))
        for name in QUOTES:
            quote = ticker(bid, str(Decimal(bid) + 10), name)
            times = {"event_time": at, "received_at": at}
            self._note(quote.model_copy(update={"venue": _venue(name), **times}))
        if not self.records[COMMANDS]:
            for agent in AGENTS:
                call_id = derive("open-by-command", agent)
                share = Decimal("0.2") if agent == AGENTS[0] else None
                self._handle(OpenAccount(call_id=call_id, agent=agent, scrape=share, issued_at=at))
        for agent, action, name, quantity in orders:
            asked = f'"product_id": "{name}", "quantity": "{quantity}", "action": "{action}"'
            index = len(self.records[COMMANDS])
            times = {"issued_at": at, "deadline_at": at + timedelta(seconds=30)}
            ends = {"ticker_offsets": {0: len(self.records[TICKERS])}, "snapshot_id": ""}
            text = f"{{{asked}}}"
            self._handle(tool_call(agent, "execute_trade", text, index=index, **times, **ends))

    def _handle(self, message: Message) -> None:
        record = self._write(COMMANDS, message, str(getattr(message, "agent", "")))
        at = NOW + timedelta(seconds=len(self.records[TICKERS]), milliseconds=record.offset)
        for event in self._handler.handle(message, record.offset, at).appends:
            self._append(EVENTS, event.kind, event.value, event.key)

    def _note(self, message: Product | Ticker) -> None:
        record = self._write(TICKERS, message, message.product_id)
        self._market.note(message, 0, record.offset)

    def _write(self, topic: str, message: Message, key: str) -> Record:
        return self._append(topic, message.type_name(), encode(message).value, key)

    def _append(self, topic: str, kind: str, value: bytes, key: str) -> Record:
        offset = len(self.records[topic])
        headers = {"type": kind.encode(), "schema": b"1"}
        at_ms = int(NOW.timestamp() * 1000) + offset
        record = Record(topic, 0, offset, at_ms, key.encode(), value, headers)
        self.records[topic].append(record)
        return record


def _venue(product_id: str) -> str:
    return "binance" if product_id == TETHERS else "coinbase"


def _base_and_quote(product_id: str) -> dict[str, str]:
    return {
        "venue": _venue(product_id),
        "base_currency": "BTC",
        "quote_currency": QUOTES[product_id],
    }
