"""The alert about a text of a prompt that waits for a person's approval."""

from dashboard.alerts.conditions import Situation, find_alerts, find_ended
from dashboard.alerts.drawdowns import DrawdownFold
from dashboard.alerts.drifts import DriftFold
from tests.dashboard.alerts.situations import limits
from tests.dashboard.coaching import PROPOSED, coached, decided
from tests.dashboard.scenario import Scenario
from tests.dashboard.shadows import TRIAL, ShadowScenario, trial_ended, trial_started
from tests.dashboard.views import view_of

AGENT = "momentum"
SUBJECT = f"proposal:{AGENT}"


def situation_of(scenario: Scenario) -> Situation:
    """What alerts are made from."""
    view = view_of(scenario.records)
    return Situation(view, DriftFold(), DrawdownFold(), scenario.wall, limits("proposal"))


def test_proposal_is_an_alert_until_somebody_decides() -> None:
    """It names the agent, the author, the reason, and what to do."""
    scenario = Scenario().run(2)
    coached(scenario, AGENT)
    waiting = situation_of(scenario)

    (alert,) = find_alerts(waiting)
    assert (SUBJECT, "proposal") == (alert.subject, alert.kind)
    for words in (AGENT, "by judge", "cash was below 5 % of equity", "arena prompts diff"):
        assert words in alert.text
    assert [] == find_ended(waiting, {SUBJECT: scenario.wall})

    decided(scenario, AGENT, PROPOSED)
    later = situation_of(scenario)
    assert [] == find_alerts(later)
    (ended,) = find_ended(later, {SUBJECT: scenario.wall})
    assert f"the proposal for the prompt of {AGENT} was decided about" == ended.text


def test_the_result_of_a_trial_is_said_once_more() -> None:
    """The alert is another one then; that the trial has begun is not one."""
    scenario = ShadowScenario().run(2)
    coached(scenario, AGENT)
    (first,) = find_alerts(situation_of(scenario))
    trial_started(scenario, AGENT)
    assert [first] == find_alerts(situation_of(scenario))

    trial_ended(scenario, AGENT)
    (alert,) = find_alerts(situation_of(scenario))
    assert alert.subject == first.subject
    assert alert.key != first.key
    assert f"trial {TRIAL}: promote: decision quality is clearly better" in alert.text
