"""Records of agents with limit orders and exits, as the executor writes them."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import count

from arena.accounts import Shard
from arena.ids import derive
from arena.messages import OpenAccount
from arena.risk_limits import RiskLimits
from tests.ledger.audit.contest_log import COMMANDS, EVENTS, ROSTER, TICKERS, ContestLog
from tests.ledger.wallet_log import NOW, WalletArena
from tests.trading_tools.helpers import product, ticker, tool_call
from trading_tools.command_handler import CommandHandler
from trading_tools.events import PendingEvent, epoch_of
from trading_tools.orders.marks import Checked
from trading_tools.orders.watch import OrderWatch
from trading_tools.quotes import MarketState
from trading_tools.registry import load_catalogue
from trading_tools.risk.requests import LimitSettings
from trading_tools.rules import TradingRules

BTC, ETH = "BTC-USD", "ETH-USD"
AGENT, OTHER = "momentum", "brain"
LIMITS = RiskLimits.from_json(
    {
        "max_symbol_exposure_pct": 40,
        "max_portfolio_exposure_pct": 80,
        "max_daily_loss_pct": 3,
        "max_trades_per_day": 40,
        "min_cash_pct": 5,
    }
)
RULES = TradingRules.from_flags(starting_cash="100000")


class LivingArena(WalletArena):
    """One shard; `AGENT` is under limits of risk, `OTHER` is not.

    Attributes:
        at: Wall and venue time of the newest price.
        turn_id: The turn of the next calls; "" for the same one as before.
    """

    turn_id = ""

    def __init__(self, limits: RiskLimits = LIMITS) -> None:
        """Open the accounts, and publish a first price of each product.

        Args:
            limits: Of `AGENT`.
        """
        self.records = {t: [] for t in (TICKERS, COMMANDS, EVENTS, ROSTER)}
        self.shard = Shard()
        self.at = NOW
        self._market = MarketState()
        tools = {n: t for n, t in load_catalogue().items() if t.touches_account}
        settings = LimitSettings(by_agent={AGENT: limits})
        self._handler = CommandHandler(
            0, 1, self.shard, self._market, RULES, tools, limits=settings
        )
        self._watch = OrderWatch(self._handler)
        self._calls = count()
        self._write(ROSTER, RULES.message(NOW), "rules")
        claim = self._write(EVENTS, epoch_of(self.shard, "me", NOW, RULES.message(NOW)), "")
        self.shard.apply("Epoch", claim.value, 0)
        for name in (BTC, ETH):
            self._note(product(name).model_copy(update={"base_currency": name[:3]}))
        self.price(BTC, "60000")
        self.price(ETH, "3000")
        for agent in (AGENT, OTHER):
            call_id = derive("open-by-command", agent)
            self._handle(OpenAccount(call_id=call_id, agent=agent, issued_at=self.at))

    def call(self, agent: str, tool: str, **arguments: str | float) -> str:
        """An agent calls a tool; returns the id of the call."""
        values = ", ".join(f'"{name}": "{value}"' for name, value in arguments.items())
        index = next(self._calls)
        times = {"issued_at": self.at, "deadline_at": self.at + timedelta(seconds=30)}
        ends = {"ticker_offsets": {0: len(self.records[TICKERS])}, "snapshot_id": ""}
        if self.turn_id:
            ends["turn_id"] = self.turn_id
        call = tool_call(agent, tool, f"{{{values}}}", index=index, **times, **ends)
        record = self._write(COMMANDS, call, agent)
        self._log(*self._handler.handle(call, record.offset, self.at).appends)
        self._watch.note_orders(agent)
        return call.call_id

    def buy(self, agent: str, name: str, quantity: str, **more: str | float) -> str:
        """An agent buys; returns the order id."""
        order = {"product_id": name, "quantity": quantity, "action": "buy"}
        return self.call(agent, "execute_trade", **order, **more)

    def sell(self, agent: str, name: str, quantity: str, **more: str | float) -> str:
        """An agent sells; returns the order id."""
        order = {"product_id": name, "quantity": quantity, "action": "sell"}
        return self.call(agent, "execute_trade", **order, **more)

    def price(self, name: str, bid: str, seconds: int = 1, size: str | None = None) -> None:
        """Publish a price, and take the steps that it brings.

        Args:
            name: The product.
            bid: The best bid; the ask is ten higher.
            seconds: Seconds after the price before.
            size: What is offered at the ask; None for unknown.
        """
        self.at += timedelta(seconds=seconds)
        times = {"event_time": self.at, "received_at": self.at}
        sizes = {} if size is None else {"best_ask_size": Decimal(size)}
        quote = ticker(bid, str(Decimal(bid) + 10), name)
        self._note(quote.model_copy(update={**times, **sizes}))
        self._log(*self._watch.on_quote(self._market.quotes[name], self.at))

    def check(self) -> None:
        """Note that the market was checked up to here; an account that lost too much is stopped."""
        checked = Checked({0: len(self.records[TICKERS])}, f"s{self.at:%M%S}", self.at)
        self._log(*self._watch.on_snapshot(checked, self.at))

    def _log(self, *records: PendingEvent) -> None:
        for record in records:
            assert record.offset == len(self.records[EVENTS])
            self._append(EVENTS, record.kind, record.value, record.key)


def living_arena() -> LivingArena:
    """Every kind of step: armed, fired, cancelled, replaced, expired, part filled, tripped."""
    arena = LivingArena()
    arena.buy(AGENT, BTC, "0.2", stop_loss_pct=5, take_profit_pct=10)
    arena.buy(OTHER, ETH, "5", trailing_pct=4)
    arena.check()
    arena.price(ETH, "3100")
    arena.price(BTC, "61000")
    arena.price(ETH, "2970")  # 4 % below 3100 is 2976: the trailing stop fires
    arena.check()
    arena.price(BTC, "66100")  # the take-profit fires, the stop is cancelled
    arena.buy(AGENT, ETH, "3", limit_price="2900", stop_loss_pct=10)
    arena.check()
    arena.price(ETH, "2880", size="1")
    arena.price(ETH, "2870")
    arena.call(AGENT, "set_exit", product_id=ETH, take_profit_price="3500", exit_after="2h")
    arena.call(AGENT, "set_exit", product_id=ETH, stop_loss_price="2700")
    arena.sell(AGENT, ETH, "all")
    arena.sell(AGENT, ETH, "1")
    arena.buy(OTHER, BTC, "0.1", limit_price="50000", expires_after="60s")
    gone = arena.buy(OTHER, BTC, "0.1", limit_price="51000")
    arena.call(OTHER, "cancel_order", order_id=gone)
    arena.call(OTHER, "cancel_order", order_id=gone)
    arena.price(BTC, "65000")
    arena.buy(AGENT, BTC, "5")  # above the limit of exposure
    arena.buy(AGENT, BTC, "0.1", exit_after="1s")
    arena.price(BTC, "64000", seconds=62)
    arena.check()
    arena.buy(AGENT, BTC, "0.5", stop_loss_pct=15)
    arena.price(BTC, "57000")
    arena.check()
    arena.buy(AGENT, BTC, "0.05")
    arena.check()
    return arena


def living_log() -> ContestLog:
    """The records of `living_arena`, to audit and to change."""
    return living_arena().log()


def changed(log: ContestLog, where: Callable[..., bool], change: Callable[..., None]) -> ContestLog:
    """A copy with one changed event, and a chain that matches again."""
    other = log.copy()
    other.change(EVENTS, other.find(EVENTS, where), change)
    other.rebuild_chain()
    return other
