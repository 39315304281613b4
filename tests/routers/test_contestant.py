"""A name is one contestant: another strategy or chat node must be asked for with `--replace`."""

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
from routers.cli import named
from routers.contestant import is_other, replaced_words, require_name
from routers.market import Market
from routers.roster import Roster
from routers.router import AgentRouter
from routers.seat import Seat, spec_of
from tests.routers.builders import TRADER, WALL
from tests.routers.company import Company, OtherConnection, playing, seat, until

OTHER = replace(TRADER, name="gambler")


def listed(**changes: object) -> AgentSpec:
    """What the roster says of "alpha"."""
    return spec_of(seat(), WALL).model_copy(update=changes)


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
def test_strategy_and_chat_node_make_a_contestant(changes: dict[str, object], other: bool) -> None:
    """A prompt may be edited under the same name; the judge tells the two apart by the turns."""
    before = listed(**changes)

    assert other is is_other(listed(), before)
    require_name(listed(), before, replace=True)
    require_name(listed(), None, replace=False)
    if other:
        with pytest.raises(UsageError, match=r"alpha is .* would now be trader@model.*--replace"):
            require_name(listed(), before, replace=False)
    else:
        require_name(listed(), before, replace=False)


def test_who_took_a_name_is_said() -> None:
    """Both contestants are named."""
    words = replaced_words(listed(), listed(strategy="cash"))

    assert "agent alpha was replaced: it is cash@model now, not trader@model" == words


async def roster_entry(bus: MemoryBus, agent: str) -> AgentSpec:
    """The newest entry of an agent."""
    found = [r.message() for r in bus.cluster.logs[(topics.ROSTER.name, 0)] if r.value]
    return [m for m in found if isinstance(m, AgentSpec) and m.agent == agent][-1]


async def test_another_strategy_is_refused_before_anything_is_written(
    memory_bus: MemoryBus,
) -> None:
    """The process ends with exit code 2 and leaves the roster as it was."""
    async with Company(memory_bus).working():
        async with playing(memory_bus, seat()):
            await until(lambda: agents_in(memory_bus))
        before = len(memory_bus.cluster.logs[(topics.ROSTER.name, 0)])
        with pytest.raises(UsageError, match="alpha is trader@model since"):
            async with playing(memory_bus, seat(strategy=OTHER)):
                pass
        after = len(memory_bus.cluster.logs[(topics.ROSTER.name, 0)])

    assert before == after


async def test_the_same_contestant_starts_again(memory_bus: MemoryBus) -> None:
    """A restart, and an edited prompt, need no flag."""
    edited = replace(TRADER, prompt="Trade less.")
    async with Company(memory_bus).working() as company:
        for number, strategy in enumerate((TRADER, TRADER, edited)):
            async with playing(memory_bus, seat(strategy=strategy)):
                await company.publish(number)
                await company.wait_for_turns(number + 1)


async def test_replace_takes_the_name_from_a_process_that_plays(memory_bus: MemoryBus) -> None:
    """The old process leaves the name and continues with its others; the new one plays."""
    taking = replace(seat(strategy=OTHER), replace=True)
    async with Company(memory_bus).working() as company:
        async with playing(memory_bus, seat(), seat("beta"), name="old") as old:
            await company.publish(0)
            await company.wait_for_turns(2)
            other = await OtherConnection.to(memory_bus)
            async with playing(other, taking, name="new"):
                await until(lambda: old.gauges.get("active_agents") == 1)
                await company.publish(1)
                turns = await company.wait_for_turns(4)
        entry = await roster_entry(memory_bus, "alpha")

    assert "gambler" == entry.strategy
    assert {("alpha", "trader"), ("beta", "trader"), ("alpha", "gambler")} == {
        (turn.agent, turn.strategy) for turn in turns
    }
    assert "completed" == next(t.outcome for t in turns if t.strategy == "gambler")


async def test_a_process_whose_only_agent_was_replaced_ends(memory_bus: MemoryBus) -> None:
    """Exit code 2: its supervisor does not start it again."""
    taking = replace(seat(strategy=OTHER), replace=True)
    async with Company(memory_bus).working():
        with pytest.raises(UsageError, match="every agent of this process was replaced: alpha"):
            async with playing(memory_bus, seat(), name="old"):
                await until(lambda: agents_in(memory_bus))
                other = await OtherConnection.to(memory_bus)
                async with playing(other, taking, name="new") as new:
                    await until(lambda: new.status == "running")


async def test_an_agent_that_is_replaced_before_it_joined_is_not_waited_for(
    memory_bus: MemoryBus,
) -> None:
    """The process is not starting forever, and commits for its other agents."""
    node = Node("router", "old", Settings(), memory_bus, SystemClock())
    agent = AgentRouter(node, seat(), Market(node), Roster(node), asyncio.Lock())
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
def test_seats_that_cannot_be_played(
    name: str, strategy: object, kind: Literal["baseline"] | None, text: str
) -> None:
    """The operator's name, and a baseline that has no built-in rules."""
    one: Seat = seat(name, strategy=strategy)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=text):
        named([one], kind=kind, taking=False)


def test_flags_make_baselines_and_take_names() -> None:
    """`--kind baseline` and `--replace` are for every agent of the process."""
    momentum = replace(TRADER, name="momentum")
    (found,) = named([seat(strategy=momentum)], kind="baseline", taking=True)

    assert ("baseline", True) == (found.strategy.kind, found.replace)
