"""The judge's evaluation on the screen and in the document."""

import pytest

from arena import topics
from arena.messages import Claim, Estimate, Evaluation, LeaderboardRow, Repeat
from arena.money import from_units
from dashboard.model.frame import Frame, build_frame
from dashboard.model.standings import standings
from dashboard.terminal.screen import render
from dashboard.terminal.ui import Ui
from dashboard.terminal.verdict import verdict_line
from tests.dashboard.scenario import Scenario
from tests.dashboard.views import view_of

WORDS = (
    "Interim, look 5 of 11: cannot separate #1-#5 (buy-and-hold, cash, scalper, brainrot, ...). "
    "Separated (interim, look 5 of 11): scalper beats random since snapshot 9. "
    "No agent is separated from buy-and-hold."
)


def judged(scenario: Scenario, *, words: str = WORDS) -> Evaluation:
    """An evaluation of a scenario's agents, with intervals."""
    zero = from_units(0)
    rows = tuple(
        LeaderboardRow(
            rank_low=1,
            rank_high=index + 1,
            agent=name,
            strategy=strategy,
            model="scripted",
            node="rules",
            kind="baseline" if kind == "baseline" else "agent",
            scripted=True,
            equity_usd=zero,
            return_interval=Estimate(value=0.0, low=-0.0123, high=0.0045) if index else None,
            fees_usd=zero,
            slippage_usd=zero,
            latency_usd=zero,
            p_best=0.5,
        )
        for index, (name, strategy, kind) in enumerate(scenario.agents[:-1])
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
        interim=True,
        look=5,
        looks=11,
        claims=(
            Claim(winner="scalper", loser="random", snapshots=9),
            Claim(winner="cash", loser="random", snapshots=8, withdrawn=10),
        ),
        warnings=("brainrot lost everything at snapshot 7.",),
        rows=rows,
    )


def with_verdict(steps: int = 12) -> tuple[Scenario, Frame]:
    """A scenario with a judge, and its frame."""
    scenario = Scenario().run(steps)
    evaluation = judged(scenario)
    scenario.write(topics.EVALUATIONS.name, evaluation, evaluation.snapshot_id)
    return scenario, build_frame(view_of(scenario.records), scenario.wall)


def text_of(frame: Frame, width: int, height: int) -> str:
    """The main screen as plain text."""
    return "\n".join(line.plain for line in render(frame, Ui(), width, height).lines)


@pytest.mark.parametrize("size", [(80, 24), (120, 30), (200, 60)])
def test_screen_keeps_its_size_with_a_verdict(size: tuple[int, int]) -> None:
    """It has the terminal's width and height."""
    _, frame = with_verdict()
    screen = render(frame, Ui(), *size)

    assert [size[0]] * size[1] == [line.cell_len for line in screen.lines]


def test_ranks_interval_and_verdict_are_shown() -> None:
    """Ranks and intervals are beside the returns, the verdict below the ranking."""
    _, frame = with_verdict()
    shown = text_of(frame, 260, 50)

    for words in ("ranks", "90% interval", "1-3", "-1.23..+0.45", "scalper beats random"):
        assert words in shown


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (80, "Interim, look 5 of 11: cannot separate #1-#5"),
        (112, "cannot separate #1-#5. 1 claim, 1 withdrawn, 1 warning"),
        (200, "(buy-and-hold, cash, scalper, brainrot, ...). 1 claim, 1 withdrawn, 1 warning"),
        (220, "scalper beats random since snapshot 9. 1 claim, 1 withdrawn, 1 warning"),
        (300, "No agent is separated from buy-and-hold. 1 warning"),
    ],
)
def test_narrow_screen_keeps_the_main_part_of_the_verdict(width: int, expected: str) -> None:
    """Dropped sentences are counted, then names are dropped; the first sentence stays."""
    _, frame = with_verdict()
    (line,) = verdict_line(frame.evaluation, width)

    assert line.plain.startswith("judge, 12 snapshots: Interim, look 5 of 11")
    assert expected in line.plain
    assert line.plain.rstrip().endswith(expected)


def test_repeat_has_the_ranks_of_its_cell() -> None:
    """A cell is judged as one entrant; each repeat shows the ranks of the cell."""
    scenario = Scenario().run(12)
    evaluation = judged(scenario)
    row = evaluation.rows[2].model_copy(
        update={
            "agent": "the cell",
            "repeats": (
                Repeat(agent="scalper", seed=1, equity_usd=from_units(0), total_return=0.0),
            ),
        }
    )
    cells = evaluation.model_copy(update={"rows": (*evaluation.rows[:2], row)})
    scenario.write(topics.EVALUATIONS.name, cells, cells.snapshot_id)
    agents = standings(view_of(scenario.records), scenario.wall)["agents"]

    assert isinstance(agents, list)
    judged_of = {one["agent"]: one["judged"] for one in agents if isinstance(one, dict)}
    found = judged_of["scalper"]
    assert isinstance(found, dict)
    assert ("the cell", 3) == (found["entrant"], found["rank_high"])


def test_screen_without_a_judge_is_unchanged() -> None:
    """Without an evaluation there is no column and no line, and the document has null."""
    scenario = Scenario().run(12)
    view = view_of(scenario.records)
    shown = text_of(build_frame(view, scenario.wall), 200, 50)

    assert "judge" not in shown
    assert "ranks" not in shown
    document = standings(view, scenario.wall)
    assert document["verdict"] is None


def test_document_has_verdict_and_intervals() -> None:
    """Each agent has ranks, interval and P(best)."""
    scenario, _ = with_verdict()
    document = standings(view_of(scenario.records), scenario.wall)

    verdict, agents = document["verdict"], document["agents"]
    assert isinstance(verdict, dict)
    assert isinstance(agents, list)
    rows = {row["agent"]: row["judged"] for row in agents if isinstance(row, dict)}
    assert (WORDS, 12) == (verdict["words"], verdict["snapshots"])
    assert (True, 5, 11) == (verdict["interim"], verdict["look"], verdict["looks"])
    assert {
        "rank_low": 1,
        "rank_high": 3,
        "return_low": -0.0123,
        "return_high": 0.0045,
        "p_best": 0.5,
        "entrant": "scalper",
    } == rows["scalper"]
    assert rows["random"] is None


def test_verdict_cannot_act_on_the_terminal() -> None:
    """Control characters in a verdict are made visible."""
    scenario = Scenario().run(2)
    evaluation = judged(scenario, words="\x1b[2Jnothing\nto see")
    scenario.write(topics.EVALUATIONS.name, evaluation, evaluation.snapshot_id)
    screen = render(build_frame(view_of(scenario.records), scenario.wall), Ui(), 120, 30)

    assert all(line.plain.isprintable() for line in screen.lines)
