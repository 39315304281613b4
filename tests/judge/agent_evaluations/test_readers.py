"""Every reader of `judge.evaluations` leaves alone what is about single agents."""

import asyncio
from datetime import timedelta

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.clock import SystemClock
from dashboard.model.topic_follower import VERDICT_CHUNK, TopicFollower
from dashboard.model.view import WINDOWS, ArenaView
from ledger.audit.decoding import DecodedRecord
from operations.commands.compete_progress import ContestProgress
from tests.dashboard.alerts.situations import alerts_of, limits
from tests.dashboard.alerts.test_contest_end import contest, evaluate
from tests.dashboard.scenario import Scenario
from tests.judge.agent_evaluations.records import agent_evaluation, other_records
from tests.judge.evaluations import judged


def test_the_view_keeps_the_verdict() -> None:
    """Terminal, page and REST show the newest evaluation of the season."""
    scenario = Scenario().run(2)
    scenario.write(topics.EVALUATIONS.name, judged())
    for message in other_records():
        scenario.write(topics.EVALUATIONS.name, message, "momentum")
    view = ArenaView()
    for record in scenario.records:
        view.apply(record)

    assert view.evaluation == judged()
    assert view.malformed == 0


async def test_a_late_dashboard_finds_the_verdict_before_many_other_records(
    bus: KafkaBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read although it is not among the newest records."""
    monkeypatch.setitem(WINDOWS, topics.EVALUATIONS.name, 1)
    await bus.ensure_topics([topics.EVALUATIONS])
    await bus.append(topics.EVALUATIONS.name, judged(snapshots=1), key="s")
    await bus.append(topics.EVALUATIONS.name, judged(), key="s")
    for number in range(3 * VERDICT_CHUNK):
        await bus.send(topics.EVALUATIONS.name, agent_evaluation(number), key="momentum")
    await bus.append(topics.EVALUATIONS.name, agent_evaluation(), key="momentum")
    follower = TopicFollower(bus, SystemClock(), ArenaView())
    await follower.open()
    try:
        left = follower.records_left
    finally:
        await follower.close()

    assert 3 * VERDICT_CHUNK + 2 == left


async def test_a_late_dashboard_without_a_verdict_reads_the_newest_record(
    bus: KafkaBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An arena without a contest has evaluations of agents alone."""
    monkeypatch.setitem(WINDOWS, topics.EVALUATIONS.name, 1)
    await bus.ensure_topics([topics.EVALUATIONS])
    for number in range(5):
        await bus.append(topics.EVALUATIONS.name, agent_evaluation(number), key="momentum")
    follower = TopicFollower(bus, SystemClock(), ArenaView())
    await follower.open()
    try:
        assert follower.records_left == 1
    finally:
        await follower.close()


async def test_a_dashboard_opens_before_the_first_evaluation(bus: KafkaBus) -> None:
    """As in an arena without a judge."""
    await bus.ensure_topics([topics.EVALUATIONS])
    follower = TopicFollower(bus, SystemClock(), ArenaView())
    async with asyncio.timeout(10):
        await follower.open()
    try:
        assert follower.records_left == 0
    finally:
        await follower.close()


def test_alerts_report_the_end_of_a_contest_as_before() -> None:
    """The verdict in the alert is that of the season's last evaluation."""
    scenario = contest(3, 3)
    scenario.beat("judge", "judge")
    evaluate(scenario, 3, interim=False)
    for message in other_records():
        scenario.write(topics.EVALUATIONS.name, message, "momentum")
    now = scenario.wall + timedelta(seconds=1)

    [found] = alerts_of(scenario.records, now, limits("contest-ended"))
    assert found.text.startswith("the contest has ended: 3 of 3 snapshots")


def test_the_monitor_of_a_contest_waits_for_the_season() -> None:
    """Evaluations of agents do not end a contest."""
    progress = ContestProgress(3, ["momentum"])
    for message in other_records():
        progress.apply(message, 0)
    assert not progress.is_judged
    progress.apply(judged(snapshots=3), 1)
    assert progress.is_judged


def test_the_audit_knows_every_kind_of_record() -> None:
    """None is foreign to its topic, and none is malformed."""
    scenario = Scenario()
    before = len(scenario.records)
    for message in other_records():
        scenario.write(topics.EVALUATIONS.name, message, "momentum")
    found = [DecodedRecord(record) for record in scenario.records[before:]]
    assert len(found) == len(other_records())
    assert not any(one.foreign or one.malformed for one in found)
