"""Turns are judged over a real Kafka, once each and within the budget, whatever is killed."""

import asyncio
import subprocess
import sys

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.errors import DependencyMissing, UsageError
from arena.messages import JudgeCalibration, TurnJudgement
from arena.settings import Settings
from judge.evaluations.llm.calibrate import calibrate
from judge.evaluations.llm.judged import judged_of
from judge.evaluations.llm.rubric import shipped_rubric
from judge.evaluations.llm.sampling import SampledTurn, Sampling, admitted
from judge.evaluations.llm.service import TurnJudge
from judge.evaluations.llm.turns_to_judge import FAILURES_MAX
from tests.dashboard.publishing import ROOT, environment
from tests.judge.llm_judge.recorded import recorded_turns
from tests.judge.llm_judge.running import (
    CHAT_NODE,
    DEADLINE_S,
    CountingModel,
    both,
    chat_node,
    in_topic,
    judge_calls,
    many_turns,
    publish_turns,
    turn_judge,
    until,
    until_in_topic,
)

ALL = Sampling(1.0, 1_000)
RUBRIC = shipped_rubric()


async def judgements(bus: KafkaBus, count: int = 0) -> list[TurnJudgement]:
    """The judgements in the topic, once there are so many."""
    return await until_in_topic(bus, topics.EVALUATIONS, TurnJudgement, count)


async def until_done(judge: TurnJudge, count: int) -> None:
    """Wait until a judge knows of so many judgements."""
    await until(lambda: len(judge.state.done) >= count)


async def test_turns_of_agents_are_judged_and_those_of_baselines_are_not(
    bus: KafkaBus, settings: Settings
) -> None:
    """Every judgement has answers with quotes, its call is in the log with its cost."""
    turns = list(recorded_turns())
    await publish_turns(bus, turns)
    agents_turns = {turn.turn_id for turn in turns if turn.agent != "random"}
    expected = len(agents_turns)
    async with both(settings, CountingModel(), ALL) as judge:
        await until(lambda: {(name, 0) for name in agents_turns} <= judge.state.done)
        found = [one for one in await judgements(bus, expected) if one.repeat == 0]

    calls = {call.call_id: call for call in await judge_calls(bus)}
    assert agents_turns == {one.turn_id for one in found}
    assert [""] * expected == [one.failure for one in found]
    assert all(one.scripted and one.credit is not None for one in found)
    assert all(calls[one.call_id].outcome == "ok" for one in found)
    assert sum(answer.found for one in found for answer in one.answers) > 6 * expected
    judged = judged_of(found, None, RUBRIC)
    assert judged is not None
    assert expected == judged.turns
    assert "uncalibrated" in judged.note


async def test_judge_that_is_killed_again_and_again_keeps_its_budget(
    bus: KafkaBus, settings: Settings
) -> None:
    """No call is made twice, none beyond the budget, and the choice is that of one judge."""
    sampling = Sampling(1.0, 24)
    turns = many_turns(60)
    wanted = admitted([SampledTurn(t.as_of, t.turn_id) for t in turns], sampling)
    model = CountingModel()
    await publish_turns(bus, turns[:50])
    async with chat_node(settings, model):
        model.may_answer.clear()
        async with turn_judge(settings, sampling):
            await until(lambda: len(model.call_ids) >= 1)  # killed before the first answer
        model.may_answer.set()
        await publish_turns(bus, turns[50:])
        for count in (1, 3, 5):
            async with turn_judge(settings, sampling) as judge:
                await until_done(judge, count)
        async with turn_judge(settings, sampling) as judge:
            await until_done(judge, len(wanted))
            found = await judgements(bus, len(wanted))

    assert len(wanted) == 7
    assert len(set(model.call_ids)) == len(model.call_ids) == len(wanted)
    assert {(t.turn_id, r) for t, r in wanted} == {(one.turn_id, one.repeat) for one in found}


async def test_two_judges_make_each_call_once(bus: KafkaBus, settings: Settings) -> None:
    """The chat node answers the second request from its log."""
    model = CountingModel()
    turns = many_turns(12)
    await publish_turns(bus, turns)
    async with (
        chat_node(settings, model),
        turn_judge(settings, ALL) as one,
        turn_judge(settings, ALL) as two,
    ):
        wanted = {(turn.turn_id, 0) for turn in turns}
        await until(lambda: wanted <= one.state.done & two.state.done)

    assert len(set(model.call_ids)) == len(model.call_ids)
    assert {t.turn_id for t in turns} == {j.turn_id for j in await judgements(bus)}


async def test_failing_model_leaves_failures_and_a_pause(bus: KafkaBus, settings: Settings) -> None:
    """After five in a row nothing is asked for ten minutes, also after a restart."""
    model = CountingModel("the server is on fire")
    await publish_turns(bus, many_turns(30))
    async with chat_node(settings, model):
        async with turn_judge(settings, ALL) as judge:
            await until(lambda: "paused until" in str(judge.node.details.get("turn_judge")))
            await until(lambda: not judge._asked)
        calls = len(model.call_ids)
        async with turn_judge(settings, ALL) as judge:
            await until(lambda: "paused until" in str(judge.node.details.get("turn_judge")))

    found = await judgements(bus)
    assert FAILURES_MAX <= calls == len(model.call_ids) <= FAILURES_MAX + 4
    assert all("on fire" in one.failure and one.credit is None for one in found)
    judged = judged_of(found, None, RUBRIC)
    assert judged is not None
    assert (0, None) == (judged.turns, judged.credit)


async def test_silent_chat_node_is_a_failure(bus: KafkaBus, settings: Settings) -> None:
    """A request without a reply does not block the judge."""
    await publish_turns(bus, many_turns(1))
    async with turn_judge(settings, ALL, wait_s=0.3):
        (found, *_) = await judgements(bus, 1)

    assert f"chat node {CHAT_NODE} gave no reply within" in found.failure


async def test_calibration_finds_the_faults_that_the_scripted_judge_sees(
    bus: KafkaBus, settings: Settings
) -> None:
    """End to end: rates are published, and correct the judgements of the running arena."""
    turns = [*recorded_turns(), *many_turns(12)]
    await publish_turns(bus, turns)
    async with both(settings, CountingModel(), ALL):
        await judgements(bus, 12)
        done = await calibrate(bus, None, 12, lambda done, total: None)

    (published,) = await in_topic(bus, topics.EVALUATIONS, JudgeCalibration)
    found = done.calibration
    assert published == found
    assert (CHAT_NODE, True, 12) == (found.node, found.scripted, found.turns)
    rates = {rate.question: rate for rate in found.rates}
    assert RUBRIC.ids == tuple(rates)
    assert all((r.true_positive or 0) > (r.false_positive or 0) for r in rates.values())
    assert (found.faults["no_reason"].true_positive or 0) > 0.8
    assert found.calls == len(done.judgements) > 4 * 12
    assert found.retest_turns >= 5
    assert (found.retest_agreement or 0) > 0.8
    all_judgements = await in_topic(bus, topics.EVALUATIONS, TurnJudgement)
    assert {"twin", *found.faults} == {one.planted for one in all_judgements if one.planted}
    judged = judged_of(all_judgements, found, RUBRIC)
    assert judged is not None
    assert (found.calibration_id, False) == (judged.calibration_id, "uncalibrated" in judged.note)
    assert judged.corrected is not None


async def test_calibration_without_turns_or_chat_node_says_what_to_do(
    bus: KafkaBus, settings: Settings
) -> None:
    """Nothing is asked, and no topic is created for a name that was mistyped."""

    async def refused(node: str | None) -> str:
        with pytest.raises(UsageError) as error:
            await calibrate(bus, node, 3, lambda done, total: None)
        return f"{error.value}; {error.value.remedy}"

    assert "no agent has joined" in await refused(None)
    assert "no agent has decided anything yet" in await refused(CHAT_NODE)
    await publish_turns(bus, many_turns(3))
    assert "no chat node 'opinion' in this arena; the agents' chat nodes are rules" in (
        await refused("opinion")
    )
    assert "no chat node 'rules'" in await refused(None)
    assert [] == await bus.existing_topics([topics.prompted("opinion")])
    await bus.ensure_topics([topics.PROMPTED.member(CHAT_NODE)])
    with pytest.raises(DependencyMissing, match="gave no reply within 1 s"):
        await calibrate(bus, CHAT_NODE, 1, lambda done, total: None, wait_s=0.6)


async def test_command_prints_the_calibration(bus: KafkaBus, settings: Settings) -> None:
    """As JSON, or as a table; without --node it measures the one that judged last."""

    async def run(*flags: str) -> str:
        command = [sys.executable, "-m", "arena", "judge", "calibrate", "--turns", "3", *flags]
        done = await asyncio.to_thread(
            subprocess.run,
            command,
            cwd=ROOT,
            env=environment(settings),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=True,
        )
        return done.stdout

    await publish_turns(bus, many_turns(4))
    async with chat_node(settings, CountingModel()):
        document = await run("--node", CHAT_NODE, "--json")
        table = await run()

    assert 3 == JudgeCalibration.model_validate_json(document).turns
    assert "false alarms" in table
    assert f"Chat node {CHAT_NODE}: scripted rules, not an LLM" in table
