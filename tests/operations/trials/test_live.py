"""Live trials on a real Kafka: a careful text against one that is bad on purpose, and kills."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from arena import topics
from arena.bus.base import Record
from arena.bus.kafka import KafkaBus
from arena.messages import Message, PromptDecided, PromptProposed, TrialEnded, TrialStarted, Turn
from arena.prompt_versions import PromptBook
from arena.settings import Settings
from judge.prompts.live_trial import LiveTrial
from judge.prompts.templates import compose
from routers.strategy import load_strategy
from tests.operations.commands.cli import ROOT, arena, environment
from tests.operations.commands.test_up import run_record, running, status_when
from tests.operations.commands.test_up_kills import ids

pytestmark = pytest.mark.timeout(240)
DEADLINE_S = 90.0
Found = TypeVar("Found")
Kind = TypeVar("Kind", bound=Message)
RECKLESS = ROOT / "examples" / "strategies" / "reckless.toml"
SPEC = f"""\
[arena]
name = "tried"
products = ["BTC-USD", "ETH-USD", "SOL-USD"]

[market]
source = "exchange"
speed = 240

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[[agents]]
name = "mad"
strategy = "{RECKLESS}"
chat_node = "rules"
risk = {{ max_daily_loss_pct = 99 }}
"""
COACHED = """
[judge]
evaluate_after = "5m"

[coach]
auto = true
cooldown = "20h"
trials = true
trial_snapshots = 60
"""
READ = (topics.SNAPSHOTS, topics.EVENTS, topics.TURNS, topics.PROMPTS)


def read_all(settings: Settings, *specs: topics.TopicSpec) -> list[Record]:
    """The records of some topics."""

    async def read() -> list[Record]:
        bus = KafkaBus(settings, client_id="reader")
        await bus.start()
        try:
            reader = await bus.log_reader(*(spec.name for spec in specs))
            ends, found = await reader.end_offsets(), list[Record]()
            while any(reader.position(*pair) < end for pair, end in ends.items()):
                found += await reader.read(timeout_s=0.2)
            await reader.close()
            return found
        finally:
            await bus.close()

    return asyncio.run(read())


def prompts(settings: Settings) -> list[Message]:
    """The messages of `prompts`, in order."""
    return [record.message() for record in read_all(settings, topics.PROMPTS)]


def wait_for(find: Callable[[], Found | None]) -> Found:
    """Repeat until something is found."""
    end_s = time.monotonic() + DEADLINE_S
    while (found := find()) is None:
        assert time.monotonic() < end_s
        time.sleep(0.3)
    return found


def first(settings: Settings, kind: type[Kind]) -> Kind | None:
    """The first message of a kind in `prompts`."""
    return next((one for one in prompts(settings) if isinstance(one, kind)), None)


def shadow_turns(settings: Settings) -> list[Turn]:
    """The turns of shadow agents."""
    records = [one for one in read_all(settings, topics.TURNS) if b"shadow" in (one.key or b"")]
    return [found for one in records if isinstance(found := one.message(), Turn)]


def trial(settings: Settings, *words: str) -> "subprocess.Popen[str]":
    """Start `arena prompts trial mad` with these words."""
    return subprocess.Popen(
        [sys.executable, "-m", "arena", "prompts", "trial", "mad", *words],
        env=environment(settings),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_killed_trial_goes_on_and_promotes_the_careful_text(
    settings: Settings, tmp_path: Path
) -> None:
    """With the same agents; nothing is decided twice, and the records give the result again."""
    spec, careful = tmp_path / "ARENA.toml", tmp_path / "careful.md"
    spec.write_text(SPEC)
    text = load_strategy(str(RECKLESS)).prompt
    careful.write_text(compose(text, "conservative", ["figures", "churn"]))
    with running(settings, spec):
        status_when(settings, healthy=True, at_least=4)
        nothing = arena(settings, "prompts", "trial", "mad", "--live")
        assert (2, True) == (nothing.returncode, "no pending" in nothing.stderr), nothing.stderr

        command = trial(settings, str(careful), "--live", "--snapshots", "60", "--json")
        wait_for(lambda: len(shadow_turns(settings)) > 60 or None)
        command.kill()
        command.communicate(timeout=10)
        other = arena(settings, "prompts", "trial", "mad", str(RECKLESS), "--live")
        assert (2, True) == (other.returncode, "is running" in other.stderr), other.stderr

        output, _ = trial(settings, "--live", "--json").communicate(timeout=DEADLINE_S)
        found = json.loads(output or "{}")
        assert ("promote", 60) == (found.get("verdict"), found.get("periods")), found["reasons"]
        records = read_all(settings, *READ)
        stop = arena(settings, "prompts", "trial", "mad", "--stop")
        assert (1, True) == (stop.returncode, "no trial of mad" in stop.stderr), stop.stderr
        approved = arena(settings, "prompts", "approve", "mad")
        assert 0 == approved.returncode, approved.stderr

    book = PromptBook()
    for record in records:
        if record.topic == topics.PROMPTS.name:
            book.apply(record)
    (one,) = book.of("mad").trials
    assert one.started is not None
    assert one.ended is not None
    assert 3 == len({turn.agent for turn in shadow_turns(settings)})
    assert {1} == set(ids(records).values()), "nothing is decided twice"
    limited = {one.key_text for one in records if one.kind == "RiskLimitsSet"}
    assert {*one.started.names, "mad"} == limited
    again = LiveTrial(one.started, {})
    for record in sorted(records, key=lambda record: record.topic):
        again.apply(record)
    assert one.ended.model_dump_json() == again.ended(one.ended.by).model_dump_json()


def test_killed_coach_approves_what_one_trial_promoted(settings: Settings, tmp_path: Path) -> None:
    """One proposal, one trial, one approval, although judge and trials are killed meanwhile."""
    spec = tmp_path / "ARENA.toml"
    spec.write_text(SPEC + COACHED)
    with running(settings, spec):
        wait_for(lambda: first(settings, TrialStarted))
        wait_for(lambda: len(shadow_turns(settings)) > 30 or None)
        run = run_record(settings)
        assert run is not None
        for process in run.processes:
            if process.name in ("judge", "trials"):
                assert process.pid is not None
                os.kill(process.pid, signal.SIGKILL)
        ended = wait_for(lambda: first(settings, TrialEnded))
        wait_for(lambda: first(settings, PromptDecided))
        found = prompts(settings)

    assert "promote" == ended.verdict, ended.reasons
    kinds = [PromptProposed, PromptProposed, TrialStarted, TrialEnded, PromptDecided]
    assert kinds == [type(one) for one in found]
    decided = found[-1]
    assert isinstance(decided, PromptDecided)
    assert ("approve", "judge", ended.challenger) == (
        decided.action,
        decided.author,
        decided.version,
    )
    assert ended.trial_id in decided.reason
