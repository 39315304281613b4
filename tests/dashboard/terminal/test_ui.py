"""The effect of keys."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.terminal.ui import PANES, KeyLimits, ScreenName, Ui, press

LIMITS = KeyLimits(agents=("a", "b", "c"), turns=("t3", "t2", "t1"), scroll_max=25, page=10)
KEYS = ("?", "esc", "tab", "backtab", "up", "down", "left", "right", "enter", "p", "pageup",
        "pagedown", "home", "end", "x")  # fmt: skip


def after(ui: Ui, *keys: str) -> Ui:
    """The position after some keys."""
    for key in keys:
        pressed = press(ui, key, LIMITS)
        assert pressed is not None
        ui = pressed
    return ui


@pytest.mark.parametrize("screen", get_args(ScreenName))
def test_q_quits_everywhere(screen: ScreenName) -> None:
    """The same key quits from every screen."""
    assert press(Ui(screen=screen), "q", LIMITS) is None


def test_tab_cycles_through_the_panes() -> None:
    """Tab moves the focus forward, shift-tab back."""
    ui = Ui()
    seen = []
    for _ in PANES:
        seen.append(ui.pane)
        ui = after(ui, "tab")

    assert list(PANES) == seen
    assert Ui() == ui
    assert PANES[-1] == after(ui, "backtab").pane


def test_arrows_select_an_agent_and_stop_at_the_ends() -> None:
    """At first the leader is selected; the selection stays within the ranking."""
    assert "b" == after(Ui(), "down").agent
    assert "c" == after(Ui(), "down", "down", "down").agent
    assert "a" == after(Ui(), "up").agent


def test_arrows_scroll_a_pane_with_rows() -> None:
    """In the trades pane the arrows scroll and do not change the agent."""
    ui = after(Ui(pane="trades", agent="b"), "down", "down", "up")

    assert (1, "b") == (ui.scroll, ui.agent)


def test_enter_opens_turns_then_p_the_prompt_and_esc_goes_back() -> None:
    """Two keys show the exact prompt, and escape goes back step by step."""
    turns = after(Ui(), "down", "enter")
    prompt = after(turns, "p")

    assert ("agent", "b", "") == (turns.screen, turns.agent, turns.turn_id)
    assert ("prompt", "t3") == (prompt.screen, prompt.turn_id)
    assert ["agent", "main"] == [after(prompt, "esc").screen, after(prompt, "esc", "esc").screen]


def test_newest_turn_is_followed_until_another_is_selected() -> None:
    """Down selects an older turn; up again follows the newest."""
    older = after(Ui(screen="agent", agent="a"), "down")

    assert "t2" == older.turn_id
    assert "" == after(older, "up").turn_id


def test_left_and_right_change_the_agent() -> None:
    """On the agent screen they select the neighbours in the ranking."""
    assert "b" == after(Ui(screen="agent", agent="a"), "right").agent
    assert "a" == after(Ui(screen="agent", agent="a"), "left").agent


def test_help_returns_to_the_last_screen() -> None:
    """Help can be opened from any screen."""
    turns = Ui(screen="agent", agent="a")

    assert "help" == after(turns, "?").screen
    assert "agent" == after(turns, "?", "?").screen
    assert "agent" == after(turns, "?", "esc").screen


@given(st.lists(st.sampled_from(KEYS), max_size=60))
def test_keys_stay_within_limits(keys: list[str]) -> None:
    """After any keys the selection exists and the scroll is within its limits."""
    ui = after(Ui(), *keys)

    assert 0 <= ui.scroll <= LIMITS.scroll_max
    assert ui.agent in ("", *LIMITS.agents)
    assert ui.turn_id in ("", *LIMITS.turns)
    assert ui.pane in PANES


def test_enter_has_no_effect_without_agents() -> None:
    """An empty arena has no agent to open."""
    assert Ui() == press(Ui(), "enter", KeyLimits())
