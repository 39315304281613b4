"""The judge's evaluation on the screen: shown where there is one, nothing changed where not."""

import pytest

from arena import topics
from arena.messages import Estimate, Evaluation, LeaderboardRow
from arena.money import from_units
from dashboard.frame import Frame, build_frame
from dashboard.screen import render
from dashboard.standings import standings
from dashboard.ui import Ui
from dashboard.view import ArenaView
from tests.dashboard.scenario import Scenario

WORDS = (
    "Cannot separate #1-#5 (buy-and-hold, cash, scalper, brainrot, ...); a difference under "
    "12.2 % could not have been seen in 2 h 23 min. No agent beats buy-and-hold."
)


def judged(scenario: Scenario, *, words: str = WORDS) -> Evaluation:
    """An evaluation of a scenario's agents, with intervals."""
    zero = from_units(0)
    rows = tuple(
        LeaderboardRow(
            rank_low=1,
            rank_high=place + 1,
            agent=name,
            strategy=strategy,
            model="scripted",
            node="rules",
            kind="baseline" if kind == "baseline" else "agent",
            scripted=True,
            equity_usd=zero,
            return_interval=Estimate(value=0.0, low=-0.0123, high=0.0045) if place else None,
            fees_usd=zero,
            slippage_usd=zero,
            latency_usd=zero,
            p_best=0.5,
        )
        for place, (name, strategy, kind) in enumerate(scenario.agents[:-1])
    )
    newest = scenario.newest
    assert newest is not None
    return Evaluation(
        evaluation_id="e",
        snapshot_id=newest.snapshot_id,
        snapshots=scenario.snapshots,
        as_of=newest.as_of,
        interval_s=60,
        confidence=0.9,
        seed=1,
        resamples=2_000,
        hold_return=0.01,
        detectable=0.122,
        verdict=words,
        rows=rows,
    )


def seen(scenario: Scenario) -> ArenaView:
    """A view of all the scenario's records."""
    view = ArenaView()
    for record in scenario.records:
        view.apply(record)
    return view


def with_verdict(steps: int = 12) -> tuple[Scenario, Frame]:
    """A scenario with a judge, and its frame."""
    scenario = Scenario().run(steps)
    evaluation = judged(scenario)
    scenario.write(topics.EVALUATIONS.name, evaluation, evaluation.snapshot_id)
    return scenario, build_frame(seen(scenario), scenario.wall)


def text_of(frame: Frame, width: int, height: int) -> str:
    """The main screen as plain text."""
    return "\n".join(line.plain for line in render(frame, Ui(), width, height).lines)


@pytest.mark.parametrize("size", [(80, 24), (120, 30), (200, 60)])
def test_the_screen_keeps_its_size_with_a_verdict(size: tuple[int, int]) -> None:
    """Every line has the terminal's width, and there are as many as it has."""
    _, frame = with_verdict()
    screen = render(frame, Ui(), *size)

    assert [size[0]] * size[1] == [line.cell_len for line in screen.lines]


def test_ranks_interval_and_verdict_are_shown() -> None:
    """Rank sets and intervals stand beside the returns, the verdict below the ranking."""
    _, frame = with_verdict()
    shown = text_of(frame, 200, 50)

    for words in ("ranks", "90% interval", "1-3", "-1.23..+0.45", f"12 snapshots: {WORDS}"):
        assert words in shown


def test_a_narrow_screen_keeps_the_heart_of_the_verdict() -> None:
    """At 80 columns names and span go, what cannot be told stays."""
    _, frame = with_verdict()
    shown = text_of(frame, 80, 24)

    assert "judge, 12 snapshots: Cannot separate #1-#5; below 12.2 % cannot be seen" in shown
    assert "1-3" in shown


def test_without_a_judge_the_screen_is_as_it_was() -> None:
    """No evaluation: no column, no line, and the document says null."""
    scenario = Scenario().run(12)
    view = seen(scenario)
    shown = text_of(build_frame(view, scenario.wall), 200, 50)

    assert "judge" not in shown
    assert "ranks" not in shown
    document = standings(view, scenario.wall)
    assert document["verdict"] is None


def test_the_document_carries_the_intervals() -> None:
    """`--once --json` has the verdict, and per agent ranks, interval and P(best)."""
    scenario, _ = with_verdict()
    document = standings(seen(scenario), scenario.wall)

    verdict, agents = document["verdict"], document["agents"]
    assert isinstance(verdict, dict)
    assert isinstance(agents, list)
    rows = {row["agent"]: row["judged"] for row in agents if isinstance(row, dict)}
    assert (WORDS, 12) == (verdict["words"], verdict["snapshots"])
    assert {
        "rank_low": 1,
        "rank_high": 3,
        "return_low": -0.0123,
        "return_high": 0.0045,
        "p_best": 0.5,
    } == rows["scalper"]
    assert rows["random"] is None


def test_words_of_a_judge_cannot_act_on_the_terminal() -> None:
    """Control characters in a verdict are not passed on."""
    scenario = Scenario().run(2)
    evaluation = judged(scenario, words="\x1b[2Jnothing\nto see")
    scenario.write(topics.EVALUATIONS.name, evaluation, evaluation.snapshot_id)
    screen = render(build_frame(seen(scenario), scenario.wall), Ui(), 120, 30)

    assert all(line.plain.isprintable() for line in screen.lines)
