"""The terminal's lines and screen about an agent's coach."""

import pytest

from dashboard.model.frame import Frame, build_frame
from dashboard.terminal.screen import render
from dashboard.terminal.ui import KeyLimits, Ui, press
from tests.dashboard.coaching import CAREFUL, coached, decided, proposed
from tests.dashboard.scenario import Scenario
from tests.dashboard.views import view_of

AGENT = "momentum"
HOSTILE = "<b>\x1b[31mred\u202e"


def frame_of(scenario: Scenario) -> Frame:
    """The frame of an agent's screen."""
    return build_frame(view_of(scenario.records), scenario.wall, agent=AGENT)


@pytest.fixture
def scenario() -> Scenario:
    """An arena in which a coach worked on one agent."""
    found = Scenario().run(2)
    coached(found, AGENT)
    return found


def shown(frame: Frame, screen: str, width: int = 120, height: int = 40) -> str:
    """A screen as text."""
    ui = Ui(screen="coaching" if screen == "coaching" else "agent", agent=AGENT)
    lines = render(frame, ui, width, height).lines
    assert {width} == {line.cell_len for line in lines}
    assert height == len(lines)
    return "\n".join(line.plain for line in lines)


def test_agent_screen_has_the_score_and_the_version(scenario: Scenario) -> None:
    """Two lines: the newest evaluation, and the version in force with what waits."""
    text = shown(frame_of(scenario), "agent", 140)

    assert "score 61.37 D improving +6.10" in text
    assert "failed: churn 4/8, figures 3/12" in text
    assert "by judge is pending  pending feedback: 2" in text


def test_screens_fit_small_terminals(scenario: Scenario) -> None:
    """The turns of an agent stay visible."""
    assert "turns (" in shown(frame_of(scenario), "agent", 80, 24)
    assert "coaching" in shown(frame_of(scenario), "coaching", 80, 24)


def test_hostile_text_cannot_act_on_the_terminal(scenario: Scenario) -> None:
    """A diff and a reason are cleaned."""
    decided(scenario, AGENT, CAREFUL + "Keep at least 20 % in cash.\n", "reject")
    proposed(scenario, AGENT, CAREFUL + HOSTILE, CAREFUL, reason=HOSTILE)

    text = shown(frame_of(scenario), "coaching")

    assert "<b>" in text
    assert not [one for one in ("\x1b", "\u202e") if one in text]


def test_key_c_opens_coaching_and_esc_returns() -> None:
    """Only on the screen of an agent."""
    ui = Ui(screen="agent", agent=AGENT)
    opened = press(ui, "c", KeyLimits())

    assert opened is not None
    assert "coaching" == opened.screen
    assert ui == press(opened, "esc", KeyLimits())
    assert Ui() == press(Ui(), "c", KeyLimits())


def test_curve_has_a_mark_where_the_version_changed(scenario: Scenario) -> None:
    """One of one change, on the curve of its agent."""
    text = "\n".join(line.plain for line in render(frame_of(scenario), Ui(), 120, 40).lines)

    assert 1 == text.count("◇")
