"""The chat node on a real Kafka: a provider over HTTP, a restart, and no key in any topic."""

import asyncio
import os
import subprocess
import sys

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.settings import Settings
from chat_nodes.model import ModelSettings
from chat_nodes.model_types import open_model
from tests.chat_nodes.example_requests import RISING, prompt, request
from tests.chat_nodes.running_node import NODE, calls, now, replies, send, serving, until
from tests.chat_nodes.stub_server import completion, http, slowly, stub_server

KEY = "sk-planted-0123456789abcdef"
WORKERS = 4


async def test_restart_answers_from_the_log(bus: KafkaBus, settings: Settings) -> None:
    """Answers come over HTTP; a successor without the commits answers from the log."""
    agents = [f"a{i}" for i in range(5)]
    requests = [request(prompt({"B": RISING}), agent=a, issued_at=now()) for a in agents]
    async with stub_server(http(completion("hi", calls=1))) as stub:
        model_settings = ModelSettings("gpt-5-nano", stub.base_url, KEY)
        async with serving(bus, open_model(model_settings)):
            await send(bus, *requests)
            for agent in agents:
                (reply,) = await replies(bus, agent)

                assert ("ok", "hi", 1) == (reply.outcome, reply.text, len(reply.tool_calls))
        async with serving(bus, open_model(model_settings)) as successor:
            await send(bus, *requests)
            for agent in agents:
                first, second = await replies(bus, agent, 2)

                assert first == second

    assert (5, 0) == (successor.counters["from_log"], successor.counters["calls"])
    assert 5 == len(stub.requests) == len(await calls(bus, 5))


async def test_key_never_reaches_a_topic(bus: KafkaBus) -> None:
    """Not even if the provider repeats the key in answers and errors."""
    echo = completion(f"your key is {KEY}")
    plan = (http(echo, "500 Oops"), http(echo), http(f"no {KEY}".encode(), "401 No"))
    async with stub_server(*plan) as stub:
        model = open_model(ModelSettings("m", stub.base_url, KEY))
        async with serving(bus, model) as node:
            await send(bus, request(turn="1", issued_at=now()), request(turn="2", issued_at=now()))
            got = await replies(bus, count=2)
            await node.beat()
    names = [topics.LLM_CALLS.name, topics.inbox("momentum"), topics.HEARTBEATS.name]
    reader = await bus.log_reader(*names, topics.DEAD_LETTERS.name, topics.prompted(NODE))
    records = []
    while found := await reader.read(timeout_s=1.0):
        records += found
    await reader.close()

    assert ["ok", "failed"] == [r.outcome for r in got]
    assert "your key is ***" == got[0].text
    assert len(records) > 6
    assert not [r for r in records if KEY.encode() in (r.value or b"")]


def start_process(settings: Settings, base_url: str) -> "subprocess.Popen[bytes]":
    """Start a chat node as a process of its own."""
    environment = {
        **os.environ,
        "ARENA_PREFIX": settings.prefix,
        "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "OPENAI_API_KEY": KEY,
    }
    flags = ["--name", NODE, "--model-id", "gpt-5-nano", "--base-url", base_url]
    command = [sys.executable, "-m", "arena", "chat-node", *flags, "--max-workers", str(WORKERS)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)


@pytest.mark.timeout(90)
async def test_killed_node_loses_no_request(bus: KafkaBus, settings: Settings) -> None:
    """After SIGKILL its successor answers every request; only interrupted calls run again."""
    agents = [f"a{i}" for i in range(4 * WORKERS)]
    requests = [request(agent=a, issued_at=now(), time_s=80) for a in agents]
    async with stub_server(slowly(http(completion("hi")))) as stub:
        first = start_process(settings, stub.base_url)
        second: subprocess.Popen[bytes] | None = None
        try:
            await send(bus, *requests)
            await until(lambda: len(stub.requests) > 2 * WORKERS)
            first.kill()
            second = start_process(settings, stub.base_url)
            async with asyncio.timeout(60):
                got = [await replies(bus, a, deadline_s=60.0) for a in agents]
        finally:
            for process in (first, second):
                if process is not None:
                    process.kill()
                    process.wait()
    logged = await calls(bus, len(agents))

    assert {"ok"} == {r.outcome for each in got for r in each}
    assert [{"hi"}] * len(agents) == [{r.text for r in each} for each in got]
    assert len(agents) == len({c.call_id for c in logged})
    assert len(stub.requests) <= len(agents) + 2 * WORKERS
