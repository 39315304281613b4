"""`arena prompts list`, `show` and `diff` say how far a trial is, and what it found."""

import json
from typing import Any

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.messages import AgentSpec, TrialEnded, TrialInterval, TrialStarted
from arena.prompt_versions import version_of
from arena.run_lookup import ArenaLocation
from judge.prompts import commands
from tests.judge.prompts.test_prompts_cli import CAREFUL, FILE, arena_of, set_
from tests.judge.prompts.test_trial_arms import turn
from tests.routers.builders import AS_OF, WALL, snapshot

TRIAL = "7b0c52d1e9f4"
NAMES = {arm: f"shadow-{TRIAL}-{arm}-1" for arm in ("champion", "challenger", "copy")}


async def tried(bus: MemoryBus) -> ArenaLocation:
    """An arena in which three shadow agents have answered eight snapshots."""
    at = await arena_of(bus)
    await set_(at, CAREFUL, propose=True)
    started = TrialStarted(
        trial_id=TRIAL,
        agent="mo",
        champion=version_of(FILE),
        challenger=version_of(CAREFUL),
        arms={arm: (name,) for arm, name in NAMES.items()},
        snapshots=60,
        by="cli/host",
        at=AS_OF,
    )
    await bus.append(topics.PROMPTS.name, started, key="mo")
    for minute in range(1, 9):
        await bus.append(topics.SNAPSHOTS.name, snapshot(minute), key="test")
        for name in NAMES.values():
            found = turn(name, snapshot(minute).snapshot_id, "Reasoning: holding.")
            await bus.append(topics.TURNS.name, found, key=name)
    for name in NAMES.values():
        spec = {"kind": "shadow", "shadow_of": "mo", "joined_at": WALL}
        listed = AgentSpec.model_validate({"agent": name, "strategy": "x", "node": "n", **spec})
        await bus.append(topics.ROSTER.name, listed, key=f"agent/{name}")
    return at


async def end(bus: MemoryBus, **changes: Any) -> None:
    """Write the result."""
    # Any: fields of the message.
    fields: dict[str, Any] = {
        "trial_id": TRIAL,
        "agent": "mo",
        "champion": version_of(FILE),
        "challenger": version_of(CAREFUL),
        "market": "live",
        "verdict": "promote",
        "reasons": ("decision quality +9.5 [+4.1, +14.9] points: clearly better",),
        "periods": 60,
        "repeats": 1,
        "quality": TrialInterval(estimate=9.5, low=4.1, high=14.9),
        "noise_quality": TrialInterval(estimate=-0.7, low=-4, high=2.6),
        "return_pct": TrialInterval(estimate=0.21, low=-0.4, high=0.82),
        "by": "cli/host",
        "at": WALL,
    }
    await bus.append(topics.PROMPTS.name, TrialEnded(**fields | changes), key="mo")


async def test_a_running_trial_says_how_far_it_is(
    memory_bus: MemoryBus, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counted as the trial itself counts: a snapshot once a later one was answered by all."""
    at = await tried(memory_bus)
    capsys.readouterr()

    await commands.list_versions(at, "mo", as_json=False)
    text = capsys.readouterr().out
    await commands.list_versions(at, "mo", as_json=True)
    (trial,) = json.loads(capsys.readouterr().out)["trials"]

    assert f"trial {TRIAL} is running: 6 of 60 snapshots" in text
    assert "running, 6 of 60 snapshots" in text
    assert (trial["state"], trial["played"], trial["snapshots"]) == ("running", 6, 60)
    assert trial["verdict"] is trial["quality"] is None
    assert trial["agents"]["copy"] == [NAMES["copy"]]


async def test_a_result_is_named_with_its_noise(
    memory_bus: MemoryBus, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the list, and by the commands that show the text that it is about."""
    at = await tried(memory_bus)
    await end(memory_bus)
    capsys.readouterr()

    await commands.list_versions(at, "mo", as_json=False)
    text = capsys.readouterr().out
    await commands.diff_versions(at, "mo", "", "")
    diff = capsys.readouterr()
    await commands.show_version(at, "mo", version_of(CAREFUL)[:8], as_json=True)
    shown = json.loads(capsys.readouterr().out)

    line = f"trial {TRIAL}: promote: decision quality +9.5 [+4.1, +14.9] points: clearly better"
    assert line in text
    assert "-0.7 [-4.0, +2.6]" in text
    assert "+0.21 [-0.40, +0.82]" in text
    assert line in diff.err
    assert shown["trial"] == line


async def test_a_trial_that_is_too_short_says_so(
    memory_bus: MemoryBus, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without figures, with the reason as it is."""
    at = await tried(memory_bus)
    reason = "too early: 34 periods, at least 60 are needed"
    none = dict.fromkeys(("quality", "noise_quality", "return_pct"))
    await end(memory_bus, verdict="undecided", reasons=(reason,), periods=34, **none)
    capsys.readouterr()

    await commands.list_versions(at, "mo", as_json=False)
    assert f"trial {TRIAL}: undecided: {reason}" in capsys.readouterr().out
    await commands.list_versions(at, None, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert [one["agent"] for one in found] == ["mo"]
    assert found[0]["trials"][0]["reasons"] == [reason]
    assert found[0]["trials"][0]["return_pct"] is None
