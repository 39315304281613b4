"""A name belongs to one contestant: another strategy or chat node needs `--replace`."""

import asyncio
from dataclasses import replace
from typing import Literal

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.errors import UsageError
from arena.messages import AgentSpec
from arena.node import Node
from arena.settings import Settings
from routers.agent_config import AgentConfig, spec_of
from routers.cli import with_names
from routers.coaching_reader import CoachingReader
from routers.contestant import check_name_is_free, is_other_contestant, replaced_text
from routers.roster import Roster
from routers.router import AgentRouter
from routers.snapshot_cache import SnapshotCache
from tests.routers.builders import TRADER, WALL
from tests.routers.fake_peers import FakePeers, OtherConnection, agent_config, playing, until

OTHER = replace(TRADER, name="gambler")


def listed(**changes: object) -> AgentSpec:
    """The roster's entry for "alpha"."""
    return spec_of(agent_config(), WALL).model_copy(update=changes)


@pytest.mark.parametrize(
    ("changes", "other"),
    [
        ({}, False),
        ({"prompt_sha256": "ab"}, False),
        ({"seed": 9, "cadence": 4, "prompt_version": 2}, False),
        ({"strategy": "cash"}, True),
        ({"node": "gpt"}, True),
    ],
)
def test_contestant_is_strategy_and_chat_node(changes: dict[str, object], other: bool) -> None:
    """A prompt may be edited under the same name; the judge sees the change in the turns."""
    before = listed(**changes)

    assert other is is_other_contestant(listed(), before)
    check_name_is_free(listed(), before, replace=True)
    check_name_is_free(listed(), None, replace=False)
    if other:
        with pytest.raises(UsageError, match=r"alpha has been .* cannot become trader@model"):
            check_name_is_free(listed(), before, replace=False)
    else:
        check_name_is_free(listed(), before, replace=False)


def test_replaced_text_names_both_contestants() -> None:
    """The message has the old and the new contestant."""
    text = replaced_text(listed(), listed(strategy="cash"))

    assert "agent alpha was replaced: it is cash@model now, not trader@model" == text


async def roster_entry(bus: MemoryBus, agent: str) -> AgentSpec:
    """The newest entry of an agent."""
    found = [r.message() for r in bus.cluster.logs[(topics.ROSTER.name, 0)] if r.value]
    return [m for m in found if isinstance(m, AgentSpec) and m.agent == agent][-1]


async def test_other_strategy_is_refused_before_anything_is_written(
    memory_bus: MemoryBus,
) -> None:
    """The process ends with exit code 2 and leaves the roster as it was."""
    async with FakePeers(memory_bus).working():
        async with playing(memory_bus, agent_config()):
            await until(lambda: agents_in(memory_bus))
        before = len(memory_bus.cluster.logs[(topics.ROSTER.name, 0)])
        with pytest.raises(UsageError, match="alpha has been trader@model since"):
            async with playing(memory_bus, agent_config(strategy=OTHER)):
                pass
        after = len(memory_bus.cluster.logs[(topics.ROSTER.name, 0)])

    assert before == after


async def test_same_contestant_can_restart(memory_bus: MemoryBus) -> None:
    """A restart, and an edited prompt, need no flag."""
    edited = replace(TRADER, prompt="Trade less.")
    async with FakePeers(memory_bus).working() as peers:
        for number, strategy in enumerate((TRADER, TRADER, edited)):
            async with playing(memory_bus, agent_config(strategy=strategy)):
                await peers.publish(number)
                await peers.wait_for_turns(number + 1)


async def test_replace_takes_the_name_from_a_running_process(memory_bus: MemoryBus) -> None:
    """The old process gives up the agent and continues with its others; the new one runs it."""
    replacing = replace(agent_config(strategy=OTHER), replace=True)
    async with FakePeers(memory_bus).working() as peers:
        async with playing(memory_bus, agent_config(), agent_config("beta"), name="old") as old:
            await peers.publish(0)
            await peers.wait_for_turns(2)
            other = await OtherConnection.to(memory_bus)
            async with playing(other, replacing, name="new"):
                await until(lambda: old.gauges.get("active_agents") == 1)
                await peers.publish(1)
                turns = await peers.wait_for_turns(4)
        entry = await roster_entry(memory_bus, "alpha")

    assert "gambler" == entry.strategy
    assert {("alpha", "trader"), ("beta", "trader"), ("alpha", "gambler")} == {
        (turn.agent, turn.strategy) for turn in turns
    }
    assert "completed" == next(t.outcome for t in turns if t.strategy == "gambler")


async def test_process_ends_if_its_only_agent_is_replaced(memory_bus: MemoryBus) -> None:
    """Exit code 2: its supervisor does not start it again."""
    replacing = replace(agent_config(strategy=OTHER), replace=True)
    async with FakePeers(memory_bus).working():
        with pytest.raises(UsageError, match="every agent of this process was replaced: alpha"):
            async with playing(memory_bus, agent_config(), name="old"):
                await until(lambda: agents_in(memory_bus))
                other = await OtherConnection.to(memory_bus)
                async with playing(other, replacing, name="new") as new:
                    await until(lambda: new.status == "running")


async def test_agent_replaced_before_it_joined_is_not_waited_for(
    memory_bus: MemoryBus,
) -> None:
    """The process does not stay in "starting", and commits for its other agents."""
    node = Node("router", "old", Settings(), memory_bus, SystemClock())
    agent = AgentRouter(
        node,
        agent_config(),
        SnapshotCache(node),
        Roster(node),
        asyncio.Lock(),
        CoachingReader(node, []),
    )
    before = agent.joined
    agent.retire()

    assert (False, True) == (before, agent.joined)


def agents_in(bus: MemoryBus) -> bool:
    """True if an agent is on the roster."""
    log = bus.cluster.logs.get((topics.ROSTER.name, 0), [])
    return any(r.key_text.startswith("agent/") for r in log)


@pytest.mark.parametrize(
    ("name", "strategy", "kind", "text"),
    [
        ("operator", TRADER, None, "account of `arena tools call`"),
        ("alpha", replace(TRADER, kind="baseline"), None, "'trader' has none"),
        ("alpha", TRADER, "baseline", "'trader' has none"),
    ],
)
def test_invalid_agents_are_refused(
    name: str, strategy: object, kind: Literal["baseline"] | None, text: str
) -> None:
    """The operator's name, and a baseline without built-in rules."""
    one: AgentConfig = agent_config(name, strategy=strategy)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=text):
        with_names([one], kind=kind, replace_names=False)


def test_shadow_agents_have_names_of_their_own() -> None:
    """Neither an agent takes one of theirs, nor they one of an agent's."""
    one, other = agent_config("shadow-x"), agent_config("alpha")
    assert with_names([one], kind=None, replace_names=False, shadow_of="alpha") == [one]
    with pytest.raises(UsageError, match="like those of shadow agents"):
        with_names([one], kind=None, replace_names=False)
    with pytest.raises(UsageError, match="not one of a shadow agent"):
        with_names([other], kind=None, replace_names=False, shadow_of="alpha")


def test_kind_and_replace_flags_apply_to_all_agents() -> None:
    """`--kind baseline` and `--replace` apply to every agent of the process."""
    momentum = replace(TRADER, name="momentum")
    (found,) = with_names([agent_config(strategy=momentum)], kind="baseline", replace_names=True)

    assert ("baseline", True) == (found.strategy.kind, found.replace)
