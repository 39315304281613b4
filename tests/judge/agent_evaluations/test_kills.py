"""A judge that is killed again and again loses no evaluation, and makes none twice."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.messages import EvaluationRequest
from arena.owner_words import evaluation_key
from arena.settings import Settings
from judge.evaluations.book import EvaluationBook
from judge.evaluations.cadence import LEAST_S
from judge.evaluations.check_fold import TurnChecks
from judge.evaluations.due import due_evaluations
from judge.evaluations.evaluate import DEFAULT_OPTIONS
from judge.season import SeasonBuilder
from tests.dashboard.publishing import ROOT, environment, publish
from tests.dashboard.scenario import Scenario
from tests.judge.agent_evaluations.test_publishing import AGENTS, evaluation_in, records_of
from tests.judge.test_service import DEADLINE_S

KILLS = 4
STEPS = 12


@asynccontextmanager
async def judge_process(settings: Settings, log: Path) -> AsyncIterator[None]:
    """Run `arena judge`, and kill it at the end."""
    with log.open("ab") as out:  # opened once, before anything waits
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "arena",
            "judge",
            "--resamples",
            "200",
            cwd=ROOT,
            env=environment(settings),
            stdout=out,
            stderr=out,
        )
        try:
            yield
            assert process.returncode is None, "the judge ended by itself"
        finally:
            process.kill()
            await process.wait()


async def evaluations_reach(bus: KafkaBus, count: int) -> None:
    """Wait until the topic holds so many evaluations of agents."""
    async with asyncio.timeout(DEADLINE_S):
        while len(await records_of(bus)) < count:
            await asyncio.sleep(0.05)


async def test_kills_lose_and_repeat_nothing(
    bus: KafkaBus, settings: Settings, tmp_path: Path
) -> None:
    """Killed right after an evaluation, between the agents, with a request that waits."""
    scenario, sent, seen = Scenario(), 0, 0
    for kill in range(KILLS):
        sent = await publish(bus, scenario.run(STEPS), sent)
        if kill == 1:
            request = EvaluationRequest(
                request_id="request-1", agent="momentum", by="test", at=scenario.wall
            )
            await bus.append(topics.CONTROL.name, request, key=evaluation_key("momentum"))
        async with judge_process(settings, tmp_path / "judge.log"):
            # The first of the due evaluations: the others are cut off by the kill, or not.
            await evaluations_reach(bus, seen + 1)
        seen = len(await records_of(bus))
    due = due_now(scenario, await book_of(bus))
    async with judge_process(settings, tmp_path / "judge.log"):
        await evaluations_reach(bus, seen + due)
    found = [evaluation_in(record) for record in await records_of(bus)]

    assert {1} == set(Counter(one.evaluation_id for one in found).values())
    assert ["request-1"] == [one.asked_by for one in found if one.asked_by]
    for agent in AGENTS:
        times = [one.as_of for one in found if one.agent == agent]
        assert len(times) >= 2
        assert all(b - a >= timedelta(seconds=LEAST_S) for a, b in pairwise(times))
    assert 0 == due_now(scenario, await book_of(bus))
    assert len(found) <= len(AGENTS) * (KILLS + 1)


async def book_of(bus: KafkaBus) -> EvaluationBook:
    """What the topic says."""
    book = EvaluationBook()
    for record in await records_of(bus):
        book.apply(record)
    return book


def due_now(scenario: Scenario, book: EvaluationBook) -> int:
    """How many evaluations are due according to all records."""
    checks = TurnChecks()
    builder = SeasonBuilder(take_turn=checks.take)
    for record in scenario.records:
        builder.apply(record)
    return len(due_evaluations(builder, checks, book, DEFAULT_OPTIONS))
