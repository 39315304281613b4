"""Converts the local model's answer to a Chat Completions response body. Pure.

The model chooses an action, a product and a size; the quantity in base units is computed here, as
a share of the cash or of the position. The grammar guarantees the form of the answer unless it was
cut: an answer in another form is a failure, never a hold.
"""

from dataclasses import dataclass
from decimal import Decimal

import orjson
from pydantic import JsonValue

from arena.messages import JsonObject
from arena.messages.tools import PORTFOLIO_TOOL, TRADE_TOOL
from arena.money import decimal_text
from chat_nodes.decision_context import PlannedOrder
from chat_nodes.json_values import parse_object
from chat_nodes.local.prompt import LocalPrompt

BUY_SHARES = {"small": Decimal("0.05"), "medium": Decimal("0.15"), "large": Decimal("0.40")}
"""Size -> share of the cash to spend."""
SELL_SHARES = {"small": Decimal("0.25"), "medium": Decimal("0.50"), "large": Decimal(1)}
"""Size -> share of the position to sell."""


@dataclass(frozen=True, slots=True)
class EngineAnswer:
    """The answer of the engine.

    Attributes:
        text: Text of the model.
        finish_reason: "stop", or "length" at the token limit.
        usage: Tokens, as the engine counted them.
    """

    text: str
    finish_reason: str
    usage: JsonObject


def response_body(model_id: str, prompt: LocalPrompt, answer: EngineAnswer) -> bytes | None:
    """The response body for an answer; None if the answer does not have the requested form."""
    if prompt.schema is None:
        return _body(model_id, answer, answer.text, None)
    choice = parse_object(answer.text)
    if choice is not None and prompt.step == "call":
        return _body(model_id, answer, "", (prompt.tool, choice))
    if choice is None:
        return None
    reason = choice.get("reason")
    if not isinstance(reason, str):
        return None
    text = f"Reasoning: {reason or 'none was given'}"
    if prompt.step == "look":
        return _body(model_id, answer, text, (PORTFOLIO_TOOL, {}))
    if prompt.step == "close" or choice.get("action") == "hold":
        return _body(model_id, answer, text, None)
    order = _order(choice, prompt)
    if order is None:
        return None
    arguments: JsonObject = {
        "product_id": order.product_id,
        "quantity": decimal_text(order.quantity),
        "action": order.action,
    }
    return _body(model_id, answer, text, (TRADE_TOOL, arguments))


def _order(choice: JsonObject, prompt: LocalPrompt) -> PlannedOrder | None:
    context = prompt.context
    product_id, size = choice.get("product_id"), choice.get("size")
    if context is None or not isinstance(product_id, str) or not isinstance(size, str):
        return None
    if choice.get("action") == "buy" and product_id in prompt.buyable and size in BUY_SHARES:
        cash = context.account_of(product_id).cash_usd * BUY_SHARES[size]
        orders = context.buy(context.market.quotes[product_id], cash)
        return orders[0] if orders else None
    if choice.get("action") == "sell" and product_id in prompt.sellable and size in SELL_SHARES:
        order = context.sell(product_id, SELL_SHARES[size])
        # If the part rounds to zero, the whole position is sold.
        return order if order.quantity > 0 else context.sell(product_id)
    return None


def _body(
    model_id: str, answer: EngineAnswer, text: str, call: tuple[str, JsonObject] | None
) -> bytes:
    message: dict[str, JsonValue] = {"role": "assistant", "content": text}
    if call is not None:
        name, arguments = call
        function: JsonObject = {"name": name, "arguments": orjson.dumps(arguments).decode()}
        message["tool_calls"] = [{"id": "call_0", "type": "function", "function": function}]
    finish = answer.finish_reason if call is None else "tool_calls"
    return orjson.dumps(
        {
            "object": "chat.completion",
            "model": model_id,
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": answer.usage,
            "local_answer": answer.text,
        }
    )
