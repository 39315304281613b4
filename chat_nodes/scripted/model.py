"""The scripted model: rules instead of an LLM, for the demo and for tests.

It reads the prompt text that an LLM reads and answers in the same format, so the rest of the arena
treats it like any model. `--model-id scripted` plays the strategy that each request names,
`--model-id scripted:momentum` plays one for all. Requests of the judge are answered by the scripted
judge. It uses no tokens and costs nothing.
"""

from collections.abc import Sequence

import orjson

from arena.errors import UsageError
from arena.messages import ChatRequest
from arena.messages.tools import PORTFOLIO_TOOL, TRADE_TOOL
from arena.money import decimal_text
from arena.redaction import NO_SECRETS
from chat_nodes.decision_context import DecisionContext
from chat_nodes.model import CallFailed, ModelSettings, RawReply, build_request
from chat_nodes.prompt_reader import read_account, read_cost_bps, read_market
from chat_nodes.prompt_rules import read_rules
from chat_nodes.scripted.judge import judge_answer
from chat_nodes.scripted.strategies import SCRIPTED_STRATEGIES, StrategyDecision
from chat_nodes.turn_messages import called_tools, newest_prompt

ECHO_CHARS_MAX = 160
EXIT_ARGUMENT = "stop_loss_pct"
"""The argument of the trading tool by which it is known to take exits."""

ScriptedCall = tuple[str, dict[str, str]]
"""A tool's name and its arguments."""


class ScriptedModel:
    """A model whose answers are computed by rules.

    Args:
        settings: The model id may name a strategy after a colon.
    """

    scripted = True
    host = ""
    secrets = NO_SECRETS

    def __init__(self, settings: ModelSettings) -> None:
        """Check the strategy that the model id names."""
        self.model_id = settings.model_id
        self._strategy = settings.model_id.partition(":")[2].replace("-", "_")
        if self._strategy and self._strategy not in SCRIPTED_STRATEGIES:
            raise UsageError(
                f"there is no scripted strategy {self._strategy!r}",
                remedy=f"use scripted, or scripted: and one of {', '.join(SCRIPTED_STRATEGIES)}",
            )

    async def complete(self, request: ChatRequest, *, timeout_s: float) -> RawReply | CallFailed:
        """Compute the answer; it takes no time."""
        return self.respond(request)

    def respond(self, request: ChatRequest) -> RawReply:
        """The answer to a request."""
        if request.asker == "judge":
            sent = build_request(self.model_id, request, {})
            return RawReply(completion(self.model_id, judge_answer(request), ()), sent)
        strategy = self._strategy or request.strategy.replace("-", "_")
        text, calls = answer(request, strategy)
        return RawReply(
            completion(self.model_id, text, calls), build_request(self.model_id, request, {})
        )

    async def close(self) -> None:
        """Close nothing: no connection is open."""


def answer(request: ChatRequest, strategy: str) -> tuple[str, list[ScriptedCall]]:
    """The answer to a request: a text and tool calls."""
    rules = SCRIPTED_STRATEGIES.get(strategy)
    if rules is None:
        known = ", ".join(SCRIPTED_STRATEGIES)
        return f"Reasoning: no scripted rules for {strategy!r} (there are {known}): holding.", []
    called, results = called_tools(request.messages)
    if TRADE_TOOL in called:
        result = " ".join(results[-1].split())[:ECHO_CHARS_MAX] if results else "no result"
        return f"Reasoning: done for now. Last result: {result}", []
    prompt = newest_prompt(request.messages)
    market = read_market(prompt)
    if market is None:
        return "Reasoning: the prompt shows no market that can be read: holding.", []
    account = read_account([prompt, *results])
    if account is None:
        if PORTFOLIO_TOOL in called or not _offered(request, PORTFOLIO_TOOL):
            return "Reasoning: the account is unknown: holding.", []
        return "First a look at the account.", [(PORTFOLIO_TOOL, {})]
    seed = f"{request.sampling.seed} {request.turn_id}"
    cost_bps, demanded = read_cost_bps(request.messages), read_rules(request.messages)
    decision = rules(DecisionContext(market, account, cost_bps, seed, demanded))
    if decision.orders and not _offered(request, TRADE_TOOL):
        return "Reasoning: there is no tool to trade with: holding.", []
    calls = _tool_calls(decision, with_exits=_takes_exits(request))
    return f"Reasoning: {decision.reason}.", calls


def completion(model_id: str, text: str, calls: Sequence[ScriptedCall]) -> bytes:
    """A Chat Completions response body."""
    message: dict[str, object] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {
                "id": f"call_{index}",
                "type": "function",
                "function": {"name": name, "arguments": orjson.dumps(arguments).decode()},
            }
            for index, (name, arguments) in enumerate(calls)
        ]
    finish = "tool_calls" if calls else "stop"
    return orjson.dumps(
        {
            "object": "chat.completion",
            "model": model_id,
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        }
    )


def _tool_calls(decision: StrategyDecision, *, with_exits: bool) -> list[ScriptedCall]:
    return [
        (
            TRADE_TOOL,
            {
                "product_id": order.product_id,
                "quantity": decimal_text(order.quantity),
                "action": order.action,
                **(dict(order.exits) if with_exits else {}),
            },
        )
        for order in decision.orders
    ]


def _takes_exits(request: ChatRequest) -> bool:
    """True if the agent may attach exits to an order."""
    offered = (
        tool.parameters.get("properties") for tool in request.tools if tool.name == TRADE_TOOL
    )
    return any(isinstance(part, dict) and EXIT_ARGUMENT in part for part in offered)


def _offered(request: ChatRequest, tool: str) -> bool:
    return any(t.name == tool for t in request.tools)


def open_model(settings: ModelSettings) -> ScriptedModel:
    """Open the model.

    Raises:
        UsageError: The id names a strategy that is not scripted.
    """
    return ScriptedModel(settings)
