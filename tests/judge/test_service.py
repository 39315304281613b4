"""Judges over a real Kafka publish the same bytes whenever they start, and nothing twice."""

import asyncio
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from arena import topics
from arena.bus.base import Bus, Record
from arena.bus.kafka import KafkaBus
from arena.clock import SystemClock
from arena.messages import AgentEvaluation, Evaluation
from arena.node import Node, serve_node
from arena.read_topic import for_each_record
from arena.settings import Settings
from judge.leaderboard_text import render_leaderboard
from judge.schedule import newest_due, stride
from judge.season import SeasonBuilder
from judge.service import Judge, JudgeOptions, judge_once
from tests.dashboard.publishing import ROOT, environment, publish
from tests.dashboard.scenario import Scenario
from tests.judge.seasons import fold_records

DEADLINE_S = 40.0
JUDGE_OPTIONS = JudgeOptions(resamples=300)


@asynccontextmanager
async def running(settings: Settings, name: str) -> AsyncIterator[Judge]:
    """Run a judge with its own connection."""
    bus = KafkaBus(settings, client_id=name)
    judges: list[Judge] = []

    async def serve(node: Node, options: JudgeOptions) -> None:
        judges.append(Judge(node, options))
        await judges[0].serve()

    node = Node("judge", name, settings, bus, SystemClock())
    task = asyncio.create_task(serve_node(node, serve, JUDGE_OPTIONS))
    try:
        await until(lambda: bool(judges) or task.done())
        yield judges[0]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(true: Callable[[], bool]) -> None:
    """Wait until a condition is true, at most `DEADLINE_S`."""
    async with asyncio.timeout(DEADLINE_S):
        while not true():
            await asyncio.sleep(0.05)


async def published(bus: Bus) -> list[Record]:
    """Every evaluation in the topic."""
    found: list[Record] = []
    await for_each_record(bus, topics.EVALUATIONS, found.append)
    return found


def id_after(scenario: Scenario) -> str:
    """The id of the evaluation after the scenario's newest snapshot."""
    assert scenario.newest is not None
    return JUDGE_OPTIONS.id_of(scenario.newest.snapshot_id)


async def test_judges_started_at_different_times_publish_the_same(
    bus: KafkaBus, settings: Settings
) -> None:
    """One judge from the start, one from the middle: equal bytes under equal ids."""
    scenario = Scenario().run(30)
    async with running(settings, "early") as early:
        sent = await publish(bus, scenario)
        await until(lambda: id_after(scenario) in early.published)
        async with running(settings, "late") as late:
            scenario.run(34)
            await publish(bus, scenario, sent)
            await until(lambda: id_after(scenario) in early.published & late.published)

    values = defaultdict(set)
    for record in await published(bus):
        message = record.message()
        assert isinstance(message, Evaluation | AgentEvaluation)
        values[message.evaluation_id].add(record.value)
    assert {1} == {len(found) for found in values.values()}
    newest = next(iter(values[id_after(scenario)]))
    assert newest is not None
    assert Evaluation.model_validate_json(newest).snapshots == 64


async def test_a_restarted_judge_publishes_nothing_twice(bus: KafkaBus, settings: Settings) -> None:
    """A judge that reads from the start does not repeat the evaluations in the topic."""
    scenario = Scenario().run(5)
    await publish(bus, scenario)
    async with running(settings, "first") as first:
        await until(lambda: id_after(scenario) in first.published)
    before = await published(bus)
    async with running(settings, "second") as second:
        await until(lambda: second.node.status == "running")
        await until(lambda: id_after(scenario) in second.published)
        assert second.node.counters["evaluations"] == 0

    assert [r.value for r in before] == [r.value for r in await published(bus)]


async def test_judge_once_prints_the_same_bytes_at_any_time(
    bus: KafkaBus, settings: Settings
) -> None:
    """Two commands and this process read the same topics and print the same text and JSON."""
    await publish(bus, Scenario().run(70))

    async def printed(*flags: str) -> bytes:
        command = [sys.executable, "-m", "arena", "judge", "--resamples", "300", *flags]
        done = await asyncio.to_thread(
            subprocess.run,
            command,
            cwd=ROOT,
            env=environment(settings),
            capture_output=True,
            timeout=DEADLINE_S,
            check=True,
        )
        return done.stdout

    text, document = await printed("--once"), await printed("--json")

    evaluation = await judge_once(bus, JUDGE_OPTIONS)
    assert evaluation == Evaluation.model_validate_json(document)
    assert render_leaderboard(evaluation) + "\n" == text.decode()


def test_evaluations_become_rarer_as_a_season_grows() -> None:
    """The stride is a power of two that grows with the season, not with time."""
    assert [1, 1, 1, 2, 2, 4, 512] == [stride(n) for n in (0, 1, 63, 64, 127, 128, 23_040)]


def test_a_snapshot_is_due_when_all_its_turns_ended() -> None:
    """An evaluation waits for the slowest agent."""
    scenario = Scenario().run(3)
    builder = fold_records(scenario.records)
    assert newest_due(builder) == 2

    before = len(scenario.records)
    scenario.snapshot()
    started = [scenario.begin_turn(name) for name, _, _ in scenario.agents]
    for one in started[1:]:
        scenario.end_turn(one, None, "")
    for record in scenario.records[before:]:
        builder.apply(record)
    assert newest_due(builder) == 2

    before = len(scenario.records)
    scenario.end_turn(started[0], None, "")
    for record in scenario.records[before:]:
        builder.apply(record)
    assert newest_due(builder) == 3


def test_a_silent_agent_delays_an_evaluation_for_minutes_only() -> None:
    """Some minutes later a snapshot counts as complete without the silent agent."""
    scenario = Scenario().run(2)
    builder = SeasonBuilder()
    silent = scenario.agents[0]
    scenario.agents = scenario.agents[1:]
    scenario.run(1)
    scenario.advance(130 * scenario.speed)
    scenario.snapshot()
    for record in scenario.records:
        builder.apply(record)

    assert silent[0] in builder.folds.roster
    assert newest_due(builder) == 2
