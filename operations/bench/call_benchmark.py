"""Benchmark of one model call by itself: no topics, no agents, one client, one local server.

`python -m operations.bench.call_benchmark BASE_URL CALLS` prints JSON: CPU and latency per call
through `openai`'s documented `chat.completions.create`, and through the chat node's client. Both
send the same 9.4 KB prompt and read the same answer. `arena bench` runs it against its stub server.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import openai

from arena.messages import ChatMessage, ChatRequest, ToolSchema

PROMPT_CHARS = 9_400
WARM_UP_CALLS = 100
TIMEOUT_S = 10.0
MODEL_ID = "stub"
PLACEHOLDER_KEY = "no-key"
"""Key for the stub server, which needs none, because the client requires one."""

Call = Callable[[], Awaitable[None]]


def sample_request() -> ChatRequest:
    """A request of the size of an agent's first call."""
    now = datetime.now(UTC)
    rows = "05:30,67100.00,67120.50,67080.25,67110.75,12.5\n"
    schema = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("product_id", "quantity", "action")},
        "required": ["product_id", "quantity", "action"],
    }
    return ChatRequest(
        call_id="bench",
        agent="bench",
        turn_id="bench",
        round=0,
        strategy="bench",
        snapshot_id="bench",
        messages=(
            ChatMessage(role="system", content="You trade."),
            ChatMessage(
                role="user", content=(rows * (PROMPT_CHARS // len(rows) + 1))[:PROMPT_CHARS]
            ),
        ),
        tools=(
            ToolSchema.model_validate(
                {"name": "execute_trade", "description": "Trade.", "parameters": schema}
            ),
        ),
        issued_at=now,
        deadline_at=now + timedelta(minutes=1),
        reply_to="",
    )


def documented_call(base_url: str, request: ChatRequest) -> Call:
    """One call as in `openai`'s documentation."""
    client = openai.AsyncOpenAI(api_key=PLACEHOLDER_KEY, base_url=base_url, max_retries=0)
    tools = [{"type": "function", "function": t.model_dump()} for t in request.tools]
    messages = [{"role": m.role, "content": m.content} for m in request.messages]

    async def call() -> None:
        await client.chat.completions.create(
            model=MODEL_ID,
            messages=messages,  # type: ignore[arg-type]  # plain dictionaries, as documented
            tools=tools,  # type: ignore[arg-type]
            timeout=TIMEOUT_S,
        )

    return call


def node_call(base_url: str, request: ChatRequest) -> Call:
    """One call through the chat node's client."""
    # Any: the room is loaded by name, because operations imports no room.
    interface: Any = import_module("chat_nodes.model")
    model_types: Any = import_module("chat_nodes.model_types")
    model = model_types.open_model(interface.ModelSettings(MODEL_ID, base_url))

    async def call() -> None:
        reply = await model.complete(request, timeout_s=TIMEOUT_S)
        assert isinstance(reply, interface.RawReply), reply

    return call


async def measure(call: Call, calls: int) -> dict[str, float]:
    """CPU milliseconds per call of this process, and median latency, one call at a time."""
    for _ in range(WARM_UP_CALLS):
        await call()
    latencies_s = []
    cpu_started_s = time.process_time()
    for _ in range(calls):
        started_s = time.perf_counter()
        await call()
        latencies_s.append(time.perf_counter() - started_s)
    cpu_s = time.process_time() - cpu_started_s
    return {
        "cpu_ms": round(cpu_s * 1000 / calls, 3),
        "p50_ms": round(sorted(latencies_s)[calls // 2] * 1000, 3),
    }


async def benchmark(base_url: str, calls: int) -> dict[str, dict[str, float]]:
    """Measure both clients, one after the other."""
    request = sample_request()
    return {
        "openai_documented": await measure(documented_call(base_url, request), calls),
        "openai_chat_node": await measure(node_call(base_url, request), calls),
    }


def main() -> None:
    """Print the figures as JSON."""
    import uvloop

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base_url")
    parser.add_argument("calls", type=int)
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(benchmark(arguments.base_url, arguments.calls))))


if __name__ == "__main__":
    main()
