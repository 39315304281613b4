"""Snapshots, offers, replies and results for the tests of the routers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from pydantic import JsonValue

from arena import ids
from arena.messages import (
    CallOutcome,
    Candle,
    CandleWindow,
    ChatReply,
    ChatRequest,
    MarketSnapshot,
    ProductView,
    RequestedCall,
    Ticker,
    ToolCall,
    ToolOffered,
    ToolResult,
    Usage,
)
from routers.prompt import render_market, render_system, render_user
from routers.strategy import Strategy
from routers.turn_types import Limits, Now, ResolvedAgent, TurnInput

AS_OF = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
WALL = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WINDOW_SHAPES = {"15m": (900, 6), "5m": (300, 14), "1m": (60, 20)}
PRICES = {"BTC-USD": "67203.60", "ETH-USD": "3120.05", "FARTCOIN-USD": "0.21312"}

TRADER = Strategy(
    name="trader", prompt="Trade well.", tools=("execute_trade", "get_portfolio", "calculator")
)


def now(seconds: float = 0.0) -> Now:
    """An instant of the tests' wall and monotonic time."""
    return Now(WALL + timedelta(seconds=seconds), 1_000.0 + seconds)


def ticker(product_id: str, price: str) -> Ticker:
    """A ticker with a spread of one step of the price's last digit."""
    last = Decimal(price)
    step = Decimal(1).scaleb(int(last.as_tuple().exponent))
    return Ticker(
        venue="test",
        product_id=product_id,
        price=last,
        best_bid=last - step,
        best_ask=last,
        volume_24h=Decimal("1836.9"),
        event_time=AS_OF,
        received_at=WALL,
    )


def window(granularity_s: int, count: int, price: str, until: datetime = AS_OF) -> CandleWindow:
    """Closed candles up to a venue time."""
    value = Decimal(price)
    return CandleWindow(
        granularity_s=granularity_s,
        candles=tuple(
            Candle(
                start=until - timedelta(seconds=granularity_s * (count - i)),
                open=value,
                high=value,
                low=value,
                close=value,
                volume=Decimal(i + 1),
            )
            for i in range(count)
        ),
    )


def view(product_id: str, price: str, *, stale: bool = False) -> ProductView:
    """A product with a ticker and all three windows."""
    return ProductView(
        product_id=product_id,
        ticker=ticker(product_id, price),
        age_ms=400,
        stale=stale,
        windows={n: window(s, count, price) for n, (s, count) in WINDOW_SHAPES.items()},
    )


def snapshot(
    number: int = 0, prices: dict[str, str] | None = None, published_at: datetime = WALL
) -> MarketSnapshot:
    """The n-th snapshot of a venue, one minute apart."""
    shown = PRICES if prices is None else prices
    as_of = AS_OF + timedelta(minutes=number)
    return MarketSnapshot(
        snapshot_id=ids.snapshot_id("test", as_of, list(shown)),
        venue="test",
        as_of=as_of,
        interval_s=60,
        ticker_offsets={0: 100 + number},
        candle_offsets={0: 900 + number},
        products=tuple(view(p, price) for p, price in shown.items()),
        published_at=published_at,
    )


def offers() -> list[ToolOffered]:
    """The three tools of the arena."""
    return [
        ToolOffered(
            name=name,
            description=f"The tool {name}.",
            parameters={"type": "object", "properties": {}},
            touches_account=name != "calculator",
            at=WALL,
        )
        for name in TRADER.tools
    ]


def resolved_agent(limits: Limits | None = None, strategy: Strategy = TRADER) -> ResolvedAgent:
    """The agent alpha at the chat node model."""
    return ResolvedAgent.of("alpha", "model", strategy, limits or Limits(), offers())


def turn_input(number: int = 0, *, skipped: int = 0) -> TurnInput:
    """The input of a turn on the n-th snapshot."""
    seen = snapshot(number)
    user = render_user(render_market(seen), seen, None, ())
    return TurnInput(seen, number, skipped, render_system(TRADER.prompt, None), user)


def call(name: str, arguments: str = "{}", model_call_id: str = "c1") -> RequestedCall:
    """A tool call as a model writes it."""
    return RequestedCall(model_call_id=model_call_id, name=name, arguments=arguments)


def trade(
    product_id: str = "BTC-USD", quantity: str = "0.1", action: str = "buy", key: str = "c1"
) -> RequestedCall:
    """An order as a model writes it."""
    arguments = f'{{"product_id": "{product_id}", "quantity": "{quantity}", "action": "{action}"}}'
    return call("execute_trade", arguments, key)


def reply(
    request: ChatRequest,
    *calls: RequestedCall,
    text: str = "",
    outcome: CallOutcome = "ok",
    error: str = "",
    cost: str | None = "0.001",
) -> ChatReply:
    """The model's reply to a request."""
    usage = Usage(
        prompt_tokens=100,
        completion_tokens=10,
        cost_usd=None if cost is None else Decimal(cost),
    )
    return ChatReply(
        call_id=request.call_id,
        agent=request.agent,
        turn_id=request.turn_id,
        round=request.round,
        node="model",
        model="test-model",
        scripted=True,
        outcome=outcome,
        text=text,
        tool_calls=calls,
        error=error,
        finish_reason="tool_calls" if calls else "stop",
        usage=usage,
    )


def portfolio_value(cash: str = "93279.64") -> dict[str, JsonValue]:
    """The value of a result of `get_portfolio`."""
    position: dict[str, JsonValue] = {
        "product_id": "BTC-USD",
        "quantity": "0.1",
        "average_cost": "67203.60",
        "bid": "67203.59",
        "unrealised_usd": "-0.001",
        "held_s": 12,
    }
    return {"cash_usd": cash, "equity_usd": "99999.99", "positions": [position]}


def result(
    asked: ToolCall,
    text: str = "done",
    value: JsonValue = None,
    *,
    ok: bool = True,
    error: str = "",
    seq: int | None = None,
) -> ToolResult:
    """A tool's result for a call."""
    return ToolResult(
        call_id=asked.call_id,
        agent=asked.agent,
        turn_id=asked.turn_id,
        round=asked.round,
        index=asked.index,
        tool=asked.tool,
        ok=ok,
        text=text,
        value=value,
        error=error,
        account_seq=seq,
    )
