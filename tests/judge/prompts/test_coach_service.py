"""The coach on the bus: each evaluation is acted on once, whatever is killed or doubled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from arena import topics
from arena.bus.base import EARLIEST
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.messages import (
    AgentSpec,
    Message,
    PromptDecided,
    PromptProposed,
    RiskAdjustment,
    TrialEnded,
    TrialStarted,
)
from arena.node import Node
from arena.prompt_log import read_prompts
from arena.prompt_versions import version_of
from arena.read_topic import read_list
from arena.settings import Settings
from judge.prompts.coach import CoachSettings
from judge.prompts.service import COACH_TOPICS, Coach
from tests.judge.prompts.test_coach import BAD, FILE, GOOD, NOON, evaluation
from tests.trading_tools.helpers import read_until

PROMPTS, CONTROL = topics.PROMPTS.name, topics.CONTROL.name
HOME = Path("unused")


@pytest.fixture
async def bus(memory_bus: MemoryBus) -> MemoryBus:
    """A bus on which the agent's text is registered."""
    await memory_bus.ensure_topics([topics.spec_of(name) for name in COACH_TOPICS])
    text = PromptProposed(
        agent="momentum", version=version_of(FILE), text=FILE, author="file", by="router", at=NOON
    )
    await memory_bus.append(PROMPTS, text, key="momentum")
    return memory_bus


@asynccontextmanager
async def coaching(bus: MemoryBus, settings: CoachSettings) -> AsyncIterator[Coach]:
    """A running coach."""
    coach = Coach(Node("judge", "judge", Settings(home=HOME), bus, SystemClock()), settings)
    task = asyncio.create_task(coach.serve())
    try:
        yield coach
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def records(bus: MemoryBus, topic: str) -> list[Message]:
    """All messages of a topic."""
    reader = await bus.log_reader(topic, start=EARLIEST)
    try:
        return [record.message() for record in await read_list(reader)]
    finally:
        await reader.close()


async def evaluated(bus: MemoryBus, coach: Coach, *args: object, **figures: object) -> None:
    """Publish an evaluation, and wait until the coach has acted on it."""
    found = evaluation(*args, **figures)  # type: ignore[arg-type]
    await bus.append(topics.EVALUATIONS.name, found, key="momentum")
    await acted(coach, found.evaluation_id)


async def acted(coach: Coach, evaluation_id: str) -> None:
    """Wait until the coach has acted on an evaluation."""
    async with asyncio.timeout(10):
        while coach.acted_on.get("momentum") != evaluation_id:
            await asyncio.sleep(0.01)


async def test_bad_evaluation_leads_to_one_proposal(bus: MemoryBus) -> None:
    """And a later one that says the same to none."""
    async with coaching(bus, CoachSettings()) as coach:
        await evaluated(bus, coach, **BAD)
        await evaluated(bus, coach, 10, **BAD)
    _, proposed = await records(bus, PROMPTS)

    assert isinstance(proposed, PromptProposed)
    assert ("judge", "conservative", "e0") == (
        proposed.author,
        proposed.template,
        proposed.evidence.evaluation_id if proposed.evidence else "",
    )


async def test_restarted_coach_does_not_repeat_itself(bus: MemoryBus) -> None:
    """What it did names the evaluation; a person's rejection stays."""
    async with coaching(bus, CoachSettings()) as coach:
        await evaluated(bus, coach, **BAD)
    proposed = (await records(bus, PROMPTS))[-1]
    assert isinstance(proposed, PromptProposed)
    rejected = PromptDecided(
        agent="momentum",
        version=proposed.version,
        action="reject",
        author="person",
        by="cli",
        as_of=NOON,
        at=NOON,
    )
    await bus.append(PROMPTS, rejected, key="momentum")
    for _ in range(3):
        async with coaching(bus, CoachSettings()) as coach:
            await acted(coach, "e0")
    assert 3 == len(await records(bus, PROMPTS))


async def test_two_coaches_make_one_change(bus: MemoryBus) -> None:
    """Each approves by itself; one version is in force, by one change."""
    auto = CoachSettings(auto=True)
    async with coaching(bus, auto) as one, coaching(bus, auto) as other:
        for minute in (0, 5, 10):
            await evaluated(bus, one, minute, **BAD)
            await acted(other, f"e{minute}")
    async with coaching(bus, auto) as third:
        await acted(third, "e10")
        own = third.state.book.of("momentum")
    assert ["replaced", "in force"] == [version.state for version in own.in_order()]
    assert 2 == len(own.changes)


async def test_result_of_a_trial_needs_no_new_evaluation(bus: MemoryBus) -> None:
    """Two coaches put the promoted text into force, by one change; a restart repeats nothing."""
    settings = CoachSettings(auto=True, trials=True)
    async with coaching(bus, settings) as one, coaching(bus, settings) as other:
        await evaluated(bus, one, **BAD)
        await acted(other, "e0")
        pending = (await read_prompts(bus)).of("momentum").pending
        assert pending is not None
        arms = {arm: (f"shadow-{'1' * 12}-{arm}",) for arm in ("champion", "challenger", "copy")}
        fields: dict[str, Any] = {  # Any: fields of the messages
            "trial_id": "1" * 12,
            "agent": "momentum",
            "champion": version_of(FILE),
            "challenger": pending.version,
            "by": "trials/host",
            "as_of": NOON + timedelta(minutes=9),
            "at": NOON,
        }
        begun = TrialStarted(**fields, arms=arms, snapshots=60)
        fields |= {"market": "live", "verdict": "promote", "periods": 60, "repeats": 1}
        for message in (begun, TrialEnded(**fields, reasons=("better",))):
            await bus.append(PROMPTS, message, key="momentum")
        await read_until(bus, PROMPTS, PromptDecided, 1)
    async with coaching(bus, settings) as third:
        await acted(third, "e0")
    own = (await read_prompts(bus)).of("momentum")
    assert (pending.version, 2, None) == (own.current, len(own.changes), own.pending)
    assert NOON + timedelta(minutes=9) == own.versions[own.current].since


async def test_frozen_agent_is_not_coached(bus: MemoryBus) -> None:
    """As the roster says, whatever is in the topic."""
    spec = AgentSpec(
        agent="momentum", strategy="momentum", node="rules", prompts="frozen", joined_at=NOON
    )
    await bus.append(topics.ROSTER.name, spec, key="agent/momentum")
    scaling = CoachSettings(auto=True, scale_risk_s=3600)
    async with coaching(bus, scaling) as coach:
        await evaluated(bus, coach, **BAD)
    assert 1 == len(await records(bus, PROMPTS))
    assert [] == await records(bus, CONTROL)


async def test_emergency_scales_the_limits_for_a_while(bus: MemoryBus) -> None:
    """Once until its end, also over a restart."""
    scaling = CoachSettings(scale_risk_s=3600)
    async with coaching(bus, scaling) as coach:
        await evaluated(bus, coach, **BAD)
        await evaluated(bus, coach, 30, **BAD)
    async with coaching(bus, scaling) as coach:
        await acted(coach, "e30")
        await evaluated(bus, coach, 60, **GOOD)
    (found,) = await read_until(bus, CONTROL, RiskAdjustment, 1)
    assert 1 == len(await records(bus, CONTROL))
    assert (NOON + timedelta(hours=1), "0.5") == (found.expires_at, str(found.factor))
    assert "emergency_conservative" in found.reason
