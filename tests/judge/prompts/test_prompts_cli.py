"""`arena prompts`, `arena feedback` and `arena prefer`: what they write, show and refuse."""

import json
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.errors import ArenaError, UsageError
from arena.messages import AgentEvaluation, AgentSpec, Feedback, OwnerWords, PromptProposed, Turn
from arena.owner_words import WAITING_MAX
from arena.prompt_log import newest_as_of, read_prompts
from arena.prompt_versions import AgentPrompts, version_of
from arena.run_lookup import ArenaLocation
from judge.prompts import cli_owner, commands
from judge.prompts.text_file import read_strategy_text
from tests.routers.builders import AS_OF, WALL, snapshot
from tests.routers.fake_peers import OtherConnection

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
FILE, CAREFUL, BOLD = "Trade well.\n", "Trade carefully.\nKeep cash.\n", "Trade boldly.\n"


@dataclass
class Location:
    """Where the records of a bus are."""

    memory_bus: MemoryBus
    name: str = "test"

    def bus(self, client_id: str) -> MemoryBus:
        """Another connection."""
        return OtherConnection(self.memory_bus.cluster)


async def arena_of(bus: MemoryBus, **changes: Any) -> ArenaLocation:
    """An arena with an agent that was started once, and one snapshot."""
    # Any: fields of the message.
    await bus.ensure_topics(topics.fixed_topics())
    spec = {"agent": "mo", "strategy": "mo", "node": "rules", "joined_at": WALL, **changes}
    await bus.append(topics.ROSTER.name, AgentSpec.model_validate(spec), key="agent/mo")
    text = PromptProposed(
        agent="mo", version=version_of(FILE), text=FILE, author="file", by="router/mo", at=WALL
    )
    await bus.append(topics.PROMPTS.name, text, key="mo")
    await bus.append(topics.SNAPSHOTS.name, snapshot(), key="test")
    return cast(ArenaLocation, Location(bus))


async def own_of(bus: MemoryBus) -> AgentPrompts:
    """The agent's versions."""
    return (await read_prompts(bus)).of("mo")


def set_(at: ArenaLocation, text: str, *, propose: bool = False) -> Awaitable[None]:
    """What `arena prompts set` does."""
    return commands.set_text(
        at, commands.Text("mo", text, "a reason"), propose=propose, as_json=True
    )


def decide(at: ArenaLocation, action: Any, version: str = "") -> Awaitable[None]:
    """What the commands for decisions do."""
    # Any: a word of `PromptAction`.
    return commands.decide(at, commands.Asked("mo", action, version, "because"), as_json=True)


async def test_a_text_is_set_and_rolled_back(
    memory_bus: MemoryBus, capsys: pytest.CaptureFixture[str]
) -> None:
    """In force at once, with author, parent, reason and venue time; the same text again is fine."""
    at = await arena_of(memory_bus)

    await set_(at, CAREFUL)
    first = json.loads(capsys.readouterr().out)
    await set_(at, CAREFUL)
    capsys.readouterr()
    await commands.list_versions(at, "mo", as_json=True)
    listed = json.loads(capsys.readouterr().out)
    await commands.diff_versions(at, "mo", "", "")
    diff = capsys.readouterr().out
    await decide(at, "rollback")

    careful = version_of(CAREFUL)
    assert (careful, careful) == (first["version"], first["in_force"])
    found = listed["versions"][-1]
    assert (
        careful,
        "in force",
        version_of(FILE),
        "person",
        "a reason",
        AS_OF.isoformat(),
    ) == tuple(found[name] for name in ("version", "state", "parent", "author", "reason", "since"))
    assert (2, careful, False, "coached") == (
        len(listed["versions"]),
        listed["in_force"],
        listed["frozen"],
        listed["prompts"],
    )
    assert ["-Trade well.", "+Trade carefully.", "+Keep cash."] == diff.splitlines()[3:]
    with pytest.raises(UsageError, match="is the first version"):
        await decide(at, "rollback")  # Given twice, it does not return to what was left.
    own = await own_of(memory_bus)
    assert version_of(FILE) == own.current
    assert [] == own.refused
    assert "because" == own.versions[version_of(FILE)].decided_for


async def test_a_proposal_waits_for_a_decision(memory_bus: MemoryBus) -> None:
    """Another one is refused meanwhile; it can be rejected, or set by its text."""
    at = await arena_of(memory_bus)
    await set_(at, CAREFUL, propose=True)

    with pytest.raises(ArenaError, match="is pending: approve or reject it first"):
        await set_(at, BOLD)
    await decide(at, "reject")
    with pytest.raises(UsageError, match="mo has no pending proposal"):
        await decide(at, "approve")
    await set_(at, BOLD, propose=True)
    await set_(at, BOLD)

    own = await own_of(memory_bus)
    assert (version_of(BOLD), None) == (own.current, own.pending)
    assert "rejected" == own.versions[version_of(CAREFUL)].state


async def test_freeze_refuses_every_change(memory_bus: MemoryBus) -> None:
    """Until it is off; the error says why."""
    at = await arena_of(memory_bus)
    await decide(at, "freeze")

    with pytest.raises(ArenaError, match="the agent's prompts are frozen"):
        await set_(at, CAREFUL)
    await decide(at, "unfreeze")
    await set_(at, CAREFUL)

    assert version_of(CAREFUL) == (await own_of(memory_bus)).current


async def test_a_frozen_contest_refuses_changes_and_words(memory_bus: MemoryBus) -> None:
    """With that reason, and nothing is written; feedback to the judge is taken."""
    at = await arena_of(memory_bus, prompts="frozen")
    ends = {name: len(log) for name, log in memory_bus.cluster.logs.items()}

    for attempt in (
        set_(at, CAREFUL),
        decide(at, "freeze"),
        cli_owner._give(at, "mo", "Sell.", "agent", as_json=True),
        cli_owner._prefer(at, "mo", {"risk": "low"}, as_json=True),
    ):
        with pytest.raises(ArenaError, match="the prompts of mo are frozen, as in most contests"):
            await attempt
    assert ends == {name: len(log) for name, log in memory_bus.cluster.logs.items()}
    await cli_owner._give(at, "mo", "Look at it.", "judge", as_json=True)


async def test_baselines_and_unknown_agents_are_refused(memory_bus: MemoryBus) -> None:
    """They have no text that a model reads."""
    at = await arena_of(memory_bus, kind="baseline")

    with pytest.raises(UsageError, match="mo is a baseline and follows built-in rules"):
        await set_(at, CAREFUL)
    with pytest.raises(UsageError, match="there is no agent 'bo'"):
        await commands.set_text(at, commands.Text("bo", CAREFUL, ""), propose=False, as_json=True)
    with pytest.raises(UsageError, match="there is no agent 'bo'"):
        await commands.list_versions(at, "bo", as_json=True)


async def test_versions_are_named_by_their_first_characters(
    memory_bus: MemoryBus, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that is unknown is an error with the known ones."""
    at = await arena_of(memory_bus)
    await set_(at, CAREFUL)
    capsys.readouterr()

    await commands.show_version(at, "mo", version_of(FILE)[:6], as_json=False)
    assert FILE == capsys.readouterr().out
    with pytest.raises(UsageError, match="agent mo has no version 'zz'") as error:
        await decide(at, "rollback", "zz")
    assert version_of(CAREFUL)[:8] in (error.value.remedy or "")
    await decide(at, "rollback", version_of(FILE)[:6])
    assert version_of(FILE) == (await own_of(memory_bus)).current


async def test_feedback_is_pending_until_it_was_used(
    memory_bus: MemoryBus, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a turn with a decision, or by an evaluation that names it."""
    at = await arena_of(memory_bus)
    ids = []
    for text, to in (("Sell earlier.", "agent"), ("Buy less.", "agent"), ("Look.", "judge")):
        await cli_owner._give(at, "mo", text, cast(cli_owner.Whom, to), as_json=True)
        ids.append(json.loads(capsys.readouterr().out)["feedback_id"])
    used = Turn(
        turn_id="turn-1",
        agent="mo",
        strategy="mo",
        node="rules",
        snapshot_id="s",
        snapshot_offset=0,
        as_of=AS_OF,
        outcome="completed",
        started_at=WALL,
        ended_at=WALL,
        owner=OwnerWords(feedback=(ids[0],)),
    )
    failed = used.model_copy(
        update={"turn_id": "turn-0", "outcome": "failed", "owner": OwnerWords(feedback=tuple(ids))}
    )
    for turn in (failed, used):
        await memory_bus.append(topics.TURNS.name, turn, key="mo")
    answered = AgentEvaluation(
        evaluation_id="evaluation-1",
        agent="mo",
        snapshot_id="s",
        as_of=AS_OF + timedelta(minutes=1),
        cause="feedback",
        asked_by=ids[2],
        window_s=60,
        turns=1,
        dimensions={},
    )
    await memory_bus.append(topics.EVALUATIONS.name, answered, key="mo")

    await cli_owner._list(at, "mo", as_json=True)
    found = json.loads(capsys.readouterr().out)

    assert [
        ("Sell earlier.", "agent", "used", "turn-1"),
        ("Buy less.", "agent", "pending", None),
        ("Look.", "judge", "used", "evaluation-1"),
    ] == [(one["text"], one["to"], one["state"], one["used_by"]) for one in found]


async def test_an_evaluation_answers_all_feedback_to_the_judge_up_to_the_one_it_names(
    memory_bus: MemoryBus, capsys: pytest.CaptureFixture[str]
) -> None:
    """Older feedback does not wait any more, so it does not fill the bound of what may wait."""
    at = await arena_of(memory_bus)
    sent = [
        Feedback(
            feedback_id=f"feedback-{number}",
            agent="mo",
            to="judge",
            text="Look.",
            by="cli/host",
            at=AT + timedelta(seconds=number),
        )
        for number in range(WAITING_MAX + 1)
    ]
    for message in sent:
        await memory_bus.append(topics.FEEDBACK.name, message, key="mo")
    with pytest.raises(ArenaError, match="101"):
        await cli_owner._give(at, "mo", "Look again.", "judge", as_json=True)
    answered = AgentEvaluation(
        evaluation_id="evaluation-1",
        agent="mo",
        snapshot_id="s",
        as_of=AS_OF,
        cause="feedback",
        asked_by=sent[-2].feedback_id,
        window_s=60,
        turns=1,
        dimensions={},
    )
    await memory_bus.append(topics.EVALUATIONS.name, answered, key="mo")

    await cli_owner._list(at, "mo", as_json=True)
    found = [one["used_by"] for one in json.loads(capsys.readouterr().out)]
    assert [*["evaluation-1"] * WAITING_MAX, None] == found
    await cli_owner._give(at, "mo", "Look again.", "judge", as_json=True)


async def test_preferences_that_are_not_named_stay(
    memory_bus: MemoryBus, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until all are cleared; without options they are shown."""
    at = await arena_of(memory_bus)
    found = []
    for given in ({"risk": "low"}, {"style": "balanced"}, None, {}):
        await cli_owner._prefer(at, "mo", given, as_json=True)
        shown = json.loads(capsys.readouterr().out)
        found.append((shown["risk"], shown["style"], shown["experience"]))

    assert [
        ("low", None, None),
        ("low", "balanced", None),
        ("low", "balanced", None),
        (None, None, None),
    ] == found


def test_text_comes_from_files_of_strategies(tmp_path: Path) -> None:
    """The same text has the same version as in a router; everything else is an error."""
    for name, content in {
        "a.md": FILE,
        "b.toml": f'name = "b"\nprompt = """{FILE}"""\n',
        "c.txt": f'+++\nname = "c"\n+++\n{FILE}',
        "empty.md": " \n",
        "huge.md": "x" * 20_001,
        "d.py": "STRATEGY = 1",
    }.items():
        (tmp_path / name).write_text(content)

    assert {FILE} == {read_strategy_text(tmp_path / name) for name in ("a.md", "b.toml", "c.txt")}
    for name, why in {
        "empty.md": "has no prompt",
        "huge.md": "has 20,001 bytes",
        "d.py": "is not a .md, .txt or .toml file",
        "none.md": "cannot be read",
    }.items():
        with pytest.raises(UsageError, match=why):
            read_strategy_text(tmp_path / name)


async def test_venue_time_is_that_of_the_newest_snapshot(memory_bus: MemoryBus) -> None:
    """None before the first one."""
    assert await newest_as_of(memory_bus) is None
    for number in (0, 3):
        await memory_bus.append(topics.SNAPSHOTS.name, snapshot(number), key="test")

    assert AS_OF + timedelta(minutes=3) == await newest_as_of(memory_bus)


async def test_a_persons_text_is_remarked_on_and_not_refused(
    memory_bus: MemoryBus, capsys: pytest.CaptureFixture[str]
) -> None:
    """A date in it would keep a proposal of the judge from counting; a person decides."""
    at = await arena_of(memory_bus)
    dated = f"{FILE}Sell everything on 2026-05-01.\n"

    await set_(at, dated)

    assert version_of(dated) == (await own_of(memory_bus)).current
    assert "would be refused for this: it names a date" in capsys.readouterr().err
