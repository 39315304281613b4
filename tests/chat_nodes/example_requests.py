"""Example prompts in the arena's format, and requests with them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from arena import ids, topics
from arena.messages import ChatMessage, ChatRequest, Sampling, ToolSchema

START = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
SYSTEM = "You trade. Every fill costs a taker fee of 60 bps of its value and 2 bps slippage."
RISING = [100 + i for i in range(12)]
FALLING = [112 - i for i in range(12)]
FLAT = [100] * 12

TOOLS = tuple(
    ToolSchema(
        name=name,
        description=f"The tool {name}.",
        parameters={"type": "object", "properties": {"product_id": {"type": "string"}}},
    )
    for name in ("execute_trade", "get_portfolio", "calculator")
)


def candle_lines(closes: Sequence[object]) -> list[str]:
    """CSV rows with these closing prices."""
    return [f"05:{i:02d},{c},{c},{c},{c},1.5" for i, c in enumerate(closes)]


def prompt(
    products: Mapping[str, Sequence[float]],
    *,
    account: str = "cash_usd: 100000\nequity_usd: 100000.00\nposition: none",
    prices: dict[str, str] | None = None,
    stale: Sequence[str] = (),
) -> str:
    """A user message with the same closes in every window; account "" leaves the account out."""
    last = {p: (prices or {}).get(p, str(closes[-1])) for p, closes in products.items()}
    lines = [f"# Market as of 2026-11-21T09:30:00Z ({', '.join(products)})"]
    if account:
        lines += ["## Your account", account]
    lines += ["## Tickers", "product_id,price,best_bid,best_ask,volume_24h,age_s,stale"]
    for product, price in last.items():
        lines.append(
            f"{product},{price},{price},{price},9.5,0.4,{'yes' if product in stale else 'no'}"
        )
    for product, closes in products.items():
        for window in ("15m", "5m", "1m"):
            lines.append(f"## Candles {product} {window} (UTC, oldest first)")
            lines.append("start,open,high,low,close,volume")
            lines += [*candle_lines(closes), "gaps: 05:45"]
    return "\n".join(lines) + "\n"


def request(
    user: str = "hello",
    *,
    agent: str = "momentum",
    strategy: str = "momentum",
    turn: str = "turn-1",
    round_: int = 0,
    issued_at: datetime = START,
    time_s: float = 60.0,
    later: Sequence[ChatMessage] = (),
    tools: Sequence[ToolSchema] = TOOLS,
    sampling: Sampling | None = None,
) -> ChatRequest:
    """A request with a system message, a user message, and the `later` messages of the turn."""
    turn_id = ids.turn_id(agent, turn)
    return ChatRequest(
        call_id=ids.model_call_id(turn_id, round_),
        agent=agent,
        turn_id=turn_id,
        round=round_,
        strategy=strategy,
        snapshot_id="snapshot",
        messages=(
            ChatMessage(role="system", content=SYSTEM),
            ChatMessage(role="user", content=user),
            *later,
        ),
        tools=tuple(tools),
        sampling=sampling or Sampling(),
        issued_at=issued_at,
        deadline_at=issued_at + timedelta(seconds=time_s),
        reply_to=topics.inbox(agent),
    )
