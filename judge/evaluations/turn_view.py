"""What the checks read of a recorded turn: what was shown, what the agent said, what it called.

Pure. Everything comes from the `Turn` alone, so a check gives the same result in every process.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from pydantic import JsonValue
from pydantic_core import from_json

from arena.messages import Portfolio, RequestedCall, Turn
from arena.messages.tools import DECIDED_TOOLS, TRADE_TOOL
from judge.strategy_text import split_system

REJECTED = "Rejected: "
_FILL = re.compile(
    r"(Bought|Sold) (\S+) (\S+) at (\S+) for ([\d.]+) (\S+) (?:plus|less) ([\d.]+) fee\."
)


@dataclass(frozen=True, slots=True)
class FillText:
    """A fill as the executor reported it to the agent.

    Attributes:
        side: "buy" or "sell".
        quantity: Base units. price, notional, fee: In the currency of the account.
    """

    side: str
    quantity: float
    product_id: str
    price: float
    notional: float
    fee: float


@dataclass(frozen=True, slots=True)
class CallView:
    """A tool call of a turn, and its answer.

    Attributes:
        arguments: The parsed arguments; None if they are not a JSON object.
        raw: The arguments as the model wrote them.
        ok: True if it was carried out.
        answer: The text that the model got; "" for none.
        said: The model's text in the same message.
    """

    name: str
    arguments: dict[str, JsonValue] | None
    raw: str
    ok: bool
    answer: str
    said: str
    problem: str = ""

    @property
    def is_order(self) -> bool:
        """True for a buy or a sell."""
        return self.name == TRADE_TOOL

    @property
    def is_decided(self) -> bool:
        """True if the executor decides it: an order, exits or a cancellation."""
        return self.name in DECIDED_TOOLS

    def text(self, name: str) -> str:
        """An argument as text; "" if it is missing."""
        value = (self.arguments or {}).get(name)
        return "" if value is None else str(value)

    @property
    def side(self) -> str:
        """Side of an order, as the model wrote it: "buy" or "sell"."""
        return self.text("action").lower() if self.is_order else ""

    @property
    def product_id(self) -> str:
        """The product as the model wrote it."""
        return self.text("product_id")

    @property
    def rejection(self) -> str:
        """The reason for which the executor refused it, such as "risk limit"; "" if it did not."""
        if self.ok or not self.answer.startswith(REJECTED):
            return ""
        return self.answer.removeprefix(REJECTED).partition(":")[0].strip()

    @property
    def fill(self) -> FillText | None:
        """The fill that the answer reports; None without one."""
        found = _FILL.match(self.answer) if self.ok else None
        if found is None:
            return None
        word, quantity, product_id, price, notional, _, fee = found.groups()
        numbers = [_number(text) for text in (quantity, price, notional, fee)]
        if None in numbers:
            return None
        amounts = [one for one in numbers if one is not None]
        side = "buy" if word == "Bought" else "sell"
        return FillText(side, amounts[0], product_id, amounts[1], amounts[2], amounts[3])


@dataclass(frozen=True)
class TurnView:
    """A turn as the checks read it.

    Attributes:
        strategy: The strategy's own text.
        prompt: All that the first prompt showed, rules included.
        words: The agent's texts, oldest first, each with the texts of the tools before it.
        calls: The tool calls in order.
        final: The final text.
        portfolio: The account as the agent knew it at the end of the turn.
    """

    strategy: str
    prompt: str
    words: tuple[tuple[str, str], ...]
    calls: tuple[CallView, ...]
    final: str
    portfolio: Portfolio | None = None
    products: tuple[str, ...] = field(default=())

    @cached_property
    def orders(self) -> tuple[CallView, ...]:
        """The calls for buys and sells."""
        return tuple(call for call in self.calls if call.is_order)

    @cached_property
    def fills(self) -> tuple[FillText, ...]:
        """What was filled at once."""
        return tuple(fill for call in self.orders if (fill := call.fill) is not None)


def view_of(turn: Turn) -> TurnView:
    """Read a turn."""
    system = "".join(m.content for m in turn.messages[:1] if m.role == "system")
    shown = [m.content for m in turn.messages if m.role in ("system", "user")]
    answers = {m.tool_call_id: m.content for m in turn.messages if m.role == "tool"}
    carried = iter([ok for one in turn.rounds for ok in one.tools_ok])
    words: list[tuple[str, str]] = []
    calls: list[CallView] = []
    tools: list[str] = []
    for message in turn.messages:
        if message.role == "tool":
            tools.append(message.content)
        if message.role != "assistant":
            continue
        if message.content.strip():
            words.append((message.content, "\n".join(tools)))
        for call in message.tool_calls:
            answer = answers.get(call.model_call_id, "")
            calls.append(_call(call, answer, message.content, carried))
    if turn.final_text and not any(turn.final_text in text for text, _ in words):
        words.append((turn.final_text, "\n".join(tools)))
    prompt = "\n".join(shown)
    return TurnView(
        strategy=split_system(system)[0],
        prompt=prompt,
        words=tuple(words),
        calls=tuple(calls),
        final=turn.final_text,
        portfolio=turn.portfolio,
        products=_products(prompt),
    )


def _call(call: RequestedCall, answer: str, said: str, carried: Iterator[bool]) -> CallView:
    ok = next(carried, False)
    try:
        value = from_json(call.arguments or "{}")
    except ValueError:
        value = None
    arguments = value if isinstance(value, dict) else None
    return CallView(call.name, arguments, call.arguments, ok, answer, said, call.problem)


def _products(prompt: str) -> tuple[str, ...]:
    """The products in the heading of the market: "# Market as of <time> (BTC-USD, ETH-USD)"."""
    for line in prompt.splitlines():
        if line.startswith("# Market as of ") and line.endswith(")"):
            return tuple(line.partition("(")[2][:-1].split(", "))
    return ()


def quotes(prompt: str) -> dict[str, tuple[float, float]]:
    """The best bid and ask of each product in the tickers of a prompt."""
    found: dict[str, tuple[float, float]] = {}
    columns: list[str] = []
    for line in prompt.splitlines():
        if line.startswith("product_id,") and "best_bid" in line:
            columns = line.split(",")
        elif columns:
            cells = line.split(",")
            if len(cells) != len(columns):
                break
            row = dict(zip(columns, cells, strict=True))
            bid, ask = _number(row["best_bid"]), _number(row["best_ask"])
            if bid and ask:
                found[row["product_id"]] = (bid, ask)
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
