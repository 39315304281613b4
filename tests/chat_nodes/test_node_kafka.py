"""The chat node over a real Kafka: a provider over HTTP, a restart, and no key in any topic."""

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.settings import Settings
from chat_nodes.models import open_model
from chat_nodes.models.base import ModelSettings
from tests.chat_nodes.asking import RISING, prompt, request
from tests.chat_nodes.serving import NODE, calls, now, replies, send, serving
from tests.chat_nodes.stub_server import completion, http, stub_server

KEY = "sk-planted-0123456789abcdef"


async def test_requests_are_answered_over_kafka_and_once_after_a_restart(
    bus: KafkaBus, settings: Settings
) -> None:
    """Answers come over HTTP; a successor that never saw the commits answers from the log."""
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

                assert first.model_copy(update={"replayed": True}) == second

    assert (5, 0) == (successor.counters["from_log"], successor.counters["calls"])
    assert 5 == len(stub.requests) == len(await calls(bus, 5))


async def test_a_key_never_reaches_a_topic(bus: KafkaBus) -> None:
    """A provider that echoes the key in answers and errors cannot plant it in a record."""
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
