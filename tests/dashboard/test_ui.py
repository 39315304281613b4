"""What the keys do."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.ui import PANES, KeyLimits, ScreenName, Ui, press

LIMITS = KeyLimits(agents=("a", "b", "c"), turns=("t3", "t2", "t1"), scroll_max=25, page=10)
KEYS = ("?", "esc", "tab", "backtab", "up", "down", "left", "right", "enter", "p", "pageup",
        "pagedown", "home", "end", "x")  # fmt: skip


def after(ui: Ui, *keys: str) -> Ui:
    """The state after some keys."""
    for key in keys:
        pressed = press(ui, key, LIMITS)
        assert pressed is not None
        ui = pressed
    return ui


@pytest.mark.parametrize("screen", get_args(ScreenName))
def test_q_quits_everywhere(screen: ScreenName) -> None:
    """One key leaves from every screen."""
    assert press(Ui(screen=screen), "q", LIMITS) is None


def test_tab_goes_round_the_panes() -> None:
    """Tab moves the focus forward, shift-tab back, and both go round."""
    ui = Ui()
    seen = []
    for _ in PANES:
        seen.append(ui.pane)
        ui = after(ui, "tab")

    assert list(PANES) == seen
    assert Ui() == ui
    assert PANES[-1] == after(ui, "backtab").pane


def test_arrows_choose_an_agent_and_stop_at_the_ends() -> None:
    """Nobody is chosen at first, which is the leader; the choice stays within the ranking."""
    assert "b" == after(Ui(), "down").agent
    assert "c" == after(Ui(), "down", "down", "down").agent
    assert "a" == after(Ui(), "up").agent


def test_arrows_scroll_where_the_pane_is_a_log() -> None:
    """In the trades pane the arrows move the log and leave the agent alone."""
    ui = after(Ui(pane="trades", agent="b"), "down", "down", "up")

    assert (1, "b") == (ui.scroll, ui.agent)


def test_enter_opens_turns_then_p_the_prompt_and_esc_goes_back() -> None:
    """The exact text an agent saw is two keys away, and escape returns step by step."""
    turns = after(Ui(), "down", "enter")
    prompt = after(turns, "p")

    assert ("agent", "b", "") == (turns.screen, turns.agent, turns.turn_id)
    assert ("prompt", "t3") == (prompt.screen, prompt.turn_id)
    assert ["agent", "main"] == [after(prompt, "esc").screen, after(prompt, "esc", "esc").screen]


def test_the_newest_turn_is_followed_until_another_is_chosen() -> None:
    """Going down picks an older turn; going back up follows the newest again."""
    older = after(Ui(screen="agent", agent="a"), "down")

    assert "t2" == older.turn_id
    assert "" == after(older, "up").turn_id


def test_left_and_right_change_the_agent() -> None:
    """On the turns of one agent the neighbours in the ranking are one key away."""
    assert "b" == after(Ui(screen="agent", agent="a"), "right").agent
    assert "a" == after(Ui(screen="agent", agent="a"), "left").agent


def test_help_returns_to_where_it_was_asked() -> None:
    """Help opens above any screen and closes onto it."""
    turns = Ui(screen="agent", agent="a")

    assert "help" == after(turns, "?").screen
    assert "agent" == after(turns, "?", "?").screen
    assert "agent" == after(turns, "?", "esc").screen


@given(st.lists(st.sampled_from(KEYS), max_size=60))
def test_no_keys_lead_out_of_bounds(keys: list[str]) -> None:
    """Whatever is pressed, what is chosen exists and the scroll is within its limits."""
    ui = after(Ui(), *keys)

    assert 0 <= ui.scroll <= LIMITS.scroll_max
    assert ui.agent in ("", *LIMITS.agents)
    assert ui.turn_id in ("", *LIMITS.turns)
    assert ui.pane in PANES


def test_an_empty_arena_has_nothing_to_open() -> None:
    """Enter does nothing where there is no agent."""
    assert Ui() == press(Ui(), "enter", KeyLimits())
