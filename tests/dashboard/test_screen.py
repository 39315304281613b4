"""The screens: exact sizes, honest labels, and a reason in every empty pane."""

import re
from datetime import timedelta, timezone
from decimal import Decimal
from typing import get_args

import pytest
from rich.text import Text

from arena import topics
from arena.messages import AgentSpec, Usage
from dashboard.frame import Frame, build_frame
from dashboard.rows import ReadStatus
from dashboard.screen import Screen, render
from dashboard.terminal import line_codes, line_console
from dashboard.ui import PANES, ScreenName, Ui
from dashboard.view import ArenaView
from tests.dashboard.scenario import Scenario

SIZES = [(80, 24), (81, 25), (100, 30), (120, 40), (200, 60), (301, 99), (40, 12)]
CROWD = tuple((f"a-very-long-agent-name-{n:02d}", "momentum", "agent") for n in range(30))


def frame_of(scenario: Scenario, agent: str = "") -> Frame:
    """What a reader of the whole scenario sees at its end, an hour east of Greenwich."""
    view = ArenaView()
    for record in scenario.records:
        view.apply(record)
    zone = timezone(timedelta(hours=1))
    return build_frame(view, scenario.wall.astimezone(zone), agent=agent, points=200)


def strange() -> Scenario:
    """An arena with wide, hostile and huge values in every field that others write."""
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


SCENARIOS = {
    "empty": Scenario(agents=()),
    "opened": Scenario(),
    "demo": Scenario().run(40),
    "crowd": Scenario(agents=CROWD, scripted=False).run(6),
    "strange": strange(),
}
FRAMES = {name: frame_of(one, one.agents[0][0] if one.agents else "") for name, one in
          SCENARIOS.items()}  # fmt: skip


def words_of(screen: Screen) -> str:
    """The text of a screen, without styles."""
    return "\n".join(line.plain for line in screen.lines)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("screen", get_args(ScreenName))
def test_every_line_has_the_width_of_the_terminal(
    name: str, size: tuple[int, int], screen: ScreenName
) -> None:
    """Nothing wraps, nothing is missing, whatever stands in the topics."""
    width, height = size
    agents = SCENARIOS[name].agents
    for pane in PANES:
        ui = Ui(screen=screen, pane=pane, agent=agents[0][0] if agents else "", scroll=3)
        drawn = render(FRAMES[name], ui, width, height)

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
        ("opened", "no trade yet: agents ended 0 turns on 0 snapshots"),
        ("opened", "no turn yet: 6 agents have seen no snapshot"),
    ],
)
def test_an_empty_pane_says_why(name: str, words: str) -> None:
    """A pane that has nothing to say gives the reason."""
    assert words in words_of(render(FRAMES[name], Ui(), 120, 40))


def test_what_is_not_real_is_labelled() -> None:
    """Simulated prices and scripted models are named on the screen that shows their figures."""
    for size in ((80, 24), (200, 60)):
        shown = words_of(render(FRAMES["demo"], Ui(), *size))

        assert "simulated, 60x" in shown
        assert "models: scripted rules, not LLMs" in shown
        assert "b baseline" in shown


def test_real_models_beside_scripted_ones_are_told_apart() -> None:
    """In a mixed arena every scripted agent carries a mark, and the mark is explained."""
    scenario = Scenario().run(2)
    started = scenario.begin_turn("momentum")
    scenario.end_turn(started, None, "real", scripted=False, model="gpt-5-mini")

    shown = words_of(render(frame_of(scenario), Ui(), 80, 24))

    assert "s scripted rules, not an LLM" in shown
    assert re.search(r"\d cash +bs ", shown)
    assert re.search(r"\d momentum +1?\d", shown)


def test_the_header_tells_time_market_feed_and_broker() -> None:
    """One line says where the arena stands, local time with its offset once."""
    frame = FRAMES["demo"]
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
        (ReadStatus(behind=12_345), "12k behind"),
    ],
)
def test_trouble_with_the_broker_is_always_in_the_header(
    read_status: ReadStatus, words: str
) -> None:
    """What matters is kept when the line is too short for all of it."""
    header = (
        render(FRAMES["demo"], Ui(), 80, 24, title="a" * 60, read_status=read_status).lines[0].plain
    )

    assert words in header
    assert "feed" in header


def test_a_feed_that_stands_still_is_an_alarm() -> None:
    """Fifteen seconds without a sign of life are said in capitals."""
    scenario = Scenario().run(2)
    scenario.wall += timedelta(seconds=90)

    assert "feed SILENT 1m30" in words_of(render(frame_of(scenario), Ui(), 80, 24))


def test_a_broken_log_and_silent_processes_cannot_be_missed() -> None:
    """The worst news stand in the frame of the main screen."""
    scenario = Scenario().run(2)
    scenario.beat("router", "momentum")
    scenario.wall += timedelta(seconds=60)
    scenario.dead_letter()
    scenario.records.append(scenario.records[1])

    shown = words_of(render(frame_of(scenario), Ui(), 100, 30))

    assert "ACCOUNT LOG BROKEN" in shown
    assert "4 silent" in shown
    assert "1 dead letter " in shown


def test_changes_carry_signs_and_figures_line_up_at_the_right() -> None:
    """In the ranking every column of figures ends in the same cell."""
    lines = [line.plain for line in render(FRAMES["demo"], Ui(), 80, 24).lines[3:9]]
    for line in lines:
        assert re.search(
            r" \d{2,3},\d{3}\.\d\d +([+-]\d+\.\d\d|0\.00)% +([+-][\d,.]+|0\.00) ", line
        )

    assert 1 == len({line.rindex("%", 0, 46) for line in lines})


def test_cost_of_unknown_price_is_never_zero() -> None:
    """Where no price is known the footer says so."""
    shown = words_of(render(FRAMES["crowd"], Ui(), 80, 24))

    assert "$ unknown" in shown
    assert "$0.0000" not in shown


def test_an_agents_screen_shows_rounds_calls_results_and_tokens() -> None:
    """Enter shows what the agent did: each round, its calls as written, their results."""
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


def test_the_prompt_screen_shows_every_line_the_agent_saw() -> None:
    """Scrolled from top to end, the prompt is there whole."""
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


def test_a_turn_that_failed_shows_its_error_in_words() -> None:
    """An outcome other than completed is named, with the error."""
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
    """The help screen carries the health of every process, scrolled to the end."""
    shown = words_of(render(FRAMES["demo"], Ui(screen="help"), 120, 60))

    for words in ("fee 60 bps, slippage 2 bps", "connector", "running", "lat. cost", "quit"):
        assert words in shown


def test_the_chosen_agent_is_in_sight_in_a_crowd() -> None:
    """With more agents than lines the ranking scrolls to the chosen one."""
    frame = FRAMES["crowd"]
    last = frame.ranking[-1].agent
    lines = render(frame, Ui(agent=last), 200, 60).lines

    assert any(line.plain.startswith("│ ›30 ") and last in line.plain for line in lines)


def test_scrolling_trades_stops_at_the_last_one() -> None:
    """How far the keys can go is what the pane cannot show at once."""
    frame = FRAMES["demo"]
    drawn = render(frame, Ui(pane="trades"), 80, 24)

    assert frame.trades_available - 4 == drawn.limits.scroll_max


@pytest.mark.parametrize(("value", "colours"), [("1", False), ("", True)])
def test_no_color_is_honoured(value: str, colours: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR set no colour code is written; the words are the same."""
    monkeypatch.setenv("NO_COLOR", value)
    monkeypatch.setenv("TERM", "xterm-256color")
    console = line_console(80)
    codes = "".join(
        line_codes(console, line) for line in render(FRAMES["demo"], Ui(), 80, 24).lines
    )

    assert colours == bool(re.search(r"\x1b\[[0-9;]*(3[0-9]|9[0-7])", codes))
    assert "simulated" in codes


def test_a_roster_of_strangers_shows_dashes_not_zeros() -> None:
    """An agent without an account has no equity, and is ranked last."""
    scenario = Scenario().run(1)
    spec = AgentSpec(agent="aaa", strategy="s", node="n", joined_at=scenario.wall)
    scenario.write(topics.ROSTER.name, spec, "agent/aaa")

    row = frame_of(scenario).ranking[-1]

    assert ("aaa", None, None) == (row.agent, row.equity, row.gain)
    assert re.search(r" 7 aaa +- +- +- ", words_of(render(frame_of(scenario), Ui(), 80, 30)))
    assert "6 of 7" in words_of(render(frame_of(scenario), Ui(), 80, 24))


def test_usage_is_of_the_models_calls() -> None:
    """Tokens in the ranking are summed over the log of calls."""
    scenario = Scenario().run(3)
    started = scenario.begin_turn("cash")
    scenario.llm_call(started, usage=Usage(prompt_tokens=1_000_000))

    row = frame_of(scenario).row("cash")

    assert row is not None
    assert 3 * 2_040 + 1_000_000 == row.tokens


def test_screens_are_text_alone() -> None:
    """A screen can be compared and drawn in another thread: it holds nothing but text."""
    assert all(type(line) is Text for line in render(FRAMES["demo"], Ui(), 80, 24).lines)
