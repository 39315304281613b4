"""`arena prompts trial` on real Kafka: a strategy that is bad on purpose against a careful text."""

import json
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.errors import UsageError
from arena.messages import PromptDecided, PromptProposed, TrialEnded
from arena.prompt_log import read_prompts
from arena.prompt_versions import version_of
from arena.run_lookup import ArenaLocation
from arena.runs import newest_run
from arena.settings import Settings
from judge.prompts.templates import compose
from operations.commands.prompts_trial import prompts_trial
from operations.trials.contest import read_agent, report_to_arena
from routers.strategy import load_strategy
from tests.operations.commands.cli import ROOT, environment
from tests.operations.commands.contests import DEADLINE_S, backtested
from tests.routers.builders import AS_OF, snapshot
from tests.routers.fake_peers import OtherConnection
from tests.warm_commands import run_arena

RECKLESS = ROOT / "examples" / "strategies" / "reckless.toml"
PREFIX = "ARENA_PREFIX"
SPEC = f"""\
[arena]
name = "coached"
products = ["BTC-USD"]

[market]
source = "replay"

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[[agents]]
name = "mad"
strategy = "{RECKLESS}"
chat_node = "rules"

[competition]
snapshots = 2
baselines = ["cash"]
prompts = "coached"
judge = false
"""


def trial(settings: Settings, *words: str) -> "subprocess.CompletedProcess[str]":
    """`arena prompts trial` with these words."""
    env = {name: value for name, value in environment(settings).items() if name != PREFIX}
    return run_arena("prompts", "trial", *words, env=env, timeout_s=DEADLINE_S)


# Any: arguments of the command.
@pytest.mark.parametrize(
    "given",
    [
        {"live": True, "stop": True},
        {"live": True, "prices": [RECKLESS]},
        {"stop": True, "file": RECKLESS},
    ],
)
def test_words_that_contradict_each_other_are_refused(given: dict[str, Any]) -> None:
    """Before anything is read: none of them is ignored."""
    with pytest.raises(UsageError, match="are both given"):
        prompts_trial("mad", **given)


async def test_champion_of_an_expired_version_is_its_parent(memory_bus: MemoryBus) -> None:
    """At the venue time of the newest snapshot, as for the agent's next turn."""
    await memory_bus.ensure_topics(topics.fixed_topics())
    # Any: fields of the messages.
    texts: dict[str, Any] = {"agent": "mad", "by": "test", "at": AS_OF, "as_of": AS_OF}
    file = PromptProposed(**texts, version=version_of("A"), text="A", author="file")
    bold = PromptProposed(
        **texts,
        version=version_of("B"),
        text="B",
        author="judge",
        parent=file.version,
        expires_s=60,
    )
    approved = PromptDecided(**texts, version=bold.version, action="approve", author="person")
    for message in (file, bold, approved):
        await memory_bus.append(topics.PROMPTS.name, message, key="mad")

    class Location:
        def bus(self, client_id: str) -> MemoryBus:
            return OtherConnection(memory_bus.cluster)

    found = []
    for minute in (0, 2):
        await memory_bus.append(topics.SNAPSHOTS.name, snapshot(minute), key="test")
        known = await read_agent(cast(ArenaLocation, Location()), "mad")
        champion = known.own.in_force(known.as_of)
        assert champion is not None
        found.append(champion.text)
    assert ["B", "A"] == found


@pytest.mark.parametrize("running", [True, False])
async def test_result_is_reported_to_a_running_arena(memory_bus: MemoryBus, running: bool) -> None:
    """Of an arena that has ended, it is only in the trial's own run."""
    await memory_bus.ensure_topics(topics.fixed_topics())
    ended = TrialEnded(
        trial_id="1" * 12,
        agent="mad",
        champion=version_of("A"),
        challenger=version_of("B"),
        market="replay",
        verdict="keep",
        reasons=("worse",),
        periods=60,
        repeats=3,
        run="2026-03-01T12-00-00",
        by="cli/host",
        at=AS_OF,
    )

    class Run:
        def is_running(self) -> bool:
            return running

    class Location:
        records, run = None, Run()

        def bus(self, client_id: str) -> MemoryBus:
            return OtherConnection(memory_bus.cluster)

    assert running == await report_to_arena(cast(ArenaLocation, Location()), ended)
    trials = (await read_prompts(memory_bus)).of("mad").trials
    assert [ended] * running == [one.ended for one in trials]


@pytest.mark.timeout(200)
def test_careful_text_is_promoted_over_the_reckless_one(settings: Settings, tmp_path: Path) -> None:
    """The trial has a run of its own; a text that is in force already is refused."""
    spec, careful = tmp_path / "coached.toml", tmp_path / "careful.md"
    spec.write_text(SPEC)
    text = load_strategy(str(RECKLESS)).prompt
    careful.write_text(compose(text, "conservative", ["figures", "churn"]))
    backtested(spec, settings.home)
    run = newest_run(settings.home)
    assert run is not None
    name = run[0].name
    words = ("--run", name, "--snapshots", "60", "--repeats", "1", "--json")

    same = trial(settings, "mad", str(RECKLESS), *words)
    assert (2, True) == (same.returncode, "in force" in same.stderr), same.stderr
    unknown = trial(settings, "sane", str(careful), *words)
    assert (2, True) == (unknown.returncode, "mad" in unknown.stderr), unknown.stderr

    found = trial(settings, "mad", str(careful), *words)
    assert 0 == found.returncode, found.stderr
    result = json.loads(found.stdout)
    assert ("promote", 60) == (result["verdict"], result["periods"])
    assert 0 < result["quality"]["low"] < result["quality"]["high"]
    newest = newest_run(settings.home)
    assert newest is not None
    assert newest[0].name != name
    assert result == json.loads((newest[0] / "trial.json").read_text())
