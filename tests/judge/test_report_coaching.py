"""The report's chapter on coaching: its figures are verified; a frozen contest has none."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena import topics
from arena.bus.base import Record
from arena.messages import (
    AgentEvaluation,
    AgentSpec,
    Dimension,
    Evidence,
    Message,
    PromptDecided,
    PromptProposed,
    Turn,
)
from arena.prompt_versions import version_of
from arena.wire import encode
from judge.evaluations.check_fold import CheckedTurn, TurnChecks, count_checks
from judge.evaluations.checks import CHECKS
from judge.evaluations.dimensions import quality_dimension
from judge.evaluations.evaluate import DEFAULT_OPTIONS, Asked, Earlier, evaluate
from judge.evaluations.text import document as evaluation_document
from judge.leaderboard_text import render_leaderboard
from judge.report import coaching_figures
from judge.report.coaching import CoachedAgent
from judge.report.coaching_figures import Measure
from judge.report.coaching_fold import COACHING_TOPICS, CoachingFold
from judge.report.document import document
from judge.report.facts import Facts, ReportOptions, read_facts
from judge.report.page import html, markdown
from judge.report.verify import verify_report
from judge.report.write import texts, write_report
from judge.season import SeasonBuilder
from judge.statistics.columns import FamilyOptions
from tests.dashboard.scenario import Scenario
from tests.judge.seasons import export_records

SNAPSHOTS = 150
CHANGED_AT = 70
"""Snapshots before the second version, which is in force for 80; the third for none."""
AGENT = "momentum"
AT = datetime(2026, 11, 21, tzinfo=UTC)
FILE = "Trade on momentum.\nBe brief.\n"
CAREFUL = FILE + "- At most 15 % of your equity in one product.\n"
HOSTILE = FILE + "</pre><script>alert(1)</script> `code` \u202e\n"
BEFORE = Evidence(overall=38.25, quality=41.5, return_pct=-3.2, turns=CHANGED_AT)


def sent(topic: str, message: Message, key: str = AGENT) -> Record:
    """A record of a message."""
    found = encode(message)
    return Record(topic, 0, 0, 0, key.encode(), found.value, dict(found.headers))


def proposed(text: str, author: str, at: datetime, parent: str = "") -> Record:
    """A proposal."""
    message = PromptProposed.model_validate(
        {
            "agent": AGENT,
            "version": version_of(text),
            "text": text,
            "parent": version_of(parent) if parent else "",
            "author": author,
            "by": "cli/desk",
            "reason": "overall score below 40" if author == "judge" else "too hasty",
            "evidence": BEFORE if author == "judge" else None,
            "as_of": None if author == "file" else at,
            "at": at,
        }
    )
    return sent(topics.PROMPTS.name, message)


def evaluation(number: int, at: datetime, snapshot_id: str) -> Record:
    """An evaluation of the agent."""
    score = 40.0 + number
    message = AgentEvaluation(
        evaluation_id=f"evaluation-{number}",
        agent=AGENT,
        snapshot_id=snapshot_id,
        as_of=at,
        cause="first" if not number else "cadence",
        window_s=600,
        turns=10,
        version=version_of(FILE),
        overall=score,
        grade="F",
        dimensions={"quality": Dimension(score=score, weight=0.25)},
        trend="improving" if number else "unknown",
        trend_change=6.5 if number else None,
    )
    return sent(topics.EVALUATIONS.name, message)


def coached(records: Sequence[Record]) -> Iterator[Record]:
    """The records of a season in which a version was changed once, and a third one waits."""
    seen, times, snapshot = 0, list[datetime](), ""
    for record in records:
        message = record.message_or_none()
        if isinstance(message, Turn):
            snapshot = message.snapshot_id
            if message.agent == AGENT:
                times.append(message.as_of)
                version = version_of(FILE if seen < CHANGED_AT else CAREFUL)
                seen += 1
                changed = message.model_copy(update={"version": version})
                yield sent(record.topic, changed)
                continue
        yield record
    begin, middle, end = times[0], times[CHANGED_AT], times[-1]
    yield proposed(FILE, "file", begin)
    yield evaluation(0, times[20], snapshot)
    yield evaluation(1, times[40], snapshot)
    yield evaluation(1, times[40], snapshot)  # A second judge's record of the same id.
    yield proposed(CAREFUL, "judge", middle, FILE)
    approved = PromptDecided(
        agent=AGENT,
        version=version_of(CAREFUL),
        action="approve",
        author="person",
        by="cli/owner",
        reason="tried it",
        evidence=Evidence(overall=71.0, turns=20),
        as_of=middle,
        at=middle,
    )
    yield sent(topics.PROMPTS.name, approved)
    yield proposed(HOSTILE, "person", end, CAREFUL)


def frozen(records: Sequence[Record]) -> list[Record]:
    """The records of a season with every agent's prompts frozen on the roster."""
    found = []
    for record in records:
        spec = record.message_or_none()
        if isinstance(spec, AgentSpec):
            changed = spec.model_copy(update={"prompts": "frozen"})
            record = sent(record.topic, changed, record.key_text)
        found.append(record)
    return found


@pytest.fixture(scope="module")
def season_records() -> list[Record]:
    """The records of the coached season."""
    return [*coached(Scenario().run(SNAPSHOTS).records)]


@pytest.fixture(scope="module")
def run(season_records: list[Record], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported run, with its report."""
    directory = tmp_path_factory.mktemp("coached") / "one"
    asyncio.run(export_records(directory, season_records))
    write_report(read_facts(directory, ReportOptions()), directory / "report")
    return directory


@pytest.fixture(scope="module")
def facts(run: Path) -> Facts:
    """The facts of the run."""
    return read_facts(run, ReportOptions())


@pytest.fixture(scope="module")
def agent(facts: Facts) -> CoachedAgent:
    """The only coached agent."""
    (found,) = facts.coached
    return found


def test_versions_have_author_approval_and_evidence(agent: CoachedAgent) -> None:
    """Who proposed and approved it, what changed, and the figures before and after."""
    first, careful, waiting = agent.versions

    assert (first.author, first.state, first.diff) == ("file", "replaced", ())
    assert (careful.author, careful.state) == ("judge", "in force")
    assert (careful.decided_by, careful.decided_for) == ("cli/owner", "tried it")
    assert careful.evidence == BEFORE
    assert careful.evidence_after == Evidence(overall=71.0, turns=20)
    assert "+- At most 15 % of your equity in one product." in careful.diff
    assert (waiting.state, waiting.figures) == ("pending", None)


def test_evaluations_are_counted_once(agent: CoachedAgent) -> None:
    """In the order of time, with score, grade, trend and cause."""
    first, second = agent.evaluations

    assert (first.overall, first.grade, first.trend, first.cause) == (40.0, "F", "unknown", "first")
    assert (second.trend, second.trend_change, second.cause) == ("improving", 6.5, "cadence")
    assert second.scores == {"quality": 41.0}


def test_returns_of_versions_join_to_the_whole_return(facts: Facts, agent: CoachedAgent) -> None:
    """Every period belongs to one version; the market is that of the same periods."""
    one, two = (version.figures for version in agent.versions[:2])
    assert one is not None
    assert two is not None
    index = facts.season.names.index(AGENT)
    own, market = facts.season.equity[:, index], facts.season.hold
    gains = [1 + (found.gain.value or 0.0) for found in (one, two)]
    markets = [1 + (found.market or 0.0) for found in (one, two)]

    assert (one.periods, two.periods) == (CHANGED_AT, SNAPSHOTS - CHANGED_AT)
    assert (one.turns, two.turns) == (CHANGED_AT, SNAPSHOTS - CHANGED_AT)
    assert one.orders + two.orders == sum(d.orders for d in facts.season.decisions[index])
    np.testing.assert_allclose(gains[0] * gains[1], own[-1] / own[0])
    np.testing.assert_allclose(markets[0], market[CHANGED_AT] / market[0])
    np.testing.assert_allclose(1 + (two.beyond.value or 0.0), gains[1] / markets[1])


def test_each_figure_has_an_interval_or_a_reason(agent: CoachedAgent) -> None:
    """An interval holds its figure."""
    for version in agent.versions[:2]:
        found = version.figures
        assert found is not None
        for measure in (found.decided, found.orders_per_turn, found.quality, found.gain):
            interval = measure.interval
            assert (interval is None) == bool(measure.reason)
            if interval is not None:
                assert interval.low < interval.estimate < interval.high
        assert found.gain.interval is not None
        assert found.beyond.interval is not None


def test_a_change_adds_the_errors_of_both_versions(agent: CoachedAgent) -> None:
    """The interval of a difference is wider than that of either."""
    found = agent.versions[1].figures
    assert found is not None
    change = found.beyond_change.interval
    assert change is not None
    assert found.beyond.interval is not None

    per_period = coaching_figures.BPS * np.log1p(found.beyond.interval.high) / found.periods
    own = per_period - coaching_figures.BPS * np.log1p(found.beyond.value or 0.0) / found.periods
    assert change.high - change.estimate > own > 0


def test_too_few_turns_have_no_interval() -> None:
    """Of 59 values only the mean is given, with the reason."""
    options = FamilyOptions()
    few = coaching_figures._mean([0.0, 1.0] * 29 + [1.0], options)

    assert few == Measure(30 / 59, count=59, reason="too few: 59, at least 60 are needed")
    assert coaching_figures._mean([0.0, 1.0] * 30, options).interval is not None
    assert coaching_figures._mean([1.0] * 80, options).reason == "always the same"


def test_the_chapter_is_on_the_page_and_verified(run: Path, facts: Facts) -> None:
    """Texts of people are escaped; a changed figure is found."""
    page, text = html(facts), markdown(facts)
    found = verify_report(run, run / "report")

    assert 'id="coaching"' in page
    assert "arena prompts trial" in page
    assert "&lt;/pre&gt;&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    assert "## Coaching" in text
    assert "\u202e" not in page + text
    assert () == found.differences

    path = run / "report" / "figures.json"
    figures = json.loads(path.read_text())
    old = path.read_bytes()
    figures["coaching"][0]["versions"][1]["figures"]["quality"]["value"] += 1
    path.write_text(json.dumps(figures))
    try:
        (difference,) = verify_report(run, run / "report").differences
    finally:
        path.write_bytes(old)
    assert "coaching[momentum] versions[1] figures quality value: the report says" in difference


def test_a_frozen_contest_is_silent_about_coaching(
    season_records: list[Record], tmp_path: Path
) -> None:
    """Whatever the judge evaluated, its report is what it was without the chapter."""
    fold, silent = CoachingFold(), CoachingFold()
    records = frozen(season_records)
    for coached_record, frozen_record in zip(season_records, records, strict=True):
        for one_fold, record in ((fold, coached_record), (silent, frozen_record)):
            if record.topic in COACHING_TOPICS:
                one_fold.apply(record)
    assert fold.agents() == [AGENT]
    assert silent.agents() == []

    asyncio.run(export_records(tmp_path / "evaluated", records))
    others = [record for record in records if record.topic not in COACHING_TOPICS[1:]]
    asyncio.run(export_records(tmp_path / "alone", others))
    one, two = (
        read_facts(tmp_path / name, ReportOptions(title="cup")) for name in ("evaluated", "alone")
    )
    assert one.coached == ()
    assert "coaching" not in document(one)
    for name, text in texts(one).items():
        assert (
            text.partition("up to these offsets")[0].replace(one.run, two.run)
            == texts(two)[name].partition("up to these offsets")[0]
        ), name


def test_the_leaderboard_says_that_a_return_mixes_versions(facts: Facts) -> None:
    """Text, page and message name the coached agent, and no other."""
    evaluation = facts.board.evaluation
    rows = {row.agent: row.versions for row in evaluation.rows}
    text, line = render_leaderboard(evaluation), "coached: 2 versions, see Coaching"

    assert {agent for agent, versions in rows.items() if versions} == {AGENT}
    assert rows[AGENT] == 2
    assert f"{AGENT}: {line}." in text
    assert line in html(facts)
    assert any("its return mixes versions" in warning for warning in evaluation.warnings)


def test_versions_are_counted_up_to_a_snapshot(season_records: list[Record]) -> None:
    """A judge that is late counts as one that saw only the first snapshots."""
    builder = SeasonBuilder()
    for record in season_records:
        builder.apply(record)

    assert builder.season(CHANGED_AT - 1).versions == {}
    assert builder.season(CHANGED_AT).versions == {AGENT: 2}
    assert builder.season().versions == {AGENT: 2}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("pf-", min_size=len(CHECKS), max_size=len(CHECKS)), min_size=1))
def test_quality_is_that_of_an_evaluation_of_the_same_turns(results: list[str]) -> None:
    """The mean of the values of all turns is the score by code."""
    rows = [CheckedTurn("t", "s", AT, "", one, {}) for one in results]
    score = quality_dimension(count_checks(rows), None).score
    values = coaching_figures.quality_values(results)

    assert bool(values) == (score is not None)
    if score is not None:
        assert abs(sum(values) / len(values) - score) < 0.006


def judged(records: list[Record], agent: str, last: int) -> AgentEvaluation:
    """The evaluation of an agent at a snapshot, as a judge makes it."""
    checks = TurnChecks()
    builder = SeasonBuilder(take_turn=checks.take)
    for record in records:
        builder.apply(record)
    asked = Asked("cadence")
    return evaluate(builder.folds, checks, agent, last, asked, Earlier(), DEFAULT_OPTIONS)


def test_scores_are_computed_again_and_agree_with_the_command(
    season_records: list[Record], tmp_path: Path
) -> None:
    """A record of another score is named; the chapter has what `arena judge evaluations` prints."""
    records = [one for one in season_records if one.topic not in COACHING_TOPICS[1:]]
    true = judged(records, AGENT, 100)
    changed = judged(records, "scalper", 100).model_copy(update={"overall": 99.0})
    records += [sent(topics.EVALUATIONS.name, one, one.agent) for one in (true, changed)]
    asyncio.run(export_records(tmp_path / "two", records))

    found = read_facts(tmp_path / "two", ReportOptions())
    one, other = found.coached
    (shown,), printed = one.evaluations, evaluation_document(true)

    assert (one.agent, other.agent) == (AGENT, "scalper")
    assert (shown.overall, shown.grade) == (printed["overall"], printed["grade"])
    assert shown.scores == printed["dimensions"]
    assert (shown.trend, shown.cause) == (printed["trend"], printed["cause"])
    assert found.evaluations is not None
    assert found.evaluations.compared == 2
    (difference,) = found.evaluations.differences
    assert difference.startswith("scalper at ")
    assert difference.endswith(": overall")
    assert "2 evaluations computed again from the records: 1 difference: scalper" in html(found)
