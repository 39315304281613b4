"""Kills of routers and commands on a real Kafka: no change of a prompt is lost or counts twice."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.exports import PartitionSpan
from arena.feedback_states import FeedbackStates
from arena.messages import Feedback, PromptDecided, PromptProposed, Turn, TurnStarted
from arena.prompt_log import read_prompts
from arena.prompt_versions import AgentPrompts, version_of
from arena.read_topic import for_each_record
from arena.settings import Settings
from tests.ledger.audit.contest_log import ContestLog
from tests.ledger.audit.test_prompt_versions import PROMPTS, check
from tests.routers.builders import WALL
from tests.routers.fake_peers import FakePeers
from tests.routers.test_coached_turns import waiting_model
from tests.routers.test_router_kafka import publish_until, wait_until_closed

pytestmark = pytest.mark.timeout(240)
Run = Callable[..., "subprocess.Popen[bytes]"]
FILE = "Trade."
SEED = 20_261_130


@pytest.fixture
def run(settings: Settings, tmp_path: Path) -> Iterator[Run]:
    """Start `arena` commands on the test's topics, and end those that still run."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> "subprocess.Popen[bytes]":
        environment = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
            "ARENA_PREFIX": settings.prefix,
            "ARENA_HOME": str(tmp_path / "home"),
        }
        with (tmp_path / f"command-{len(started)}.log").open("wb") as log:
            command = [sys.executable, "-m", "arena", *words]
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=10)


def router_words(tmp_path: Path) -> tuple[str, ...]:
    """The command of the agent's router."""
    strategy = tmp_path / "trader.toml"
    strategy.write_text(
        f'name = "trader"\nprompt = "{FILE}"\n'
        'tools = ["execute_trade", "get_portfolio", "calculator"]\n'
    )
    words = ("router", "--name", "alpha", "--chat-node-name", "model")
    return (*words, "--strategy", str(strategy))


def set_words(tmp_path: Path, text: str) -> tuple[str, ...]:
    """The command that sets a text."""
    file = tmp_path / f"{version_of(text)[:12]}.md"
    file.write_text(text)
    return ("prompts", "set", "alpha", str(file), "--json")


async def own_of(bus: KafkaBus) -> AgentPrompts:
    """The agent's versions."""
    return (await read_prompts(bus)).of("alpha")


def by_people(own: AgentPrompts) -> list[str]:
    """The texts that people put into force, in order."""
    return [own.versions[one.version].text for one in own.changes if one.author == "person"]


async def started_once(bus: KafkaBus, run: Run, tmp_path: Path, peers: FakePeers) -> int:
    """Let the agent's router write its text, and kill it; returns the next snapshot's number."""
    router = run(*router_words(tmp_path))
    number = await publish_until(peers, 0, lambda: peers.requests)
    router.send_signal(signal.SIGKILL)
    await asyncio.to_thread(router.wait, 10)
    assert version_of(FILE) == (await own_of(bus)).current
    return number


async def log_of(bus: KafkaBus) -> ContestLog:
    """The records of the topics that the audit of versions reads."""
    log = ContestLog({}, {})
    for spec in (topics.ROSTER, topics.PROMPTS, topics.TURNS):
        records = log.records[spec.name] = []
        await for_each_record(bus, spec, records.append)
        for partition in range(await bus.partitions(spec.name)):
            held = [one.offset for one in records if one.partition == partition]
            end = max(held, default=-1) + 1
            span = PartitionSpan(first=0, end=end, count=len(held))
            log.spans.setdefault(spec.name, {})[partition] = span
    return log


async def test_killed_commands_change_a_text_once(bus: KafkaBus, run: Run, tmp_path: Path) -> None:
    """A command that is killed anywhere is given again until it succeeds."""
    rng = random.Random(SEED)
    texts = [f"Trade by rule {number}.\n" for number in range(2)]
    async with FakePeers(bus, waiting_model).working() as peers:
        await started_once(bus, run, tmp_path, peers)
        for text in texts:
            for _ in range(3):
                command = run(*set_words(tmp_path, text))
                try:
                    await asyncio.to_thread(command.wait, rng.uniform(0.5, 1.6))
                except subprocess.TimeoutExpired:
                    command.kill()
                    await asyncio.to_thread(command.wait, 10)
            command = run(*set_words(tmp_path, text))
            assert 0 == await asyncio.to_thread(command.wait, 30)
        own = await own_of(bus)

    assert texts == by_people(own)
    assert own.pending is None
    assert version_of(texts[-1]) == own.current


async def test_two_people_at_once_are_told_what_counts(
    bus: KafkaBus, run: Run, tmp_path: Path
) -> None:
    """Commands that say they changed the text did, and no other; the same text is one change."""
    async with FakePeers(bus, waiting_model).working() as peers:
        await started_once(bus, run, tmp_path, peers)
        counted: list[str] = []
        for number in range(2):
            texts = [f"Trade {number} {one}.\n" for one in "ab"]
            texts.append(texts[0])
            commands = [run(*set_words(tmp_path, text)) for text in texts]
            codes = [await asyncio.to_thread(one.wait, 60) for one in commands]
            succeeded = {t for t, code in zip(texts, codes, strict=True) if code == 0}
            assert {0, 1} >= set(codes)
            now = by_people(await own_of(bus))
            new, counted = now[len(counted) :], now
            assert sorted(succeeded) == sorted(set(new))
            assert len(new) >= 1
            left = (await own_of(bus)).pending
            if left is not None:  # One lost the race between its two records.
                assert 0 == await asyncio.to_thread(run("prompts", "reject", "alpha").wait, 60)


async def test_killed_routers_apply_every_change_once(
    bus: KafkaBus, run: Run, tmp_path: Path
) -> None:
    """Turns before and after kills name the version in force; feedback is used exactly once."""
    rng = random.Random(SEED)
    said: list[str] = []

    async def change(number: int) -> None:
        text, own = f"Trade by rule {number}.\n", await own_of(bus)
        version = version_of(text)
        proposed = PromptProposed(
            agent="alpha",
            version=version,
            text=text,
            parent=own.current,
            author="person",
            by="cli/host",
            at=WALL,
        )
        await bus.append(PROMPTS, proposed, key="alpha")
        whose = {"agent": "alpha", "author": "person", "by": "cli/host", "at": WALL}
        approved = PromptDecided.model_validate({**whose, "version": version, "action": "approve"})
        await bus.append(PROMPTS, approved, key="alpha")
        said.append(f"feedback-{number}")
        words = Feedback(feedback_id=said[-1], agent="alpha", text=text, by="cli/host", at=WALL)
        await bus.append(topics.FEEDBACK.name, words, key="alpha")

    def answered(before: int) -> bool:
        return len(peers.requests) > before

    async with FakePeers(bus, waiting_model).working() as peers:
        number = await started_once(bus, run, tmp_path, peers)
        for round_ in range(2):
            router, before = run(*router_words(tmp_path)), len(peers.requests)
            await change(round_)
            number = await publish_until(peers, number, partial(answered, before))
            await asyncio.to_thread(_kill_after, router, rng.uniform(0.0, 0.4))
        run(*router_words(tmp_path))
        before = len(peers.requests)
        await publish_until(peers, number, lambda: len(peers.requests) >= before + 2)
        records = await wait_until_closed(peers)
    violations, counts = check(await log_of(bus))
    states = FeedbackStates()
    for spec in (topics.FEEDBACK, topics.TURNS):
        await for_each_record(bus, spec, states.apply)
    own = await own_of(bus)

    assert [] == violations
    assert counts["versions of prompts"] == sum(isinstance(r, TurnStarted) for r in records)
    assert 2 == len(by_people(own))
    assert 1 == sum(one.author == "file" for one in own.changes)
    last = [one for one in records if isinstance(one, Turn)][-1]
    assert version_of("Trade by rule 1.\n") == last.version
    assert ["used"] * len(said) == [one.state for one in states.entries("alpha")]
    used = [
        one
        for record in records
        if isinstance(record, Turn) and record.outcome == "completed" and record.owner
        for one in record.owner.feedback
    ]
    assert sorted(said) == sorted(used)


def _kill_after(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Kill a process after so many seconds, if it still runs."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
