"""Trials in the report's chapter on coaching, and what shadow agents cost."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arena import topics
from arena.bus.base import Record
from arena.messages import TrialEnded, TrialInterval, TrialStarted
from arena.prompt_versions import version_of
from judge.leaderboard_text import render_leaderboard
from judge.report.facts import Facts, ReportOptions, read_facts
from judge.report.page import html, markdown
from judge.report.verify import verify_report
from judge.report.write import write_report
from tests.dashboard.shadows import TRIAL, ShadowScenario, names_of
from tests.judge.seasons import export_records
from tests.judge.test_report_coaching import AGENT, CAREFUL, CHANGED_AT, FILE, coached, sent

SHADOWED = 20
"""Snapshots on which shadow agents play."""
AT = datetime(2026, 11, 21, tzinfo=UTC)


def trials(at: datetime) -> Iterator[Record]:
    """A trial in a contest that was too short, one by shadow agents, and one that still runs."""
    about = {
        "agent": AGENT,
        "champion": version_of(FILE),
        "challenger": version_of(CAREFUL),
        "by": "cli/desk",
        "as_of": at,
        "at": at,
    }
    short = {"trial_id": "a" * 12, "market": "replay", "verdict": "undecided", "periods": 34}
    short |= {"reasons": ("too early: 34 periods, at least 60 are needed",), "repeats": 3}
    yield sent(topics.PROMPTS.name, TrialEnded.model_validate(about | short))
    live = {"trial_id": TRIAL, "arms": names_of(TRIAL), "snapshots": 60}
    yield sent(topics.PROMPTS.name, TrialStarted.model_validate(about | live))
    found = {
        "trial_id": TRIAL,
        "market": "live",
        "verdict": "promote",
        "reasons": ("<b>clearly better</b>",),
        "periods": 60,
        "repeats": 1,
        "quality": TrialInterval(estimate=9.5, low=4.1, high=14.9),
        "noise_quality": TrialInterval(estimate=-0.7, low=-4, high=2.6),
        "return_pct": TrialInterval(estimate=0.21, low=-0.4, high=0.82),
        "noise_return_pct": TrialInterval(estimate=0.02, low=-0.5, high=0.54),
        "detectable_pct": 1.4,
    }
    yield sent(topics.PROMPTS.name, TrialEnded.model_validate(about | found))
    other = live | {"trial_id": "b" * 12, "arms": names_of("b" * 12, 2)}
    yield sent(topics.PROMPTS.name, TrialStarted.model_validate(about | other))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported run of a coached season with trials, with its report."""
    scenario = ShadowScenario().run(CHANGED_AT)
    scenario.begin_trial()
    records = [*coached(scenario.run(SHADOWED).records), *trials(AT)]
    directory = tmp_path_factory.mktemp("tried") / "one"
    asyncio.run(export_records(directory, records))
    write_report(read_facts(directory, ReportOptions()), directory / "report")
    return directory


@pytest.fixture(scope="module")
def facts(run: Path) -> Facts:
    """The facts of the run."""
    return read_facts(run, ReportOptions())


def test_trials_are_in_the_chapter_as_they_are_recorded(run: Path, facts: Facts) -> None:
    """With their noise, and what was too short as it is; a changed figure is found."""
    short, live, open_one = facts.coached[0].trials
    assert (short.state, short.quality, short.periods) == ("undecided", None, 34)
    assert (live.state, live.snapshots, live.repeats) == ("promote", 60, 1)
    assert (open_one.state, open_one.periods, open_one.repeats) == ("running", None, 2)

    page, text = html(facts), markdown(facts)
    for words in (
        "Each trial computed its own figures",
        "+9.5 (+4.1 … +14.9)",
        "noise −0.7 (−4.0 … +2.6)",
        "too early: 34 periods, at least 60 are needed",
    ):
        assert words in page
        assert words in text
    assert "<b>clearly" not in page

    assert () == verify_report(run, run / "report").differences
    path = run / "report" / "figures.json"
    old = path.read_bytes()
    figures = json.loads(old)
    figures["coaching"][0]["trials"][1]["quality"]["low"] += 1
    path.write_text(json.dumps(figures))
    try:
        (difference,) = verify_report(run, run / "report").differences
    finally:
        path.write_bytes(old)
    assert "coaching[momentum] trials[1] quality low: the report says" in difference


def test_what_shadow_agents_cost_is_a_line_of_the_report(run: Path, facts: Facts) -> None:
    """It is in no entry, and the leaderboard does not name them."""
    calls = 3 * SHADOWED
    figures = json.loads((run / "report" / "figures.json").read_bytes())

    assert f"Shadow agents of trials: {calls} model calls, $0.12; they are not ranked." in html(
        facts
    )
    assert figures["shadow_agents"]["calls"] == calls
    assert all("shadow-" not in one["name"] for one in figures["entries"])
    assert "shadow-" not in render_leaderboard(facts.board.evaluation)
