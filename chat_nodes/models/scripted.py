"""The built-in model: rules instead of an LLM, for the demo and for tests.

It reads the same prompt text that an LLM reads and answers in the same shape, so everything behind
it is what a real model would meet. `--model-id scripted` follows each request's own strategy,
`--model-id scripted:momentum` one for all. It costs nothing and says so: no tokens, no dollars.
"""

from collections.abc import Sequence

import orjson

from arena.errors import UsageError
from arena.messages import ChatMessage, ChatRequest
from arena.money import decimal_text
from arena.redaction import NO_SECRETS
from chat_nodes.models.base import CallFailed, ModelSettings, RawReply, ask
from chat_nodes.models.prompt_reader import read_account, read_cost_bps, read_market
from chat_nodes.policies import POLICIES, Plan, Situation

TRADE_TOOL = "execute_trade"
PORTFOLIO_TOOL = "get_portfolio"
ECHO_CHARS_MAX = 160

ToolAsk = tuple[str, dict[str, str]]
"""A tool's name and its arguments."""


class ScriptedModel:
    """Rules that answer like a model.

    Args:
        settings: The model id names the strategy after a colon, or leaves it to the request.
    """

    scripted = True
    host = ""
    secrets = NO_SECRETS

    def __init__(self, settings: ModelSettings) -> None:
        """Check the strategy."""
        self.model_id = settings.model_id
        self._strategy = settings.model_id.partition(":")[2].replace("-", "_")
        if self._strategy and self._strategy not in POLICIES:
            raise UsageError(
                f"there is no scripted strategy {self._strategy!r}",
                remedy=f"use scripted, or scripted: and one of {', '.join(POLICIES)}",
            )

    async def complete(self, request: ChatRequest, *, timeout_s: float) -> RawReply | CallFailed:
        """Answer at once."""
        strategy = self._strategy or request.strategy.replace("-", "_")
        text, asks = answer(request, strategy)
        return RawReply(completion(self.model_id, text, asks), ask(self.model_id, request, {}))

    async def close(self) -> None:
        """Nothing is open."""


def answer(request: ChatRequest, strategy: str) -> tuple[str, list[ToolAsk]]:
    """What the rules say to a request: a text and the tools they ask for."""
    policy = POLICIES.get(strategy)
    if policy is None:
        known = ", ".join(POLICIES)
        return f"Reasoning: no scripted rules for {strategy!r} (there are {known}): holding.", []
    asked, results = _this_turn(request.messages)
    if TRADE_TOOL in asked:
        told = " ".join(results[-1].split())[:ECHO_CHARS_MAX] if results else "no result"
        return f"Reasoning: done for now. Last result: {told}", []
    prompt = next((m.content for m in reversed(request.messages) if m.role == "user"), "")
    market = read_market(prompt)
    if market is None:
        return "Reasoning: the prompt shows no market that can be read: holding.", []
    account = read_account([prompt, *results])
    if account is None:
        if PORTFOLIO_TOOL in asked or not _offered(request, PORTFOLIO_TOOL):
            return "Reasoning: the account is unknown: holding.", []
        return "First a look at the account.", [(PORTFOLIO_TOOL, {})]
    seed = f"{request.sampling.seed} {request.turn_id}"
    plan = policy(Situation(market, account, read_cost_bps(request.messages), seed))
    if plan.orders and not _offered(request, TRADE_TOOL):
        return "Reasoning: there is no tool to trade with: holding.", []
    return f"Reasoning: {plan.reason}.", _asks(plan)


def completion(model_id: str, text: str, asks: Sequence[ToolAsk]) -> bytes:
    """A Chat Completions response body."""
    message: dict[str, object] = {"role": "assistant", "content": text}
    if asks:
        message["tool_calls"] = [
            {
                "id": f"call_{index}",
                "type": "function",
                "function": {"name": name, "arguments": orjson.dumps(arguments).decode()},
            }
            for index, (name, arguments) in enumerate(asks)
        ]
    finish = "tool_calls" if asks else "stop"
    return orjson.dumps(
        {
            "object": "chat.completion",
            "model": model_id,
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        }
    )


def _asks(plan: Plan) -> list[ToolAsk]:
    return [
        (
            TRADE_TOOL,
            {
                "product_id": order.product_id,
                "quantity": decimal_text(order.quantity),
                "action": order.action,
            },
        )
        for order in plan.orders
    ]


def _this_turn(messages: Sequence[ChatMessage]) -> tuple[set[str], list[str]]:
    """Tools asked for since the last user message, and what they answered, oldest first."""
    asked: set[str] = set()
    results: list[str] = []
    for message in reversed(messages):
        if message.role == "user":
            break
        if message.role == "tool":
            results.append(message.content)
        asked.update(call.name for call in message.tool_calls)
    return asked, results[::-1]


def _offered(request: ChatRequest, tool: str) -> bool:
    return any(t.name == tool for t in request.tools)


def open_model(settings: ModelSettings) -> ScriptedModel:
    """Open the model.

    Raises:
        UsageError: The id names a strategy without rules.
    """
    return ScriptedModel(settings)
