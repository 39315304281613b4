"""The screens: exact sizes, labels, and a reason in every empty pane."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal
from functools import cache
from typing import get_args

import pytest
from rich.text import Text

from arena import topics
from arena.messages import AgentSpec, Usage
from dashboard.model.frame import Frame, build_frame
from dashboard.model.rows import ReadStatus
from dashboard.terminal.screen import Screen, render
from dashboard.terminal.terminal import line_codes, line_console
from dashboard.terminal.ui import PANES, ScreenName, Ui
from tests.dashboard.scenario import Scenario
from tests.dashboard.views import view_of

SIZES = [(80, 24), (81, 25), (100, 30), (120, 40), (200, 60), (301, 99), (40, 12)]
CROWD = tuple((f"a-very-long-agent-name-{n:02d}", "momentum", "agent") for n in range(30))


def frame_of(scenario: Scenario, agent: str = "") -> Frame:
    """The frame at the end of a scenario, in the zone UTC+1."""
    zone = timezone(timedelta(hours=1))
    return build_frame(
        view_of(scenario.records), scenario.wall.astimezone(zone), agent=agent, points=200
    )


def strange() -> Scenario:
    """An arena with wide, hostile and huge values in every untrusted field."""
    scenario = Scenario(agents=(("\x1b[2Jevil\nname\u202e" + "x" * 200, "s", "agent"),)).run(3)
    scenario.join("日本語のエージェント", "戦略" * 40, "baseline")
    scenario.run(1)
    agent = scenario.agents[0][0]
    scenario.order(agent, "buy", "SOL-USD", Decimal("123456789.12345678"))
    started = scenario.begin_turn(agent)
    words = "🚀" * 300 + "\x1b]0;owned\x07" + "宽" * 500 + "\n" * 50
    scenario.end_turn(started, None, words, error="\x9b31m" + "e" * 3_000, outcome="failed")
    scenario.beat("router\x1b[1m", "n" * 300)
    return scenario


SCENARIOS: dict[str, Callable[[], Scenario]] = {
    "empty": lambda: Scenario(agents=()),
    "opened": Scenario,
    "demo": lambda: Scenario().run(40),
    "crowd": lambda: Scenario(agents=CROWD, scripted=False).run(6),
    "strange": strange,
}


@cache
def scenario_of(name: str) -> Scenario:
    """A scenario, which runs when a test first needs it: all workers import this module."""
    return SCENARIOS[name]()


@cache
def known_frame(name: str) -> Frame:
    """The frame of a scenario."""
    scenario = scenario_of(name)
    return frame_of(scenario, scenario.agents[0][0] if scenario.agents else "")


def words_of(screen: Screen) -> str:
    """The text of a screen, without styles."""
    return "\n".join(line.plain for line in screen.lines)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("screen", get_args(ScreenName))
def test_every_line_has_the_width_of_the_terminal(
    name: str, size: tuple[int, int], screen: ScreenName
) -> None:
    """No line wraps or is missing, whatever the topics hold."""
    width, height = size
    agents = scenario_of(name).agents
    for pane in PANES:
        ui = Ui(screen=screen, pane=pane, agent=agents[0][0] if agents else "", scroll=3)
        drawn = render(known_frame(name), ui, width, height)

        assert height == len(drawn.lines)
        assert {width} == {line.cell_len for line in drawn.lines}
        assert all(line.plain.isprintable() for line in drawn.lines)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("empty", "no agent yet"),
        ("empty", "no market yet"),
        ("empty", "no price yet"),
        ("empty", "a curve needs an account and two snapshots"),
        ("empty", "no position: no account is open yet"),
        ("opened", "no position: all 6 agents hold only cash"),
        ("opened", "no trade yet: agents completed 0 turns on 0 snapshots"),
        ("opened", "no turn yet: 6 agents have no snapshot yet"),
    ],
)
def test_empty_pane_shows_the_reason(name: str, words: str) -> None:
    """The reason is in place of its rows."""
    assert words in words_of(render(known_frame(name), Ui(), 120, 40))


def test_simulated_prices_and_scripted_models_are_labelled() -> None:
    """The labels are on the screen that shows their figures."""
    for size in ((80, 24), (200, 60)):
        shown = words_of(render(known_frame("demo"), Ui(), *size))

        assert "simulated, 60x" in shown
        assert "models: scripted rules, not LLMs" in shown
        assert "b baseline" in shown


def test_scripted_agents_are_marked_beside_real_models() -> None:
    """In a mixed arena every scripted agent has a mark, which is explained."""
    scenario = Scenario().run(2)
    started = scenario.begin_turn("momentum")
    scenario.end_turn(started, None, "real", scripted=False, model="gpt-5-mini")

    shown = words_of(render(frame_of(scenario), Ui(), 80, 24))

    assert "s scripted rules, not an LLM" in shown
    assert re.search(r"\d cash +bs ", shown)
    assert re.search(r"\d momentum +1?\d", shown)


def test_header_shows_time_market_feed_and_broker() -> None:
    """One line shows the state of the arena, and local time with its offset."""
    frame = known_frame("demo")
    header = render(frame, Ui(), 120, 40, title="arena demo").lines[0].plain

    for words in (
        "arena demo",
        f"{frame.now:%H:%M:%S} +01",
        "snapshot 40",
        "feed 0.1 s",
        "broker ok",
        "UTC",
    ):
        assert words in header


@pytest.mark.parametrize(
    ("read_status", "words"),
    [
        (ReadStatus(silent_s=12.0), "broker SILENT 12 s"),
        (ReadStatus(read_share=0.43), "reading 43%"),
        (ReadStatus(unread=12_345), "12k behind"),
    ],
)
def test_problems_with_the_broker_are_always_in_the_header(
    read_status: ReadStatus, words: str
) -> None:
    """The most important items are kept if the line is too short."""
    header = (
        render(known_frame("demo"), Ui(), 80, 24, title="a" * 60, read_status=read_status)
        .lines[0]
        .plain
    )

    assert words in header
    assert "feed" in header


def test_silent_feed_is_an_alarm() -> None:
    """After fifteen seconds it is shown in capitals."""
    scenario = Scenario().run(2)
    scenario.wall += timedelta(seconds=90)

    assert "feed SILENT 1m30" in words_of(render(frame_of(scenario), Ui(), 80, 24))


def test_broken_log_and_silent_processes_are_on_the_main_screen() -> None:
    """They are in the borders of the panes."""
    scenario = Scenario().run(2)
    scenario.beat("router", "momentum")
    scenario.wall += timedelta(seconds=60)
    scenario.dead_letter()
    scenario.records.append(scenario.records[1])

    shown = words_of(render(frame_of(scenario), Ui(), 100, 30))

    assert "ACCOUNT LOG BROKEN" in shown
    assert "4 silent" in shown
    assert "1 dead letter " in shown


def test_changes_have_signs_and_figures_are_aligned_at_the_right() -> None:
    """In the ranking every column of figures ends in the same cell."""
    lines = [line.plain for line in render(known_frame("demo"), Ui(), 80, 24).lines[3:9]]
    for line in lines:
        assert re.search(
            r" \d{2,3},\d{3}\.\d\d +([+-]\d+\.\d\d|0\.00)% +([+-][\d,.]+|0\.00) ", line
        )

    assert 1 == len({line.rindex("%", 0, 46) for line in lines})


def test_unknown_cost_is_not_shown_as_zero() -> None:
    """If no price is known, the footer shows that."""
    shown = words_of(render(known_frame("crowd"), Ui(), 80, 24))

    assert "$ unknown" in shown
    assert "$0.0000" not in shown


def test_agent_screen_shows_rounds_calls_results_and_tokens() -> None:
    """It has each round, its calls as written, and their results."""
    scenario = Scenario().run(5)
    started = scenario.begin_turn("momentum")
    order = scenario.order("momentum", "buy", "SOL-USD", Decimal(10))
    turn = scenario.end_turn(started, order, "done, ten more")
    frame = frame_of(scenario, "momentum")

    shown = words_of(render(frame, Ui(screen="agent", agent="momentum"), 120, 40))

    for words in (
        "momentum",
        "strategy momentum",
        turn.prompt_sha256[:16],
        "round 1",
        "1,800 + 240 tokens",
        'execute_trade {"product_id": "SOL-USD", "quantity": "10", "action": "buy"}',
        "→ ok: filled 10 SOL-USD at",
        "round 2",
        '"done, ten more"',
        "completed after",
    ):
        assert words in shown


def test_prompt_screen_shows_every_line_of_the_prompt() -> None:
    """Scrolling from start to end shows the whole prompt."""
    scenario = Scenario().run(2)
    frame = frame_of(scenario, "momentum")
    seen: set[str] = set()
    scroll = 0
    while True:
        drawn = render(frame, Ui(screen="prompt", agent="momentum", scroll=scroll), 80, 24)
        seen |= {line.plain[2:-2].rstrip() for line in drawn.lines}
        if scroll >= drawn.limits.scroll_max:
            break
        scroll += drawn.limits.page
    user = next(m.content for m in frame.turns[-1].messages if m.role == "user")

    assert set() == {line for line in user.split("\n") if line not in seen}


def test_failed_turn_shows_its_error() -> None:
    """An outcome other than completed is shown with the error."""
    scenario = Scenario().run(1)
    started = scenario.begin_turn("scalper")
    scenario.end_turn(started, None, "", outcome="expired", error="no answer within 30 s")

    main = words_of(render(frame_of(scenario), Ui(), 120, 40))
    agent = words_of(
        render(frame_of(scenario, "scalper"), Ui(screen="agent", agent="scalper"), 120, 40)
    )

    assert "expired: no answer within 30 s" in main
    assert "no answer within 30 s" in agent


def test_help_explains_columns_and_lists_processes() -> None:
    """The help screen has the rules, every process, terms and keys."""
    shown = words_of(render(known_frame("demo"), Ui(screen="help"), 120, 60))

    for words in ("fee 60 bps, slippage 2 bps", "connector", "running", "lat. cost", "quit"):
        assert words in shown


def test_help_says_who_stopped_a_process() -> None:
    """A process that a command stopped has a line of its own, and is not silent."""
    frame = known_frame("demo")
    first, *others = frame.processes
    why = "stopped by cli/alpha: new key"
    row = replace(first, state="stopped", stopped_by=why)

    shown = words_of(render(replace(frame, processes=(row, *others)), Ui(screen="help"), 120, 60))

    assert re.search(rf"{re.escape(row.name)} +{re.escape(why)}", shown)
    assert "SILENT" not in shown


def test_selected_agent_is_visible_among_many() -> None:
    """With more agents than lines the ranking scrolls to the selected one."""
    frame = known_frame("crowd")
    last = frame.ranking[-1].agent
    lines = render(frame, Ui(agent=last), 200, 60).lines

    assert any(line.plain.startswith("│ ›30 ") and last in line.plain for line in lines)


def test_scrolling_trades_stops_at_the_last_one() -> None:
    """The limit of scrolling is the number of rows that do not fit."""
    frame = known_frame("demo")
    drawn = render(frame, Ui(pane="trades"), 80, 24)

    assert frame.trades_available - 4 == drawn.limits.scroll_max


@pytest.mark.parametrize(("value", "colours"), [("1", False), ("", True)])
def test_no_color_is_honoured(value: str, colours: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR set no colour code is written; the text is the same."""
    monkeypatch.setenv("NO_COLOR", value)
    monkeypatch.setenv("TERM", "xterm-256color")
    console = line_console(80)
    codes = "".join(
        line_codes(console, line) for line in render(known_frame("demo"), Ui(), 80, 24).lines
    )

    assert colours == bool(re.search(r"\x1b\[[0-9;]*(3[0-9]|9[0-7])", codes))
    assert "simulated" in codes


def test_agent_without_an_account_shows_dashes() -> None:
    """It has no equity, and is ranked last."""
    scenario = Scenario().run(1)
    spec = AgentSpec(agent="aaa", strategy="s", node="n", joined_at=scenario.wall)
    scenario.write(topics.ROSTER.name, spec, "agent/aaa")

    row = frame_of(scenario).ranking[-1]

    assert ("aaa", None, None) == (row.agent, row.equity, row.gain)
    assert re.search(r" 7 aaa +- +- +- ", words_of(render(frame_of(scenario), Ui(), 80, 30)))
    assert "6 of 7" in words_of(render(frame_of(scenario), Ui(), 80, 24))


def test_tokens_are_summed_over_model_calls() -> None:
    """The ranking shows the sum over `llm.calls`."""
    scenario = Scenario().run(3)
    started = scenario.begin_turn("cash")
    scenario.llm_call(started, usage=Usage(prompt_tokens=1_000_000))

    row = frame_of(scenario).row("cash")

    assert row is not None
    assert 3 * 2_040 + 1_000_000 == row.tokens


def test_screen_holds_only_text() -> None:
    """So a screen can be compared, and drawn in another thread."""
    assert all(type(line) is Text for line in render(known_frame("demo"), Ui(), 80, 24).lines)
