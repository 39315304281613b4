"""A short conversation with a model, to check what agents need of it.

It has two rounds: the model is asked for two prices through a tool, and gets its own calls back
with their results. It uses the same model, request body and decoder as agents do.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from arena.clock import SystemClock
from arena.findings import Finding, broken, ok, warning
from arena.messages import Cause, ChatMessage, ChatRequest, Sampling, ToolSchema
from chat_nodes.decode import Decoded
from chat_nodes.dialect import SEEDS
from chat_nodes.model import CallFailed, Model, SentRequest
from chat_nodes.redaction import decode_redacted
from chat_nodes.request_handler import ADAPTATIONS_MAX

TIMEOUT_S = 20.0
"""Timeout of one question: a server on this machine may load its model first."""
RETRIES_MAX = 2
RETRY_DELAY_S_MAX = 5.0
SEED = 7
TOOL = "get_price"
SYSTEM = "You check a connection. Use the tool; do not answer from memory."
USER = (
    f"Call {TOOL} for BTC-USD and for ETH-USD, both calls in one answer. When you have the two "
    "results, answer with the two prices in one short sentence."
)
_FLAG = re.compile(r"--(api-key-env|base-url|model-id|max-completion-tokens)\b")
PRICES = ("67203.60", "3120.05")
SCHEMA = ToolSchema(
    name=TOOL,
    description="The last price of a product.",
    parameters={
        "type": "object",
        "properties": {"product_id": {"type": "string", "description": "Such as BTC-USD."}},
        "required": ["product_id"],
    },
)


@dataclass(frozen=True, slots=True)
class CheckedCall:
    """One call of the conversation after it ended.

    Attributes:
        decoded: The answer; None if there was none.
        failed: The failure, if there was no answer.
        sent: The request of the last attempt.
        latency_ms: Duration of the last attempt.
    """

    decoded: Decoded | None
    failed: CallFailed | None
    sent: SentRequest | None
    latency_ms: float


def _show_nothing(text: str) -> None:
    """Print nothing about waiting."""


async def hold_conversation(
    model: Model, wait: Callable[[str], None] = _show_nothing, timeout_s: float = TIMEOUT_S
) -> tuple[CheckedCall, CheckedCall | None]:
    """Hold the conversation; the second round is None if the first gave no call.

    Args:
        model: The model to check.
        wait: Called with a text before each wait.
        timeout_s: Timeout of one question.
    """
    request = _request(timeout_s)
    wait(f"asking {model.model_id} for a tool call, at most {timeout_s:g} s")
    first = await _ask(model, request, timeout_s)
    if first.decoded is None or not first.decoded.tool_calls:
        return first, None
    wait(f"sending the result back, at most {timeout_s:g} s")
    return first, await _ask(model, _second_request(request, first.decoded), timeout_s)


def conversation_findings(first: CheckedCall, second: CheckedCall | None) -> list[Finding]:
    """The findings of the conversation."""
    if first.decoded is None or first.decoded.outcome != "ok":
        return [_failure("tool call", first)]
    answer = first.decoded
    calls = [call for call in answer.tool_calls if call.name == TOOL and not call.problem]
    found = []
    if not calls:
        reply = answer.unreadable or _no_call(answer)
        remedy = "an agent trades by tool calls only: choose a model, or a server flag, for tools"
        found.append(warning("tool call", reply, remedy, cause=Cause.UNUSABLE_ANSWER))
    elif second is None or second.decoded is None or second.decoded.outcome != "ok":
        found.append(_failure("tool call there and back", second or first))
    elif any(call.recovered for call in calls):
        text = "written as text by the model, recovered, and answered after its result"
        found.append(warning("tool call", text, "does the server have a tool parser to switch on?"))
    else:
        found.append(ok("tool call", "made, sent back with its result, and answered"))
    if calls:
        found.append(_parallel(len(calls)))
    last = second if second is not None and second.sent is not None else first
    found += [_seed(last), *_adapted(last), _usage(last)]
    latencies = [r.latency_ms for r in (first, second) if r is not None and r.decoded]
    seconds = max(latencies) / 1000
    found.append(ok("latency", f"{seconds:.1f} s for the slower of {len(latencies)} calls"))
    return found


def _no_call(answer: Decoded) -> str:
    """What a model did instead of the call that it was asked for."""
    others = sorted({call.name for call in answer.tool_calls} - {TOOL})
    if others:
        return f"it called {', '.join(others)[:80]}, which was not offered; only {TOOL} was"
    problem = next((call.problem for call in answer.tool_calls if call.problem), "")
    if problem:
        return f"its call cannot be carried out: {problem}"
    return f"it answered {answer.text[:80]!r} and called no tool"


def _failure(check: str, ended: CheckedCall) -> Finding:
    if (failed := ended.failed) is not None:
        text = failed.reason.removesuffix(failed.remedy).rstrip("; ")
        remedy, cause = _for_files_too(failed.remedy), failed.cause
        if cause == Cause.RATE_LIMIT:
            return warning(check, text, remedy or "try again later", cause=cause)
        if cause == Cause.TIMEOUT:
            remedy = remedy or "is the server overloaded, or still loading the model?"
        return broken(check, text, remedy, cause=cause)
    decoded = ended.decoded
    assert decoded is not None, "a round has an answer or a failure"
    return broken(check, decoded.error or "the answer is empty", cause=decoded.cause)


def _for_files_too(remedy: str) -> str:
    """A remedy with the key of an ARENA.toml beside each flag."""

    def both(flag: re.Match[str]) -> str:
        name = flag[1].replace("-", "_")
        return flag[0] if name in remedy else f"{name} ({flag[0]})"

    return _FLAG.sub(both, remedy)


def _parallel(calls: int) -> Finding:
    if calls > 1:
        return ok("parallel calls", f"{calls} calls in one answer")
    text = "one call in one answer, though two were asked for"
    return warning("parallel calls", text, "turns need more rounds; it works all the same")


def _seed(ended: CheckedCall) -> Finding:
    options = {} if ended.sent is None else ended.sent.options
    sent = [name for name in SEEDS if options.get(name) is not None]
    if sent:
        return ok("seed", f"taken as {sent[0]}; servers that ignore it do not say so")
    return warning("seed", "not taken: repeats of a cell differ by chance alone")


def _adapted(ended: CheckedCall) -> list[Finding]:
    changes = () if ended.sent is None else ended.sent.adaptations
    return [ok("adapted", "; ".join(changes))] if changes else []


def _usage(ended: CheckedCall) -> Finding:
    tokens = None if ended.decoded is None else ended.decoded.tokens
    if tokens is not None and tokens.reported:
        return ok("usage", f"counted by the server: {tokens.total:,} tokens in the last call")
    return warning("usage", "not counted by the server: the arena estimates tokens and cost")


async def _ask(model: Model, request: ChatRequest, timeout_s: float) -> CheckedCall:
    clock, adaptations, retries = SystemClock(), 0, 0
    while True:
        started_s = clock.monotonic()
        result = await model.complete(request, timeout_s=timeout_s)
        latency_ms = (clock.monotonic() - started_s) * 1000
        if not isinstance(result, CallFailed):
            decoded, _ = decode_redacted(result.body, model.secrets, (TOOL,))
            return CheckedCall(decoded, None, result.sent, latency_ms)
        if result.adapted and adaptations < ADAPTATIONS_MAX:
            adaptations += 1
        elif result.retryable and retries < RETRIES_MAX and result.cause != Cause.TIMEOUT:
            retries += 1
            await clock.sleep(min(result.retry_after_s or retries, RETRY_DELAY_S_MAX))
        else:
            return CheckedCall(None, result, result.sent, latency_ms)


def _request(timeout_s: float) -> ChatRequest:
    now = SystemClock().now()
    return ChatRequest(
        call_id="check-1",
        agent="check",
        turn_id="check",
        round=0,
        strategy="check",
        snapshot_id="check",
        messages=(
            ChatMessage(role="system", content=SYSTEM),
            ChatMessage(role="user", content=USER),
        ),
        tools=(SCHEMA,),
        sampling=Sampling(seed=SEED),
        issued_at=now,
        deadline_at=now + timedelta(seconds=timeout_s),
        reply_to="agent.inbox.check",
        prompt_size="tiny",
    )


def _second_request(request: ChatRequest, answer: Decoded) -> ChatRequest:
    """The request that sends the first answer back as a router does, each call with a result."""
    reply = ChatMessage(
        role="assistant",
        content=answer.text,
        tool_calls=answer.tool_calls,
        reasoning=answer.reasoning,
        provider=answer.provider,
    )
    results = [
        ChatMessage(role="tool", content=PRICES[n % len(PRICES)], tool_call_id=call.model_call_id)
        for n, call in enumerate(answer.tool_calls)
    ]
    messages = (*request.messages, reply, *results)
    return request.model_copy(update={"call_id": "check-2", "round": 1, "messages": messages})
