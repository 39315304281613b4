"""The beginning of a live trial, and what ends one before its time."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from arena import topics
from arena.bus.base import Record
from arena.bus.memory import MemoryBus
from arena.errors import ArenaError, UsageError
from arena.messages import (
    AgentSpec,
    Halt,
    Message,
    PromptDecided,
    PromptProposed,
    TrialEnded,
    TrialStarted,
)
from arena.plugins import NO_PLUGINS
from arena.prompt_log import append_prompt, read_prompts
from arena.prompt_versions import PromptBook, version_of
from arena.settings import Settings
from arena.wire import encode
from operations.commands.plugins import LoadedSpec
from operations.commands.prompts_trial_live import time_left_text
from operations.specs.arena_spec import parse_spec
from operations.specs.shadows import process_name, shadow_command
from operations.trials.arena import Texts, TrialArena
from operations.trials.begin import TrialAsked, begin_trial
from operations.trials.live import Pace, TrialRun, texts_of, why_ended
from operations.trials.topics import TrialTopics
from tests.routers.builders import AS_OF, snapshot

OLD, NEW = "Buy.", "Sell, but not everything.\n"
SPEC = """\
[market]
speed = 60

[[chat_nodes]]
name = "rules"
model_id = "scripted"
prompt = "compact"

[[agents]]
name = "mad"
strategy = "momentum"
chat_node = "rules"
every = "2m"
cadence = 3
seed = 77
"""
ASKED = TrialAsked("mad", NEW, 60, 2, 1.5)


def arena_of(text: str = SPEC) -> TrialArena:
    """The arena of a specification."""
    spec = parse_spec(text, path="x")
    return TrialArena(LoadedSpec(spec, text, Path(), NO_PLUGINS, ()), Path(), Settings())


# Any: fields of the messages.
def fields(**more: Any) -> dict[str, Any]:
    """What all records about the agent's prompts have."""
    return {"agent": "mad", "by": "test", "as_of": AS_OF, "at": AS_OF, **more}


@pytest.fixture
async def bus(memory_bus: MemoryBus) -> MemoryBus:
    """A bus with an agent and its text."""
    await memory_bus.ensure_topics(topics.fixed_topics())
    text = PromptProposed(**fields(version=version_of(OLD), text=OLD, author="file"))
    await memory_bus.append(topics.PROMPTS.name, text, key="mad")
    agent = AgentSpec(agent="mad", strategy="momentum", node="rules", joined_at=AS_OF)
    await memory_bus.append(topics.ROSTER.name, agent, key="agent/mad")
    await memory_bus.append(topics.SNAPSHOTS.name, snapshot(0), key="test")
    return memory_bus


async def test_text_is_proposed_and_its_trial_begins_once(bus: MemoryBus) -> None:
    """A command that is run again continues the same trial."""
    started = await begin_trial(bus, arena_of(), ASKED, "cli/host")
    own = (await read_prompts(bus)).of("mad")
    assert own.pending is not None
    assert ("person", version_of(NEW)) == (own.pending.author, own.pending.version)
    assert (version_of(OLD), version_of(NEW)) == (started.champion, started.challenger)
    assert f"shadow-{started.trial_id}-copy-2" in started.names
    for again in (ASKED, replace(ASKED, text=None, snapshots=7)):
        assert started == await begin_trial(bus, arena_of(), again, "cli/host")
    with pytest.raises(UsageError, match="another text of mad is running"):
        await begin_trial(bus, arena_of(), replace(ASKED, text="Hold."), "cli/host")
    assert Texts(OLD, NEW) == texts_of(own, started)


async def test_nothing_to_try_is_refused(bus: MemoryBus) -> None:
    """Without a proposal, with the text in force, of a halted or frozen agent, in lock-step."""
    with pytest.raises(UsageError, match="no pending proposal"):
        await begin_trial(bus, arena_of(), replace(ASKED, text=None), "cli/host")
    with pytest.raises(UsageError, match="already"):
        await begin_trial(bus, arena_of(), replace(ASKED, text=OLD), "cli/host")
    lock_step = f'{SPEC}\n[competition]\nsnapshots = 9\npacing = "lock-step"\n'
    replayed = lock_step.replace("speed = 60", 'source = "replay"')
    with pytest.raises(UsageError, match="waits for its agents"):
        await begin_trial(bus, arena_of(replayed), ASKED, "cli/host")
    await bus.append(topics.CONTROL.name, Halt(agent="mad", by="x", at=AS_OF), key="agent/mad")
    with pytest.raises(ArenaError, match="halted: mad"):
        await begin_trial(bus, arena_of(), ASKED, "cli/host")
    frozen = AgentSpec(
        agent="mad", strategy="momentum", node="rules", prompts="frozen", joined_at=AS_OF
    )
    await bus.append(topics.ROSTER.name, frozen, key="agent/mad")
    with pytest.raises(ArenaError, match="frozen"):
        await begin_trial(bus, arena_of(), ASKED, "cli/host")
    assert (await read_prompts(bus)).of("mad").pending is None


async def test_shadows_play_as_the_agent_does(bus: MemoryBus) -> None:
    """At its chat node, with its gates and size of prompts; only text and seed differ."""
    arena = arena_of()
    started = await begin_trial(bus, arena, ASKED, "cli/host")
    spec = arena.loaded.spec
    words = shadow_command(spec.agents[0], started, Path("/trial"), spec.chat_nodes)
    agents = [word for flag, word in pairwise(words) if flag == "--agent"]
    assert ["1", "2", "1", "2", "1001", "1002"] == [word.rpartition("#")[2] for word in agents]
    name = f"shadow-{started.trial_id}-challenger-1"
    assert f"{name}=/trial/challenger.toml@rules#1" in agents
    assert f"shadow-{started.trial_id}-copy-2=/trial/champion.toml@rules#1002" in agents
    flags = dict(pairwise(words))
    assert ("mad", process_name(started.trial_id), "3", "2m") == (
        flags["--shadow-of"],
        flags["--name"],
        flags["--cadence"],
        flags["--every"],
    )
    assert f"{name}=compact" in words


def known_of(started: TrialStarted, *messages: tuple[str, str, Message]) -> TrialTopics:
    """What a process has read: topic, key and message of each record."""
    known = TrialTopics(started)
    for offset, (topic, key, message) in enumerate(messages):
        encoded = encode(message)
        record = Record(topic, 0, offset, 0, key.encode(), encoded.value, dict(encoded.headers))
        (known.book.apply if topic == topics.PROMPTS.name else known.switch.take)(record)
    return known


DECISIONS = {
    "approved": ("approve", version_of(NEW), "the text in force changed"),
    "rejected": ("reject", version_of(NEW), "the proposal was decided by test"),
}


@pytest.mark.parametrize("case", ["", "halted", *DECISIONS])
async def test_what_ends_a_trial_before_its_time(bus: MemoryBus, case: str) -> None:
    """Another text in force, a decision about the proposal, and a halt; nothing else."""
    started = await begin_trial(bus, arena_of(), ASKED, "cli/host")
    reader = await bus.log_reader(topics.PROMPTS.name)
    prompts = [(one.topic, "mad", one.message()) for one in await reader.read()]
    await reader.close()
    more: list[tuple[str, str, Message]] = []
    wanted = ""
    if case == "halted":
        halt = Halt(agent="mad", by="x", at=AS_OF)
        more, wanted = [(topics.CONTROL.name, "agent/mad", halt)], "halted: mad since"
    elif case:
        action, version, wanted = DECISIONS[case]
        decided = PromptDecided(**fields(version=version, action=action, author="person"))
        more = [(topics.PROMPTS.name, "mad", decided)]
    known = known_of(started, *prompts, *more)
    found = why_ended(known.book.of("mad"), started, known)
    assert found.startswith(wanted)
    assert bool(found) == bool(case)


async def test_trial_that_must_end_starts_no_agents(bus: MemoryBus, tmp_path: Path) -> None:
    """Its proposal was decided about while no process ran it, or never was one."""
    started = await begin_trial(bus, arena_of(), ASKED, "cli/host")
    decided = PromptDecided(**fields(version=version_of(NEW), action="reject", author="person"))
    await append_prompt(bus, decided)
    file = tmp_path / "file"
    file.write_text("no folder of a trial can be made in it", encoding="utf-8")
    arena = replace(arena_of(), directory=file)
    ended = await TrialRun(bus, arena, started, "cli/host").run()
    assert ("undecided", 0) == (ended.verdict, ended.periods)
    assert "was decided by test" in ended.reasons[0]
    assert ended == (await read_prompts(bus)).of("mad").trials[0].ended


class Found:
    """How far a trial is."""

    def __init__(self, done: int, snapshots: int, silent: tuple[str, ...] = ()) -> None:
        """Take the figures."""
        self.done, self.snapshots, self.silent, self.interval_s = done, snapshots, silent, 60.0


def test_trial_without_progress_ends() -> None:
    """After 150 snapshots without one that counts, or 20 minutes without a market."""
    pace = Pace()
    assert "" == pace.note(Found(0, 5_000), 60, 0.0)
    assert "" == pace.note(Found(0, 5_150), 60, 999.0)
    assert "" == pace.note(Found(1, 5_151), 60, 1_000.0)
    assert "" == pace.note(Found(1, 5_302), 60, 1_120.0), "the market is fast"
    silent = Found(1, 5_302, ("shadow-x",))
    assert "shadow-x decided nothing on 151 snapshots" == pace.note(silent, 60, 1_121.0)
    assert "" == pace.note(Found(2, 5_303), 60, 1_121.0)
    assert "" == pace.note(Found(2, 5_303), 60, 1_121.0 + 1_200)
    assert "no snapshot came in 20 minutes" == pace.note(Found(2, 5_303), 60, 1_121.0 + 1_201)
    assert "answered by every arm" in pace.note(Found(59, 5_000 + 1_201), 60, 2_400.0)


def test_progress_says_what_is_missing() -> None:
    """The agents that are silent, else the time left."""
    assert "34 of 60 snapshots, about 26:00 left" == time_left_text(Found(34, 50), 60)
    assert "waiting for the first decision of a, b" in time_left_text(Found(0, 50, ("a", "b")), 60)


def test_result_counts_for_the_same_texts_after_the_proposal() -> None:
    """A result about an earlier proposal of the text, or against another text, says nothing."""
    texts = {
        "version": version_of(NEW),
        "text": NEW,
        "author": "judge",
        "parent": version_of(OLD),
    }
    first = PromptProposed(**fields(version=version_of(OLD), text=OLD, author="file"))
    ended = {
        "challenger": version_of(NEW),
        "market": "replay",
        "verdict": "keep",
        "reasons": (),
        "periods": 60,
        "repeats": 1,
    }
    other = TrialEnded(**fields(**ended, trial_id="1" * 12, champion=version_of("Other.")))
    before, after = (
        TrialEnded(**fields(**ended, trial_id=digit * 12, champion=version_of(OLD)))
        for digit in "23"
    )
    proposed = PromptProposed(**fields(**texts))
    book = PromptBook()
    results = []
    for offset, message in enumerate((first, before, proposed, other, after)):
        encoded = encode(message)
        headers = dict(encoded.headers)
        book.apply(Record(topics.PROMPTS.name, 0, offset, 0, b"mad", encoded.value, headers))
        found = book.of("mad").result_of_pending(AS_OF)
        results.append(None if found is None else found.trial_id)
    assert [None, None, None, None, "3" * 12] == results
