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
from tests.operations.commands.test_up import run_record, running
from tests.operations.commands.test_up_kills import ids

pytestmark = pytest.mark.timeout(240)
DEADLINE_S = 90.0
Found = TypeVar("Found")
Kind = TypeVar("Kind", bound=Message)
RECKLESS = ROOT / "examples" / "strategies" / "reckless.toml"
SPEC = f"""\
[arena]
name = "tried"
products = ["BTC-USD"]

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

[judge]
evaluate_after = "5m"

[coach]
auto = true
cooldown = "20h"
expires = "100h"
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
        time.sleep(1.0)
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


def recomputed(records: list[Record], started: TrialStarted, by: str) -> str:
    """The result of a trial, computed again from the records."""
    fold = LiveTrial(started, {})
    for record in sorted(records, key=lambda record: record.topic):
        fold.apply(record)
    return fold.ended(by).model_dump_json()


def kill(settings: Settings, *names: str) -> None:
    """Kill -9 processes of the run."""
    run = run_record(settings)
    assert run is not None
    for process in run.processes:
        if process.name in names:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)


def test_killed_trials_go_on_and_lead_to_one_approval(settings: Settings, tmp_path: Path) -> None:
    """One proposal, trial and approval of the coach; then a person's trial, killed as well.

    Nothing is decided twice, and the records give the results again, to the byte.
    """
    spec, careful = tmp_path / "ARENA.toml", tmp_path / "careful.md"
    spec.write_text(SPEC)
    text = load_strategy(str(RECKLESS)).prompt
    careful.write_text(compose(text, "conservative", ["figures", "intent"]))
    with running(settings, spec):
        wait_for(lambda: first(settings, TrialStarted))
        wait_for(lambda: len(shadow_turns(settings)) > 30 or None)
        kill(settings, "judge", "trials")
        decided = wait_for(lambda: first(settings, PromptDecided))
        of_coach = prompts(settings)
        stopped = arena(settings, "process", "stop", "trials")

        command = trial(settings, str(careful), "--live", "--snapshots", "20", "--json")
        wait_for(lambda: len({turn.agent for turn in shadow_turns(settings)}) == 6 or None)
        command.kill()
        command.communicate(timeout=10)
        other = arena(settings, "prompts", "trial", "mad", str(RECKLESS), "--live")
        output, errors = trial(settings, "--live", "--json").communicate(timeout=DEADLINE_S)
        records = read_all(settings, *READ)
        stop = arena(settings, "prompts", "trial", "mad", "--stop")

    assert 0 == stopped.returncode, stopped.stderr
    kinds = [PromptProposed, PromptProposed, TrialStarted, TrialEnded, PromptDecided]
    assert kinds == [type(one) for one in of_coach]
    assert (2, True) == (other.returncode, "is running" in other.stderr), other.stderr
    assert (1, True) == (stop.returncode, "no trial of mad" in stop.stderr), stop.stderr
    found = json.loads(output or "{}")
    assert ("undecided", 20) == (found.get("verdict"), found.get("periods")), output + errors

    book = PromptBook()
    for record in records:
        if record.topic == topics.PROMPTS.name:
            book.apply(record)
    trials = book.of("mad").trials
    ended = [one.ended for one in trials if one.ended is not None]
    assert ["promote", "undecided"] == [one.verdict for one in ended]
    assert ("approve", "judge", ended[0].challenger) == (
        decided.action,
        decided.author,
        decided.version,
    )
    assert ended[0].trial_id in decided.reason
    assert {1} == set(ids(records).values()), "nothing is decided twice"
    begun = [one.started for one in trials if one.started is not None]
    for started, result in zip(begun, ended, strict=True):
        assert result.model_dump_json() == recomputed(records, started, result.by)
    limited = {one.key_text for one in records if one.kind == "RiskLimitsSet"}
    assert {name for one in begun for name in one.names} | {"mad"} == limited
