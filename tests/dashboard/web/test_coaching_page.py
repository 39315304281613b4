"""The page and REST of an agent's coach: whole, escaped, without texts if prompts are hidden."""

import asyncio
import json

from dashboard.model.coaching_results import prompt_marks
from dashboard.web.options import WebOptions
from tests.dashboard.coaching import CAREFUL, FIRST, coached, decided, proposed, said
from tests.dashboard.scenario import Scenario
from tests.dashboard.shadows import TRIAL, ShadowScenario, trial_ended, trial_started
from tests.dashboard.views import view_of
from tests.dashboard.web.serving import serving

AGENT = "momentum"
READ_S = 30
HOSTILE = "<script>alert(1)</script> \x1b[31mred \u202e"
SECRETS = ("what rises", "what falls", "20 % in cash", "Take profits", "at the low", "Be bold")


async def answers(scenario: Scenario, *, hide_prompts: bool = False) -> tuple[str, str]:
    """The agent's page, and its coaching by REST."""
    async with serving(scenario, WebOptions(hide_prompts=hide_prompts)) as served:
        assert await served.reader.ready(READ_S)
        page = await served.client.get(f"/agents/{AGENT}")
        found = await served.client.get(f"/api/v1/agents/{AGENT}/coaching")
        part = await served.client.get(f"/agents/{AGENT}?parts=coaching")
        assert [200] * 3 == [one.status_code for one in (page, found, part)]
        assert part.text.strip() in page.text
        return page.text, found.text


def scenario_of_coach() -> Scenario:
    """An arena in which a coach worked on one agent."""
    scenario = Scenario().run(2)
    coached(scenario, AGENT)
    return scenario


def test_page_shows_scores_versions_and_what_waits() -> None:
    """Everything that REST has, with a mark on the curve where the version came into force."""
    page, _ = asyncio.run(answers(scenario_of_coach()))

    for words in (
        *SECRETS[:-1],
        "61.37 · D",
        "improving, +6.10",
        "A proposal is pending.",
        "uncalibrated",
    ):
        assert words in page
    assert 1 == page.count('class="mark ')
    assert "risk low, style conservative" in page


def test_page_shows_trials_with_intervals_and_noise() -> None:
    """A running one with its shadow agents and their pages; what was too short says so."""
    scenario = ShadowScenario().run(2)
    coached(scenario, AGENT)
    none = dict.fromkeys(("quality", "noise_quality", "return_pct", "noise_return_pct"))
    short = "too early: 34 periods, at least 60 are needed"
    about = {"trial_id": "0" * 12, "market": "replay", "verdict": "undecided"}
    trial_ended(scenario, AGENT, reasons=(short,), **about, **none)
    trial_ended(scenario, trial_id="1" * 12, market="replay", reasons=(HOSTILE,))
    trial_started(scenario)
    scenario.begin_trial()
    page, found = asyncio.run(answers(scenario.run(5)))

    for words in (
        f"Trial {TRIAL} is running: 3 of 60 snapshots.",
        f'href="/agents/shadow-{TRIAL}-copy-1"',
        "+9.5 (+4.1 … +14.9)",
        "−0.7 (−4.0 … +2.6)",
        f"undecided: {short}",
    ):
        assert words in page
    assert not [one for one in ("<script>alert", "\x1b", "\u202e") if one in page]
    trials = json.loads(found)["trials"]
    assert [one["state"] for one in trials] == ["running", "ended", "ended"]
    assert trials[0]["played"] == 3
    assert trials[2]["quality"] is None


def test_hidden_prompts_hide_texts_diffs_and_words() -> None:
    """Scores, states, authors and reasons stay."""
    shown = asyncio.run(answers(scenario_of_coach(), hide_prompts=True))

    for text in shown:
        assert not [secret for secret in SECRETS if secret in text]
        assert "overall score below 50" in text
        assert "61.37" in text


def test_hostile_texts_are_escaped() -> None:
    """A text of a prompt, a reason and feedback cannot be markup."""
    scenario = scenario_of_coach()
    decided(scenario, AGENT, CAREFUL + "Keep at least 20 % in cash.\n", "reject")
    proposed(scenario, AGENT, CAREFUL + HOSTILE, CAREFUL, reason=HOSTILE)
    decided(scenario, AGENT, CAREFUL + HOSTILE)
    said(scenario, AGENT, HOSTILE)

    page, _ = asyncio.run(answers(scenario))

    assert "&lt;script&gt;alert(1)" in page
    assert not [one for one in ("<script>alert", "\x1b", "\u202e") if one in page]


def test_agents_without_a_coach_have_no_section() -> None:
    """The text of its file alone is no coaching; the part exists, so that it can appear later."""
    scenario = Scenario().run(2)
    proposed(scenario, AGENT, FIRST)

    page, _ = asyncio.run(answers(scenario))

    assert "Versions of the prompt" not in page
    assert 'id="coaching"' in page
    assert () == prompt_marks(view_of(scenario.records), AGENT)
