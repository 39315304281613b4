"""Recorded replies: found by request, safe after kill -9, served without a model."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.errors import UsageError
from arena.messages import ChatReply, ChatRequest, LlmCall, Sampling, ToolSchema, Usage
from chat_nodes.recorded_model import RecordedModel
from chat_nodes.recordings import Mode, RecordedReply, Recordings, path_of, request_sha256
from tests.chat_nodes.example_requests import START, request
from tests.chat_nodes.running_node import (
    NODE,
    FakeModel,
    calls,
    now,
    read_all,
    replies,
    send,
    serving,
)

MODEL = "gpt-5-nano"


def recorded_reply(made: ChatRequest, text: str = "I hold.", outcome: str = "ok") -> RecordedReply:
    """The recorded reply to a request."""
    fields = {
        "call_id": made.call_id,
        "agent": made.agent,
        "turn_id": made.turn_id,
        "round": made.round,
        "node": NODE,
        "model": MODEL,
        "outcome": outcome,
        "usage": Usage(prompt_tokens=7, cost_usd="0.25"),
        "latency_ms": 812.5,
    }
    sha256 = request_sha256(MODEL, made)
    times = {"started_at": made.issued_at, "ended_at": made.issued_at}
    return RecordedReply(
        request_sha256=sha256,
        call=LlmCall.model_validate({**fields, **times, "request_sha256": "provider's"}),
        reply=ChatReply.model_validate({**fields, "text": text}),
    )


def served_text(recordings: Recordings, made: ChatRequest) -> str | None:
    """The text that is served for a request."""
    line = recordings.find(request_sha256(MODEL, made), made.call_id)
    return None if line is None else line.reply.text


def test_hash_covers_what_determines_the_answer() -> None:
    """Model, messages, tools and sampling change it; agent and time do not."""
    one = request("prompt", turn="1")
    same = request("prompt", agent="other", turn="2", issued_at=START + timedelta(days=1))
    schema = {"type": "object", "properties": {}}
    others = [
        request_sha256("gpt-5", one),
        request_sha256(MODEL, request("prompt!", turn="1")),
        request_sha256(MODEL, request("prompt", turn="1", sampling=Sampling(seed=1))),
        request_sha256(
            MODEL,
            request("prompt", tools=[ToolSchema(name="t", description="", parameters=schema)]),
        ),
    ]

    assert request_sha256(MODEL, one) == request_sha256(MODEL, same)
    assert 5 == len({request_sha256(MODEL, one), *others})


def test_hash_is_stable_across_releases() -> None:
    """Older recordings are still found; the order of a schema's keys does not matter."""
    ordered = {"type": "object", "properties": {"a": {"type": "string"}}}
    turned = dict(reversed(ordered.items()))
    hashes = {
        request_sha256(
            MODEL,
            request("p", tools=[ToolSchema(name="t", description="d", parameters=parameters)]),
        )
        for parameters in (ordered, turned)
    }

    assert {"998f"} == {h[:4] for h in hashes}


def test_each_node_has_its_own_file() -> None:
    """One flag serves several nodes."""
    assert Path("runs/replies.gpt.jsonl") == path_of(Path("runs/replies.jsonl"), "gpt")


def test_another_process_finds_recorded_replies(tmp_path: Path) -> None:
    """By request and call; another request finds nothing."""
    made, file = request("prompt", turn="1"), tmp_path / "r.jsonl"
    with Recordings(file, "record") as recordings:
        recordings.add(recorded_reply(made))
    with Recordings(file, "replay") as replay:
        assert "I hold." == served_text(replay, made)
        assert None is served_text(replay, request("another", turn="1"))
        assert (1, 0) == (len(replay), replay.skipped)


@pytest.mark.parametrize("cut", [1, 40, 400])
def test_cut_line_is_skipped(tmp_path: Path, cut: int) -> None:
    """The lines before and after it are read."""
    first, torn, third = (request("prompt", turn=str(n)) for n in range(3))
    file = tmp_path / "r.jsonl"
    with Recordings(file, "record") as recordings:
        recordings.add(recorded_reply(first, "first"))
        recordings.add(recorded_reply(torn, "torn"))
    os.truncate(file, file.stat().st_size - cut)
    with Recordings(file, "record") as successor:
        assert ("torn" if cut == 1 else None) == served_text(successor, torn)
        successor.add(recorded_reply(third, "third"))
    with Recordings(file, "replay") as replay:
        assert ["first", "third"] == [served_text(replay, a) for a in (first, third)]
        assert (0 if cut == 1 else 1) == replay.skipped


def test_two_processes_of_a_name_share_a_file(tmp_path: Path) -> None:
    """Each finds its own lines although the other wrote in between."""
    one, two = (request("prompt", turn=t) for t in "12")
    file = tmp_path / "r.jsonl"
    with Recordings(file, "record") as left, Recordings(file, "record") as right:
        left.add(recorded_reply(one, "left"))
        right.add(recorded_reply(two, "right"))
        assert ["left", "right"] == [served_text(left, one), served_text(right, two)]
    with Recordings(file, "replay") as replay:
        assert ["left", "right"] == [served_text(replay, one), served_text(replay, two)]


def test_other_agents_are_served_in_a_replay_only(tmp_path: Path) -> None:
    """Which reply is served follows from the call's id, so a restart changes nothing."""
    file = tmp_path / "r.jsonl"
    with Recordings(file, "record") as recordings:
        for turn in "12":
            recordings.add(recorded_reply(request("prompt", turn=turn), turn))
        stranger = request("prompt", agent="renamed", turn="1")
        assert None is served_text(recordings, stranger)
    served = []
    for _ in range(2):
        with Recordings(file, "replay") as replay:
            served.append(served_text(replay, stranger))

    assert served[0] in ("1", "2")
    assert served[0] == served[1]


def test_failed_call_is_repeated_while_recording_only(tmp_path: Path) -> None:
    """A resumed contest may succeed; then that answer counts."""
    made, file = request("prompt"), tmp_path / "r.jsonl"
    with Recordings(file, "record") as recordings:
        recordings.add(recorded_reply(made, "no luck", "failed"))
        assert None is served_text(recordings, made)
        with Recordings(file, "replay") as replay:
            assert "no luck" == served_text(replay, made)
        recordings.add(recorded_reply(made, "luck"))
        assert "luck" == served_text(recordings, made)
    with Recordings(file, "replay") as replay:
        assert "luck" == served_text(replay, made)


def test_missing_file_has_a_remedy(tmp_path: Path) -> None:
    """Before any connection is made."""
    with pytest.raises(UsageError, match=r"r\.jsonl.*--replies record"):
        Recordings(tmp_path / "r.jsonl", "replay")


async def serve_once(
    bus: MemoryBus, file: Path, mode: Mode, made: ChatRequest
) -> tuple[ChatReply, list[str]]:
    """The newest reply to a request, and the calls that the model got."""
    with Recordings(file, mode) as recordings:
        fake = FakeModel()
        model = fake if mode == "record" else RecordedModel(MODEL, recordings)
        async with serving(bus, model, recordings=recordings):
            before = len(await read_all(bus, made.reply_to, ChatReply, 0)) if bus_has(bus) else 0
            await send(bus, made)
            return (await replies(bus, made.agent, before + 1))[-1], fake.call_ids


def bus_has(bus: MemoryBus) -> bool:
    """True if an agent has a reply on this bus."""
    return topics.inbox("momentum") in bus.cluster.partitions


async def test_replayed_reply_is_the_recorded_one(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """Except for its mark: no model is called, and the cost is reported though not paid."""
    made, file = request(issued_at=now()), tmp_path / "r.jsonl"
    first, paid = await serve_once(memory_bus, file, "record", made)
    other_run = MemoryBus()
    await other_run.start()
    later = made.model_copy(update={"issued_at": made.issued_at + timedelta(seconds=1)})
    again, unpaid = await serve_once(other_run, file, "replay", later)
    (call,) = await calls(other_run)

    assert ([made.call_id], []) == (paid, unpaid)
    assert not first.replayed
    assert first.model_copy(update={"replayed": True}) == again
    assert (True, first.usage, first.latency_ms) == (call.replayed, call.usage, call.latency_ms)


async def test_unrecorded_request_fails(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """The agent gets the reason at once, once, and the node continues."""
    file = tmp_path / "r.jsonl"
    file.write_bytes(b"")
    reply, _ = await serve_once(memory_bus, file, "replay", request(issued_at=now()))

    assert ("failed", 1) == (reply.outcome, reply.attempts)
    assert "r.jsonl holds no reply to this request" in reply.error
    assert "--replies record" in reply.error


async def test_resumed_recording_pays_nothing_twice(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """A call that is in the file is served from it."""
    made, file = request(issued_at=now()), tmp_path / "r.jsonl"
    await serve_once(memory_bus, file, "record", made)
    resumed = MemoryBus()
    await resumed.start()
    reply, paid = await serve_once(resumed, file, "record", made)

    assert ([], "hello momentum") == (paid, reply.text)
    assert 1 == len(file.read_bytes().splitlines())


async def test_reply_is_on_disk_before_it_is_sent(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """No agent can act on a reply that a kill would lose."""
    file = tmp_path / "r.jsonl"
    sizes = []

    class Watched(MemoryBus):
        async def send_bytes(self, topic, value, **rest):  # type: ignore[no-untyped-def]
            if topic == topics.LLM_CALLS.name:
                sizes.append(file.stat().st_size)
            return await super().send_bytes(topic, value, **rest)

    watched = Watched(memory_bus.cluster)
    await watched.start()
    await serve_once(watched, file, "record", request(issued_at=now()))

    assert sizes == [file.stat().st_size]
    assert sizes[0] > 0


async def test_expired_call_is_made_when_it_is_repeated(
    memory_bus: MemoryBus,
) -> None:
    """A turn that is run again brings the same call with more time."""
    model = FakeModel()
    late = request(issued_at=now() - timedelta(minutes=2))
    fresh = request(issued_at=now())
    async with serving(memory_bus, model):
        await send(memory_bus, late)
        await replies(memory_bus)
        await send(memory_bus, fresh)
        first, second = await replies(memory_bus, count=2)

    assert late.call_id == fresh.call_id
    assert ("expired", "ok") == (first.outcome, second.outcome)
