"""Small terminals: a compact screen down to 40 x 12, less below that."""

from datetime import timedelta

import pytest

from dashboard.model.rows import ReadStatus
from dashboard.terminal import compact, screen
from dashboard.terminal.screen import render
from dashboard.terminal.ui import PANES, Ui
from tests.dashboard.scenario import Scenario
from tests.dashboard.terminal.test_screen import SCENARIOS, frame_of, known_frame, words_of

SMALL = [(79, 24), (80, 23), (60, 20), (200, 15), (40, 50), (40, 12)]
TINY = [(39, 12), (40, 11), (20, 4), (7, 1), (1, 1)]
PANE_WORDS = {
    "ranking": "─ trades",
    "trades": "─▸trades",
    "equity": "─▸equity",
    "positions": "─▸positions",
    "thinking": "─▸thinking",
}


@pytest.mark.parametrize("size", [*SMALL, *TINY])
@pytest.mark.parametrize("name", SCENARIOS)
def test_small_terminal_has_a_screen_of_its_size(name: str, size: tuple[int, int]) -> None:
    """No line wraps, whatever the topics hold."""
    for pane in PANES:
        drawn = render(known_frame(name), Ui(pane=pane, scroll=2), *size)

        assert size[1] == len(drawn.lines)
        assert {size[0]} == {line.cell_len for line in drawn.lines}
        assert "too small" not in words_of(drawn)


@pytest.mark.parametrize("pane", PANES)
def test_tab_changes_the_pane_below_the_ranking(pane: str) -> None:
    """Every pane can be shown on a small screen; the leader and the keys stay visible."""
    shown = words_of(render(known_frame("demo"), Ui(pane=pane), 40, 12))

    assert PANE_WORDS[pane] in shown
    assert "›1 " in shown
    assert "q quit" in shown
    assert "simulated" in shown


def test_smallest_terminal_shows_the_leader() -> None:
    """Its lines show the leader and the feed."""
    leader = known_frame("demo").ranking[0].agent

    for height in (1, 3):
        shown = words_of(render(known_frame("demo"), Ui(), 39, height))

        assert shown.startswith(f"#1 {leader} ")
        assert "feed " in shown


@pytest.mark.parametrize("size", [(40, 12), (80, 24)])
def test_curve_has_its_whole_name_on_a_small_screen(size: tuple[int, int]) -> None:
    """A name is not cut while there is room for it beside the curves."""
    shown = words_of(render(known_frame("demo"), Ui(pane="equity"), *size))

    assert "2 buy-and-hold" in shown.partition("▸equity")[2]


@pytest.mark.parametrize("size", [(40, 10), (39, 12), (30, 4), (120, 8)])
def test_terminal_smaller_than_the_compact_screen_is_filled_with_the_ranking(
    size: tuple[int, int],
) -> None:
    """Rows that fit are shown; the feed and the key are on the last line."""
    frame = known_frame("demo")
    lines = [line.plain for line in render(frame, Ui(), *size).lines]
    shown = min(size[1] - 2, len(frame.ranking))

    assert all(f"{n + 1} " in lines[n + 1] for n in range(shown))
    assert lines[-1].startswith("feed ")
    assert "q quits" in lines[-1]


def test_full_screen_is_drawn_from_80_by_24() -> None:
    """One column less gives the compact screen."""
    size = (screen.WIDTH_MIN, screen.HEIGHT_MIN)

    assert "┌▸ranking" in words_of(render(known_frame("demo"), Ui(), *size))
    assert "┌" not in words_of(render(known_frame("demo"), Ui(), size[0] - 1, size[1]))
    assert compact.fits(compact.WIDTH_MIN, compact.HEIGHT_MIN)


@pytest.mark.parametrize(("width", "name"), [(80, "gpt-5-momentum"), (40, "gpt-5-momentum")])
def test_names_are_whole_if_there_is_room(width: int, name: str) -> None:
    """An optional column is dropped before a name is cut."""
    frame = frame_of(Scenario(agents=((name, "momentum", "agent"),)).run(8))

    lines = render(frame, Ui(pane="thinking"), width, 24).lines

    assert any(f"›1 {name} " in line.plain for line in lines)


def test_more_than_eight_agents_have_different_lines() -> None:
    """Colours repeat after eight; the ninth agent's curve is dashed, and its name is marked."""
    agents = tuple((f"a{n:02d}", "momentum", "agent") for n in range(10))
    shown = words_of(render(frame_of(Scenario(agents=agents).run(12)), Ui(), 120, 50))

    assert 4 == shown.count("╌"), "two in the ranking, two beside their curves"


@pytest.mark.parametrize(("size", "words"), [((80, 24), "equity % "), ((120, 40), " UTC ")])
def test_axes_are_labelled(size: tuple[int, int], words: str) -> None:
    """The title names the unit; the time is below the curves, or in the title on few lines."""
    shown = words_of(render(known_frame("demo"), Ui(), *size))

    assert "equity % " in shown
    assert words in shown
    assert " UTC" in shown


@pytest.mark.parametrize("size", [(120, 40), (60, 20), (30, 4)])
def test_ended_run_shows_when_it_ended(size: tuple[int, int]) -> None:
    """Its feed and its processes are not shown as silent."""
    scenario = Scenario().run(2)
    scenario.beat("router", "momentum")
    scenario.wall += timedelta(seconds=60)

    shown = words_of(
        render(frame_of(scenario), Ui(), *size, read_status=ReadStatus(ended="ended 22:39"))
    )

    assert "ended 22:39" in shown
    assert "silent" not in shown.lower()
