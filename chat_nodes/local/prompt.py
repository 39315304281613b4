"""The prompt of the small local model, and the JSON schema of its answer. Pure.

SmolLM2 has 135 million parameters and a context of 2,048 tokens: an agent's prompt does not fit,
and the model would understand little of it. So its prompt is a few lines made from the agent's, and
a JSON schema allows only choices that can be carried out. A turn has up to three steps:

* look: the account is unknown, so the only action is to ask for it;
* decide: hold, or buy or sell a product in one of three sizes;
* close: an order was sent in this turn; the model comments on it.

A request that is not about trading is sent unchanged, cut to fit. If it offers a tool, as the check
of `arena doctor` does, the first answer must call it; the next may be any text.

The order of products, actions and sizes follows from a hash of the conversation: a model of this
size mostly picks what it reads first, and would otherwise always buy the same product.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeVar

from arena.currency import DEFAULT_CURRENCY
from arena.messages import ChatRequest, JsonObject, ToolSchema
from arena.messages.tools import PORTFOLIO_TOOL, TRADE_TOOL
from arena.money import decimal_text
from chat_nodes.decision_context import DecisionContext
from chat_nodes.prompt_reader import (
    PromptMarket,
    PromptQuote,
    read_account,
    read_cost_bps,
    read_market,
)
from chat_nodes.turn_messages import called_tools, newest_prompt

SIZES = ("small", "medium", "large")
PRODUCTS_SHOWN_MAX = 6
STRATEGY_CHARS_MAX = 240
RESULT_CHARS_MAX = 240
REASON_CHARS_MAX = 48
"""A low bound, because a model of this size repeats itself until it is stopped."""
ARGUMENT_CHARS_MAX = 24
ARGUMENTS_MAX = 4
FREE_CHARS_MAX = 1_200
"""Characters of a request that is not about trading: they fit at one token per character."""
MOVES = (("5m", 2, "in 5 minutes"), ("15m", 5, "in an hour"))
"""Window of the candles, number of closes that span the move, text for the period."""

Step = Literal["look", "decide", "close", "call", "free"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LocalPrompt:
    """One question to the local model.

    Attributes:
        step: The step of the turn; "call" must call a tool, "free" may be any text.
        messages: Messages of the Chat Completions protocol.
        schema: JSON schema of the answer; None if any text is accepted.
        context: Context for the size of an order; None unless the step is "decide".
        buyable: Products that it may buy.
        sellable: Products that it may sell.
        tool: The tool that it must call; "" unless the step is "call".
    """

    step: Step
    messages: tuple[JsonObject, ...]
    schema: JsonObject | None = None
    context: DecisionContext | None = None
    buyable: tuple[str, ...] = ()
    sellable: tuple[str, ...] = ()
    tool: str = ""


def local_prompt(request: ChatRequest) -> LocalPrompt:
    """The local model's prompt for a request."""
    prompt = newest_prompt(request.messages)
    market = read_market(prompt)
    tools = {tool.name for tool in request.tools}
    called, results = called_tools(request.messages)
    if TRADE_TOOL not in tools and request.tools and not called:
        return _call(request, request.tools[0])
    if market is None or TRADE_TOOL not in tools:
        return _free(request)
    if TRADE_TOOL in called:
        return _close(results)
    account = read_account([prompt, *results])
    if account is None:
        if PORTFOLIO_TOOL not in tools or PORTFOLIO_TOOL in called:
            return _free(request)
        return _look(request)
    cost_bps = read_cost_bps(request.messages)
    return _decide(request, DecisionContext(market, account, cost_bps, str(prompt_seed(request))))


def prompt_seed(request: ChatRequest) -> int:
    """A seed that depends only on the conversation and the agent's seed."""
    digest = hashlib.sha256(str(request.sampling.seed).encode())
    for message in request.messages:
        digest.update(f"\0{message.role}\0{message.content}".encode("utf-8", "replace"))
    return int.from_bytes(digest.digest()[:4], "big")


def shuffled(items: Sequence[T], seed: str) -> list[T]:
    """The items in an order that depends only on the seed."""
    indexes = range(len(items))
    order = sorted(indexes, key=lambda i: hashlib.sha256(f"{seed} {i}".encode()).digest())
    return [items[i] for i in order]


def _decide(request: ChatRequest, context: DecisionContext) -> LocalPrompt:
    seed = context.seed
    live = context.market.live()[:PRODUCTS_SHOWN_MAX]
    held = [q for q in live if q.product_id in context.positions]
    # Only what the smallest size can pay for may be bought.
    payable = {q.product_id: context.account_of(q.product_id) for q in live}
    can_pay: dict[str, bool] = {}
    for quote in live:
        account = payable[quote.product_id]
        if account.currency not in can_pay:
            cash = account.cash_usd * Decimal("0.05")
            can_pay[account.currency] = bool(context.buy(quote, cash))
    buyable = tuple(p for p, account in payable.items() if can_pay[account.currency])
    sellable = tuple(q.product_id for q in held)
    actions = shuffled(["hold", *["buy"] * bool(buyable), *["sell"] * bool(sellable)], seed)
    sizes = shuffled(SIZES, seed)
    instruction = (
        f"Answer with one JSON object: action ({' or '.join(actions)}), product_id, "
        f"size ({', '.join(sizes)}), reason in a few words."
    )
    lines = [_product_line(context.market, quote) for quote in shuffled(live, seed)]
    lines.append(_account_line(context, held))
    lines.append("What do you do?")
    reason: JsonObject = {"type": "string", "maxLength": REASON_CHARS_MAX}
    choices = [_choice(action="hold", reason=reason)]
    for action, products in (("buy", buyable), ("sell", sellable)):
        if products:
            choices.append(
                _choice(action=action, product_id=products, size=SIZES, reason=reason),
            )
    return LocalPrompt(
        step="decide",
        messages=_messages(f"{_strategy_line(request)} {instruction}", "\n".join(lines)),
        schema={"anyOf": [*choices]},
        context=context,
        buyable=buyable,
        sellable=sellable,
    )


def _look(request: ChatRequest) -> LocalPrompt:
    system = (
        f"{_strategy_line(request)} You do not know your account yet. "
        "Answer with one JSON object: action (look), reason in a few words."
    )
    return LocalPrompt("look", _messages(system, "What do you do?"), _reason_schema(action="look"))


def _close(results: Sequence[str]) -> LocalPrompt:
    result = " ".join(results[-1].split())[:RESULT_CHARS_MAX] if results else "no answer came"
    system = "You are a trader. Answer with one JSON object: reason, in a few words."
    user = f"You sent an order. The answer: {result}\nWhat did you do, and why?"
    return LocalPrompt("close", _messages(system, user), _reason_schema())


def _free(request: ChatRequest) -> LocalPrompt:
    system = next((m.content for m in request.messages if m.role == "system"), "")
    last = next((m.content for m in reversed(request.messages) if m.content), "")
    half_chars = FREE_CHARS_MAX // 2
    return LocalPrompt("free", _messages(system[:half_chars], last[-half_chars:]))


def _call(request: ChatRequest, tool: ToolSchema) -> LocalPrompt:
    """A prompt for a call of a tool: the texts and numbers of its schema, each bounded."""
    properties = tool.parameters.get("properties")
    fields: JsonObject = {}
    for name, value in properties.items() if isinstance(properties, dict) else ():
        kind = value.get("type") if isinstance(value, dict) else None
        if kind in ("string", "number", "integer") and len(fields) < ARGUMENTS_MAX:
            bound: JsonObject = {"maxLength": ARGUMENT_CHARS_MAX} if kind == "string" else {}
            fields[name] = {"type": kind, **bound}
    schema: JsonObject = {
        "type": "object",
        "properties": fields,
        "required": [*fields],
        "additionalProperties": False,
    }
    return LocalPrompt("call", _free(request).messages, schema, tool=tool.name)


def _messages(system: str, user: str) -> tuple[JsonObject, ...]:
    found: list[JsonObject] = [{"role": "system", "content": _plain(system)}]
    found.append({"role": "user", "content": _plain(user)})
    return tuple(m for m in found if m["content"])


def _plain(text: str) -> str:
    """The text in ASCII: other characters cost up to four tokens, and bounds are in characters."""
    return text.encode("ascii", "replace").decode()


def _strategy_line(request: ChatRequest) -> str:
    """The first paragraph of the agent's own prompt, cut at the end of a sentence if possible."""
    system = next((m.content for m in request.messages if m.role == "system"), "")
    first = " ".join(system.split("\n\n", 1)[0].split())
    if len(first) <= STRATEGY_CHARS_MAX:
        return first or "You are a trader."
    cut = first[:STRATEGY_CHARS_MAX]
    return cut.rpartition(". ")[0] + "." if ". " in cut else cut


def _product_line(market: PromptMarket, quote: PromptQuote) -> str:
    moves = []
    _, middle, slow = market.windows
    named = MOVES
    if (middle, slow) != (MOVES[0][0], MOVES[1][0]):
        named = ((middle, 2, f"in {middle}"), (slow, 5, f"in 4 times {slow}"))
    for window, closes_count, words in named:
        closes = market.closes(quote.product_id, window, closes_count)
        if len(closes) == closes_count:
            moves.append(f"{_move(quote.price / closes[0] - 1)} {words}")
    return f"{quote.product_id}: {', '.join(moves) or 'no move is known'}"


def _account_line(context: DecisionContext, held: Iterable[PromptQuote]) -> str:
    parts = []
    for quote in held:
        gain = context.gain(quote)
        parts.append(quote.product_id + (f", which {_move(gain)}" if gain is not None else ""))
    accounts = (context.account, *context.account.wallets.values())
    words = " and ".join(_cash_words(one.cash_usd, one.currency) for one in accounts)
    return f"You have {words}. You hold {'; '.join(parts) or 'nothing'}."


def _cash_words(cash: Decimal, unit: str) -> str:
    return f"{int(cash)} dollars" if unit == DEFAULT_CURRENCY else f"{cash:.8g} {unit}"


def _move(fraction: Decimal) -> str:
    percent = (abs(fraction) * 100).quantize(Decimal("0.1"))
    if not percent:
        return "did not move"
    return f"{'rose' if fraction > 0 else 'fell'} {decimal_text(percent)} %"


def _choice(*, reason: JsonObject, **fields: str | Sequence[str]) -> JsonObject:
    """The schema of an object with these fields, each one value or one of several, and a reason."""
    properties: JsonObject = {
        name: {"const": value} if isinstance(value, str) else {"enum": [*value]}
        for name, value in fields.items()
    }
    properties["reason"] = reason
    return {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }


def _reason_schema(**fields: str) -> JsonObject:
    return _choice(reason={"type": "string", "maxLength": REASON_CHARS_MAX}, **fields)
