"""A judge on a real Kafka publishes evaluations of agents: on cadence, on demand, once."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest

from arena import topics
from arena.bus.base import Bus, Record
from arena.bus.kafka import KafkaBus
from arena.errors import UsageError
from arena.messages import AgentEvaluation, EvaluationRequest, Feedback
from arena.owner_words import evaluation_key
from arena.read_topic import for_each_record
from arena.settings import Settings
from judge.evaluations.book import EvaluationBook
from judge.evaluations.cadence import LEAST_S
from judge.evaluations.check_fold import TurnChecks
from judge.evaluations.due import due_evaluations
from judge.evaluations.evaluate import DEFAULT_OPTIONS, EvaluationOptions, evaluate
from judge.evaluations.once import require_competitor
from judge.evaluations.verify import recomputed, verify_evaluations
from judge.season import SeasonBuilder
from tests.dashboard.publishing import ROOT, environment, publish
from tests.dashboard.scenario import Scenario
from tests.judge.test_service import DEADLINE_S, running, until

AGENTS = ("brainrot", "momentum", "scalper")


async def records_of(bus: Bus) -> list[Record]:
    """Every record of `judge.evaluations` that holds an evaluation of an agent."""
    found: list[Record] = []
    await for_each_record(bus, topics.EVALUATIONS, found.append)
    return [record for record in found if record.kind == "AgentEvaluation"]


def evaluation_in(record: Record) -> AgentEvaluation:
    """The evaluation in a record."""
    message = record.message()
    assert isinstance(message, AgentEvaluation)
    return message


async def test_agents_are_evaluated_on_cadence_and_anyone_can_recompute_it(
    bus: KafkaBus, settings: Settings
) -> None:
    """The first after ten minutes; every record equals what a later reader computes."""
    scenario, sent = Scenario(), 0
    async with running(settings, "judge") as judge:
        await until(lambda: judge.node.status == "running")
        for _ in range(30):
            sent = await publish(bus, scenario.run(1), sent)
            count = scenario.snapshots
            await until(lambda c=count: judge.builder.snapshots >= c)  # type: ignore[misc]
        await until(lambda: judge.node.counters["agent_evaluations"] >= 6)
    records = await records_of(bus)
    found = [evaluation_in(record) for record in records]

    assert {one.agent for one in found} == set(AGENTS)
    firsts = [one for one in found if one.cause == "first"]
    assert sorted(one.agent for one in firsts) == sorted(AGENTS)
    assert all(600 <= one.window_s < 700 for one in firsts)
    for agent in AGENTS:
        times = [one.as_of for one in found if one.agent == agent]
        assert all(b - a >= timedelta(seconds=LEAST_S) for a, b in pairwise(times))
    assert [record.key for record in records] == [one.agent.encode() for one in found]
    verified = await verify_evaluations(bus)
    assert (verified.compared, verified.differences, verified.unknown) == (len(found), [], 0)


def test_a_changed_record_is_found_whatever_the_order_of_topics() -> None:
    """One digit of one figure; the records of the season come topic by topic, in any order."""
    scenario, checks, book = Scenario().run(30), TurnChecks(), EvaluationBook()
    builder = SeasonBuilder(take_turn=checks.take)
    for topic in (topics.TURNS, topics.EVENTS, topics.SNAPSHOTS, topics.ROSTER):
        for record in scenario.records:
            if record.topic == topic.name:
                builder.apply(record)
    begun = len(scenario.records)
    for due in due_evaluations(builder, checks, book, DEFAULT_OPTIONS):
        earlier = book.earlier(due.agent, None)
        found = evaluate(
            builder.folds, checks, due.agent, due.last, due.asked, earlier, DEFAULT_OPTIONS
        )
        scenario.write(topics.EVALUATIONS.name, found, due.agent)
    records = scenario.records[begun:]
    assert recomputed(builder, checks, records).differences == []
    first = records[0]
    changed = first._replace(value=(first.value or b"").replace(b'"overall":', b'"overall":1'))
    verified = recomputed(builder, checks, [changed, *records[1:]])
    assert (verified.compared, len(verified.differences)) == (len(AGENTS), 1)
    assert "overall" in verified.differences[0]


async def test_a_judge_that_starts_with_a_long_log_makes_one_evaluation_per_agent(
    bus: KafkaBus, settings: Settings
) -> None:
    """No flood: what was missed is not made up for, and a restart repeats nothing."""
    scenario = Scenario().run(150)
    sent = await publish(bus, scenario)
    async with running(settings, "late") as late:
        await until(lambda: late.node.counters["agent_evaluations"] == len(AGENTS))
    async with running(settings, "again") as second:
        await until(lambda: second.node.status == "running")
        sent = await publish(bus, scenario.run(1), sent)
        await until(lambda: second.builder.snapshots == scenario.snapshots)
        assert second.node.counters["agent_evaluations"] == 0
    assert Counter(evaluation_in(record).agent for record in await records_of(bus)) == Counter(
        AGENTS
    )


async def test_requests_and_feedback_are_answered_once(bus: KafkaBus, settings: Settings) -> None:
    """Of several that wait, the newest; a restarted judge does not answer it again."""
    scenario = Scenario().run(12)
    sent = await publish(bus, scenario)
    async with running(settings, "first") as first:
        await until(lambda: first.node.counters["agent_evaluations"] == len(AGENTS))
        for n, name in enumerate(("request-1", "request-2")):
            at = scenario.wall + timedelta(seconds=n)
            request = EvaluationRequest(request_id=name, agent="momentum", by="test", at=at)
            await bus.append(topics.CONTROL.name, request, key=evaluation_key(request.agent))
        words = Feedback(
            feedback_id="feedback-1",
            agent="scalper",
            to="judge",
            text="too many trades",
            by="test",
            at=scenario.wall,
        )
        await bus.append(topics.FEEDBACK.name, words, key="scalper")
        other = words.model_copy(update={"feedback_id": "feedback-2", "agent": "brainrot"})
        other = other.model_copy(update={"to": "agent"})
        await bus.append(topics.FEEDBACK.name, other, key="brainrot")
        sent = await publish(bus, scenario.run(5), sent)
        await until(lambda: first.evaluator.book.pending("momentum") is None)
        await until(lambda: first.evaluator.book.pending("scalper") is None)
    async with running(settings, "second") as second:
        await until(lambda: second.node.status == "running")
        await publish(bus, scenario.run(2), sent)
        await until(lambda: second.builder.snapshots == scenario.snapshots)
        assert second.node.counters["agent_evaluations"] == 0

    asked = [
        (one.agent, one.cause, one.asked_by)
        for record in await records_of(bus)
        if (one := evaluation_in(record)).asked_by
    ]
    assert sorted(asked) == [
        ("momentum", "demand", "request-2"),
        ("scalper", "feedback", "feedback-1"),
    ]


async def test_two_judges_write_the_same_bytes_under_the_same_ids(
    bus: KafkaBus, settings: Settings
) -> None:
    """Whatever both write, a reader counts once."""
    scenario, sent = Scenario(), 0
    async with running(settings, "one") as one, running(settings, "two") as two:
        for _ in range(26):
            sent = await publish(bus, scenario.run(1), sent)
            count = scenario.snapshots
            for judge in (one, two):
                await until(lambda j=judge, c=count: j.builder.snapshots >= c)  # type: ignore[misc]
        await until(lambda: len(one.evaluator.book.of("brainrot")) >= 2)
    records, book = await records_of(bus), EvaluationBook()
    values: dict[str, set[bytes | None]] = {}
    for record in records:
        book.apply(record)
        values.setdefault(evaluation_in(record).evaluation_id, set()).add(record.value)
    assert {1} == {len(found) for found in values.values()}
    for agent in AGENTS:
        times = [found.as_of for found in book.of(agent)]
        assert all(b - a >= timedelta(seconds=LEAST_S) for a, b in pairwise(times))


async def test_the_commands_evaluate_and_list(bus: KafkaBus, settings: Settings) -> None:
    """`arena judge evaluate` publishes without a judge; the second one is too soon."""
    await publish(bus, Scenario().run(15))

    async def run(*arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "arena", "judge", *arguments],
            cwd=ROOT,
            env=environment(settings),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
        assert done.returncode == code, done.stderr
        return done

    first = json.loads((await run("evaluate", "momentum", "--json")).stdout)
    assert first["published"] is True
    assert {"returns", "risk", "quality", "consistency"} == set(first["dimensions"])
    assert first["trend"] == "unknown"
    assert first["corrected"] is None
    second = await run("evaluate", "momentum")
    assert "less than 5 minutes" in second.stderr
    assert str(first["overall"]) in second.stdout
    [listed] = json.loads((await run("evaluations", "momentum", "--json")).stdout)
    assert listed["evaluation"]["evaluation_id"] == first["evaluation"]["evaluation_id"]
    assert "momentum" in (await run("evaluations")).stdout
    assert (
        "1 evaluation computed again from the records: all match"
        in (await run("evaluations", "--verify")).stdout
    )
    unknown = await run("evaluate", "momentun", code=2)
    assert "momentum" in unknown.stderr


def test_baselines_and_unknown_agents_cannot_be_evaluated() -> None:
    """On demand neither; the error says what to do."""
    scenario, builder = Scenario().run(2), SeasonBuilder()
    for record in scenario.records:
        builder.apply(record)

    require_competitor(builder.folds, "momentum")
    with pytest.raises(UsageError, match="cash is a baseline"):
        require_competitor(builder.folds, "cash")
    with pytest.raises(UsageError, match="momentun"):
        require_competitor(builder.folds, "momentun")


def test_shadow_agents_are_not_evaluated() -> None:
    """Neither by the judge on its cadence nor on demand."""
    scenario, checks = Scenario().run(30), TurnChecks()
    builder = SeasonBuilder(take_turn=checks.take)
    for record in scenario.records:
        builder.apply(record)
    options = EvaluationOptions(first_after_s=60)
    before = [one.agent for one in due_evaluations(builder, checks, EvaluationBook(), options)]
    assert "momentum" in before

    roster = builder.folds.roster
    roster["momentum"] = roster["momentum"].model_copy(update={"kind": "shadow", "shadow_of": "x"})
    after = [one.agent for one in due_evaluations(builder, checks, EvaluationBook(), options)]
    assert {"momentum"} == {*before} - {*after}
    with pytest.raises(UsageError, match="momentum is a shadow agent"):
        require_competitor(builder.folds, "momentum")


@pytest.mark.parametrize("name", ["evaluate", "evaluations"])
def test_a_misplaced_option_is_an_error(name: str) -> None:
    """An option before the command would be ignored."""
    done = subprocess.run(
        [sys.executable, "-m", "arena", "judge", "--json", name, "momentum"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"arena judge {name}" in done.stderr
