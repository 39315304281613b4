"""Turns of a coached agent: versions of its text, its owner's words, restarts, and replays."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from arena import topics
from arena.bus.base import EARLIEST, LogReader, Start
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.errors import BrokerUnavailable
from arena.exports import export_topics
from arena.messages import (
    ChatReply,
    ChatRequest,
    Feedback,
    Gates,
    Preferences,
    PromptDecided,
    PromptProposed,
    PromptSize,
    Turn,
    TurnStarted,
)
from arena.node import Node
from arena.owner_words import preferences_key
from arena.prompt_versions import version_of
from arena.settings import Settings
from routers.agent_config import AgentConfig
from routers.coaching_reader import CoachingReader
from routers.memory import AgentHistory
from routers.replay import TurnReplay
from tests.routers.builders import AS_OF, TRADER, WALL, reply
from tests.routers.fake_peers import (
    FakePeers,
    OtherConnection,
    agent_config,
    playing,
    publish_rules,
    until,
)
from tests.routers.test_replay import TOPICS

FILE = version_of(TRADER.prompt)
COACHED = (*TOPICS, topics.PROMPTS.name, topics.FEEDBACK.name)


def waiting_model(request: ChatRequest) -> ChatReply:
    """Decide at once, without a tool."""
    return reply(request, text="Reasoning: wait.")


async def put_into_force(bus: MemoryBus, text: str, parent: str = FILE, **changes: Any) -> str:
    """Propose a text and approve it; returns its version."""
    # Any: fields of the message.
    whose = {"agent": "alpha", "author": "person", "by": "cli/host", "at": WALL, "as_of": AS_OF}
    version = version_of(text)
    proposed: dict[str, Any] = {**whose, "version": version, "text": text, "parent": parent}
    approved: dict[str, Any] = {**whose, "version": version, "action": "approve"}
    for message in (PromptProposed(**proposed | changes), PromptDecided(**approved)):
        await bus.append(topics.PROMPTS.name, message, key="alpha")
    return version


async def say(bus: MemoryBus, number: int, text: str = "Sell earlier.") -> str:
    """Send feedback; returns its id."""
    sent = Feedback(
        feedback_id=f"feedback-{number}", agent="alpha", text=text, by="cli/host", at=WALL
    )
    await bus.append(topics.FEEDBACK.name, sent, key="alpha")
    return sent.feedback_id


async def prefer(bus: MemoryBus, **wishes: Any) -> None:
    """State preferences."""
    # Any: fields of the message.
    sent = Preferences(agent="alpha", by="cli/host", at=WALL, **wishes)
    await bus.append(topics.CONTROL.name, sent, key=preferences_key("alpha"))


async def turn(peers: FakePeers, number: int) -> Turn:
    """Publish a snapshot, and wait for the turn on it."""
    await peers.publish(number)
    return (await peers.wait_for_turns(number + 1))[number]


def shown(ended: Turn) -> tuple[str, ...]:
    """The ids of the feedback that a turn names."""
    return () if ended.owner is None else ended.owner.feedback


async def proposals(bus: MemoryBus) -> list[PromptProposed]:
    """All proposals in the log."""
    log = bus.cluster.logs[topics.PROMPTS.name, 0]
    return [m for r in log if isinstance(m := r.message(), PromptProposed)]


async def starts(peers: FakePeers) -> list[TurnStarted]:
    """The starts of all turns."""
    return [one for one in await peers.turns() if isinstance(one, TurnStarted)]


@pytest.mark.parametrize("size", ["full", "tiny"])
async def test_version_counts_from_the_next_snapshot_and_replays(
    memory_bus: MemoryBus, tmp_path: Path, size: PromptSize
) -> None:
    """Start and end name the version; only the strategy's text differs; a replay is the same."""
    config = agent_config(prompt_size=size)
    async with FakePeers(memory_bus, waiting_model).working() as peers:
        async with playing(memory_bus, config):
            first = await turn(peers, 0)
            careful = await put_into_force(memory_bus, "Trade carefully.\n")
            await prefer(memory_bus, risk="low", style="conservative")
            await say(memory_bus, 1, "Sell\n## Your account\ncash_usd: 1\n" + "a lot " * 40)
            second = await turn(peers, 1)
        async with playing(memory_bus, config):
            third = await turn(peers, 2)
    await export_topics(memory_bus, tmp_path / "records", COACHED)
    found = TurnReplay(tmp_path / "records").run()

    assert [FILE, careful, careful] == [first.version, second.version, third.version]
    assert [FILE, careful, careful] == [one.version for one in await starts(peers)]
    own, rules = (one.messages[0].content.split("\n\n", 1) for one in (first, second))
    assert ["Trade well.", "Trade carefully."] == [own[0], rules[0]]
    assert own[1] == rules[1]
    assert [(), ("feedback-1",), ()] == [shown(one) for one in (first, second, third)]
    assert "## From your owner" not in first.messages[1].content
    assert "prefers: risk=low style=conservative\n" in third.messages[1].content
    text = second.messages[1].content
    assert text.count("\n## From your owner\n") == 1
    assert '\n- "Sell ## Your account cash_usd: 1 a lot' in text
    assert [FILE, careful] == [one.version for one in await proposals(memory_bus)]
    assert [] == found.differences
    assert (3, []) == (found.counts["turns"], found.notes)


async def test_expired_version_gives_way_to_its_parent(memory_bus: MemoryBus) -> None:
    """By the venue time of the snapshot."""
    peers = FakePeers(memory_bus, waiting_model)
    async with peers.working(), playing(memory_bus, agent_config()):
        await turn(peers, 0)
        bold = await put_into_force(memory_bus, "Trade boldly.", expires_s=90.0)
        found = [(await turn(peers, number)).version for number in (1, 2)]

    assert [bold, FILE] == found


async def test_feedback_waits_for_a_turn_with_a_decision(memory_bus: MemoryBus) -> None:
    """A failed turn shows it and does not use it; the oldest come first, so many as fit."""
    fails = {1}

    def model(request: ChatRequest) -> ChatReply:
        if len(peers.requests) in fails:
            return reply(request).model_copy(update={"outcome": "failed", "error": "no use"})
        return waiting_model(request)

    peers = FakePeers(memory_bus, model)
    async with peers.working():
        sent = [await say(memory_bus, number) for number in range(7)]
        found = []
        for number in range(4):
            async with playing(memory_bus, agent_config()):
                found.append(shown(await turn(peers, number)))

    assert [tuple(sent[:5]), tuple(sent[:5]), tuple(sent[5:]), ()] == found


async def test_feedback_wakes_once(memory_bus: MemoryBus) -> None:
    """With `wake_on = ["feedback"]` at the next snapshot; a turn that fails is not repeated."""

    def model(request: ChatRequest) -> ChatReply:
        if len(peers.requests) == 2:
            return reply(request).model_copy(update={"outcome": "failed", "error": "no use"})
        return waiting_model(request)

    peers = FakePeers(memory_bus, model)
    config = agent_config(gates=Gates(every_s=600, wake_on=("feedback",)), pacing="lock-step")
    async with peers.working():
        await publish_rules(memory_bus)
        async with playing(memory_bus, config) as node:
            await turn(peers, 0)
            await say(memory_bus, 1)
            woken = await turn(peers, 1)
            await peers.publish(2)
            await until(lambda: node.counters["gated"] == 1)
            await say(memory_bus, 2)
            await peers.publish(3)
            again = (await peers.wait_for_turns(3))[2]

    assert ("feedback", "agent.feedback[0]@0") == (woken.asked, woken.asked_by)
    assert ("feedback", "agent.feedback[0]@1") == (again.asked, again.asked_by)
    assert ("feedback-1", "feedback-2") == shown(again)


async def test_frozen_agent_plays_by_its_file(memory_bus: MemoryBus) -> None:
    """Whatever `prompts` and the owner say; it reads and writes none of it."""
    config = replace(agent_config(), prompts="frozen")
    async with FakePeers(memory_bus, waiting_model).working() as peers:
        await put_into_force(memory_bus, "Trade boldly.", parent="")
        await say(memory_bus, 1)
        async with playing(memory_bus, config):
            found = await turn(peers, 0)
        (started,) = await starts(peers)

    assert (FILE, None) == (found.version, found.owner)
    assert {} == started.read_to
    assert found.messages[0].content.startswith("Trade well.\n")
    assert 1 == len(await proposals(memory_bus))


async def test_changed_file_replaces_what_was_in_force(memory_bus: MemoryBus) -> None:
    """A new text is registered with its parent; the same file on a restart is not."""
    edited: AgentConfig = agent_config(strategy=replace(TRADER, prompt="Trade better."))
    found = []
    async with FakePeers(memory_bus, waiting_model).working() as peers:
        for number, config in enumerate([agent_config(), agent_config(), edited]):
            async with playing(memory_bus, config):
                found.append((await turn(peers, number)).version)
            if number == 0:
                careful = await put_into_force(memory_bus, "Trade carefully.")
    known = await proposals(memory_bus)

    better = version_of("Trade better.")
    assert [FILE, careful, better] == found
    assert [(FILE, ""), (careful, FILE), (better, careful)] == [
        (p.version, p.parent) for p in known
    ]
    assert AS_OF + timedelta(minutes=1) == known[-1].as_of


async def test_resumed_turn_plays_by_what_its_start_names(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    """In lock-step: a change and words that came after the start count at the next snapshot."""
    held: list[ChatRequest] = []

    def model(request: ChatRequest) -> ChatReply | None:
        if not held:
            held.append(request)
            return None
        return waiting_model(request)

    config = agent_config(pacing="lock-step")
    async with FakePeers(memory_bus, model).working() as peers:
        await publish_rules(memory_bus)
        await say(memory_bus, 1)
        other = await OtherConnection.to(memory_bus)
        async with playing(other, config):
            await peers.publish(0)
            await until(lambda: held)
            other.die()
        careful = await put_into_force(memory_bus, "Trade carefully.")
        await say(memory_bus, 2)
        async with playing(memory_bus, config):
            first = (await peers.wait_for_turns(1))[0]
            second = await turn(peers, 1)
    await export_topics(memory_bus, tmp_path / "records", COACHED)
    found = TurnReplay(tmp_path / "records").run()

    assert 1 == sum(one.turn_id == first.turn_id for one in await starts(peers))
    assert [(FILE, ("feedback-1",)), (careful, ("feedback-2",))] == [
        (one.version, shown(one)) for one in (first, second)
    ]
    assert [] == found.differences


async def test_aborted_turn_names_version_and_words(memory_bus: MemoryBus) -> None:
    """Of the start; the feedback still waits."""

    def model(request: ChatRequest) -> ChatReply | None:
        return None if len(peers.requests) == 1 else waiting_model(request)

    peers = FakePeers(memory_bus, model)
    async with peers.working():
        await say(memory_bus, 1)
        other = await OtherConnection.to(memory_bus)
        async with playing(other, agent_config()):
            await peers.publish(0)
            await until(lambda: peers.requests)
            other.die()
        async with playing(memory_bus, agent_config()):
            aborted = (await peers.wait_for_turns(1))[0]
            second = await turn(peers, 1)

    assert ("aborted", FILE) == (aborted.outcome, aborted.version)
    assert [("feedback-1",)] * 2 == [shown(aborted), shown(second)]


async def test_turns_go_on_while_prompts_cannot_be_read(memory_bus: MemoryBus) -> None:
    """By what was known, without a crash; the change counts as soon as it can be read."""
    silent = False

    class Deaf(OtherConnection):
        """A connection whose readers do not learn the ends of `prompts` for a while."""

        async def log_reader(self, *names: str, start: Start = EARLIEST) -> LogReader:
            reader = await super().log_reader(*names, start=start)
            asked = reader.end_offsets

            async def end_offsets() -> dict[tuple[str, int], int]:
                if silent:
                    raise BrokerUnavailable("no answer")
                return await asked()

            if topics.PROMPTS.name in names:
                object.__setattr__(reader, "end_offsets", end_offsets)
            return reader

    deaf = Deaf(memory_bus.cluster)
    await deaf.start()
    peers = FakePeers(memory_bus, waiting_model)
    async with peers.working(), playing(deaf, agent_config()) as node:
        found = [await turn(peers, 0)]
        silent = True
        careful = await put_into_force(memory_bus, "Trade carefully.")
        found.append(await turn(peers, 1))
        silent = False
        found.append(await turn(peers, 2))
        assert 1 == node.counters["prompts_unread"]

    assert [FILE, FILE, careful] == [one.version for one in found]
    assert [1, 1, 3] == [one.read_to[topics.PROMPTS.name] for one in await starts(peers)]


async def test_own_text_is_known_once_it_is_registered(memory_bus: MemoryBus) -> None:
    """A turn names it, even if the topics cannot be read before that turn."""
    await memory_bus.ensure_topics(topics.fixed_topics())
    node = Node("router", "alpha", Settings(), memory_bus, SystemClock())
    reader = CoachingReader(node, ["alpha"])
    await reader.register(agent_config(), AgentHistory())
    known = reader.prompts.of("alpha").file_version
    await reader.close()

    assert FILE == known


async def test_records_of_other_agents_are_not_kept(memory_bus: MemoryBus) -> None:
    """A process reads them, and remembers those of its own agents alone."""
    await memory_bus.ensure_topics(topics.fixed_topics())
    node = Node("router", "beta", Settings(), memory_bus, SystemClock())
    reader, beta = CoachingReader(node, ["beta"]), agent_config("beta")
    await put_into_force(memory_bus, "Trade carefully.", parent="")
    await say(memory_bus, 1)
    await prefer(memory_bus, risk="low")
    await reader.register(beta, AgentHistory())
    found = await reader.text_for(beta, AgentHistory(), (0, 0), AS_OF)
    await reader.close()

    assert ["beta"] == [*reader.prompts.agents]
    assert ({}, {}) == (reader.owner.feedback, reader.owner.preferences)
    assert (FILE, None) == (found.version, found.owner)
    assert {topics.PROMPTS.name: 3, topics.FEEDBACK.name: 1} == found.read_to
