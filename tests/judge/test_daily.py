"""Daily reports: which day a limit, a cut, a breach and an evaluation belong to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from arena import topics
from arena.bus.base import Record
from arena.messages import Message, OrderDecided, RiskAdjustment, RiskLimitsSet, RiskTripped, Source
from arena.wire import encode
from judge.report.daily import daily_document, daily_reports
from judge.report.daily_fold import DailyFold
from judge.report.daily_table import ROWS_MAX, daily_note, daily_table
from judge.report.facts import ReportOptions, make_facts
from judge.season.market_fold import MarketFold, SnapshotQuotes
from tests.judge.agent_evaluations.records import agent_evaluation
from tests.judge.seasons import make_season

FIRST = datetime(2026, 11, 21, 9, tzinfo=UTC)
AGENT = "momentum-large-1"
HOURS = 40
"""Snapshots: 15 hours of the first day, 24 of the second, one of the third."""
SEASON = make_season(snapshots=HOURS, interval_s=3600)


def market(hours: int = HOURS) -> MarketFold:
    """The snapshots of the season, as a fold."""
    found = MarketFold()
    for n in range(hours):
        at = FIRST + timedelta(hours=n)
        found.index[f"snapshot-{n}"] = n
        found.snapshots.append(SnapshotQuotes(0, n, f"snapshot-{n}", at, at, {}))
    return found


def order(index: int) -> OrderDecided:
    """An order that answers a snapshot; the wall time of a backtest is another day's."""
    return OrderDecided(
        epoch=1,
        owner="o",
        seq=index,
        prev="p",
        source=Source(partition=0, offset=index),
        order_id=f"order-{index}",
        agent=AGENT,
        turn_id="t",
        round=0,
        index=0,
        snapshot_id=f"snapshot-{index}",
        outcome="rejected",
        issued_at=FIRST,
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def limits(symbol: str, preset: str = "") -> RiskLimitsSet:
    """Limits of the agent."""
    return RiskLimitsSet(
        epoch=1,
        owner="o",
        seq=1,
        prev="p",
        order_id="l",
        agent=AGENT,
        limits={"max_symbol_exposure_pct": symbol} if symbol else {},
        preset=preset,
        set_by="arena",
        at=FIRST,
    )


def tripped(index: int) -> RiskTripped:
    """A breach at a snapshot."""
    return RiskTripped(
        epoch=1,
        owner="o",
        seq=1,
        prev="p",
        order_id="t",
        agent=AGENT,
        limit="max_daily_loss_pct",
        value=Decimal(4),
        threshold=Decimal(3),
        equity=Decimal(96_000),
        snapshot_id=f"snapshot-{index}",
        at=FIRST,
    )


def record(message: Message, topic: str, ms: int) -> Record:
    """A record that the broker took at a time."""
    encoded = encode(message)
    return Record(topic, 0, 0, ms, b"k", encoded.value, dict(encoded.headers))


def cut(expires_at: datetime) -> RiskAdjustment:
    """A cut of the agent's limits."""
    return RiskAdjustment(
        agent=AGENT, factor=Decimal("0.50"), expires_at=expires_at, by="judge", at=FIRST
    )


def test_limits_count_from_the_snapshot_at_which_they_were_set() -> None:
    """Those at the end of a day are shown; other limits of the next day are of the next day."""
    fold = DailyFold(market())
    for event in (limits("20"), order(3), order(20), limits("10"), order(39), limits("")):
        fold.take_event(event)
    found = [one for one in daily_reports(SEASON, fold) if one.agent == AGENT]
    documents = [one.document(2) for one in found]
    assert [one["day"] for one in documents] == ["2026-11-21", "2026-11-22", "2026-11-23"]
    assert [one["snapshots"] for one in documents] == [15, 24, 1]
    first, second, third = (one["risk_limits"] for one in documents)
    assert first["limits"] == {"max_symbol_exposure_pct": "20"}
    assert second["limits"] == {"max_symbol_exposure_pct": "10"}
    assert third is None


def test_breaches_evaluations_and_cuts_are_on_their_days() -> None:
    """A cut is in force from the evaluation that called for it to its end."""
    fold = DailyFold(market())
    fold.take_event(tripped(20))
    for number, as_of, ms in ((1, FIRST, 10), (2, FIRST + timedelta(hours=20), 20)):
        message = agent_evaluation(number, AGENT).model_copy(update={"as_of": as_of})
        fold.take_record(record(message, topics.EVALUATIONS.name, ms))
        fold.take_record(record(message, topics.EVALUATIONS.name, ms + 1))
    fold.take_record(record(cut(FIRST + timedelta(hours=39)), topics.CONTROL.name, 25))
    days = [one.document(2) for one in daily_reports(SEASON, fold) if one.agent == AGENT]
    assert [one["tripped"] for one in days] == [{}, {"max_daily_loss_pct": 1}, {}]
    assert [len(one["judge_feedback"]) for one in days] == [1, 1, 0]
    assert days[0]["judge_feedback"][0]["scores"] == {"returns": 61.5}
    assert [len(one["risk_adjustments"]) for one in days] == [0, 1, 1]
    found = days[1]["risk_adjustments"][0]
    assert (found["factor"], found["begins_at"]) == ("0.50", "2026-11-22T05:00:00Z")
    others = [one for one in daily_reports(SEASON, fold) if one.agent != AGENT]
    assert not any(one.adjustments or one.evaluations or one.tripped for one in others)


def test_days_add_up_to_the_season() -> None:
    """Profits, turns, fills and refused orders of all days are those of the season."""
    found = daily_reports(SEASON, DailyFold(market()))
    for n, name in enumerate(SEASON.names):
        own = [one for one in found if one.agent == name]
        assert np.isclose(
            sum(one.profit for one in own), SEASON.equity[-1, n] - SEASON.equity[0, n]
        )
        assert sum(one.fills for one in own) == len(SEASON.fills[n])
        assert sum(sum(one.refused.values()) for one in own) == len(SEASON.rejections[n])
        assert sum(one.decisions for one in own) == sum(t.decided for t in SEASON.decisions[n])
    whole = daily_document("run", SEASON, found)
    assert (whole["unit"], len(whole["days"])) == ("USD", 3 * len(SEASON.names))


def test_the_page_shows_the_newest_days_whole() -> None:
    """A long season is cut to whole days, and the note says so."""
    season = make_season(snapshots=60, interval_s=24 * 3600)
    reports = daily_reports(season, DailyFold(market(0)))
    facts = replace(make_facts("run", season, ReportOptions()), daily=reports)
    table = daily_table(facts)
    agents = len(season.names)
    assert len(table.rows) == ROWS_MAX // agents * agents
    assert {row.cells[1].text for row in table.rows} == set(
        sorted({one.day for one in reports})[-(ROWS_MAX // agents) :]
    )
    assert f"{len(table.rows)} of {len(reports)} lines" in daily_note(facts)
    assert "lines are shown" not in daily_note(replace(facts, daily=reports[:agents]))
