"""A search over settings: luck is deflated, and windows choose before they measure."""

from dataclasses import replace

import numpy as np
import pytest

from arena.errors import UsageError
from judge.sweep.candidates import Candidate, joined_episodes, matrix_of
from judge.sweep.text import sweep_document, sweep_lines, sweep_rows
from judge.sweep.verdict import SweepOptions, judge_sweep
from judge.sweep.walk_forward import Windows, walk_forward

HOUR_S = 3_600.0
PERIODS = 400


def noise(count: int, seed: int = 7) -> list[Candidate]:
    """Candidates without skill, one per point."""
    rows = np.random.default_rng(seed).normal(0, 0.01, (count, PERIODS))
    return [Candidate(n, "agent", False, row) for n, row in enumerate(rows)]


def labels(count: int) -> list[str]:
    """The settings of each point."""
    return [f"x={n}" for n in range(count)]


def test_the_best_of_many_without_skill_is_not_more_than_luck() -> None:
    """Its own probability looks good; deflated by the number of trials it does not."""
    result = judge_sweep(noise(30), labels(30), HOUR_S, SweepOptions())
    best = result.verdict.standings[result.order[0]]
    assert best.psr is not None
    assert best.psr > 0.95
    assert best.dsr is not None
    assert best.dsr < 0.95
    assert result.trials == 30
    (finding, _) = sweep_lines(result)
    assert "not more than the luck of the best of 30 distinct candidates" in finding


def test_skill_is_more_than_luck() -> None:
    """A candidate with a large mean is separated from most others."""
    field = noise(10)
    skilled = Candidate(10, "agent", False, field[0].log_returns * 0.5 + 0.002)
    result = judge_sweep([*field, skilled], labels(11), HOUR_S, SweepOptions())
    (finding, _) = sweep_lines(result)
    assert finding.startswith("Best in sample: agent x=10 with ")
    assert "more than the luck" in finding
    assert "not more than" not in finding
    assert "separated from 0 of" not in finding


def test_copies_are_one_trial() -> None:
    """A grid whose values change nothing searched nothing."""
    one = noise(1)[0]
    copies = [Candidate(n, "agent", False, one.log_returns) for n in range(5)]
    assert judge_sweep(copies, labels(5), HOUR_S, SweepOptions()).trials == 1


def test_a_baseline_is_listed_once_unless_it_differs() -> None:
    """Cash is cash at every point; a baseline under limits is not."""
    one, two = noise(2)
    cash = [Candidate(n, "cash", True, np.zeros(PERIODS)) for n in range(2)]
    hold = [Candidate(n, "hold", True, c.log_returns * 0.1) for n, c in enumerate((one, two))]
    result = judge_sweep([one, two, *cash, *hold], labels(2), HOUR_S, SweepOptions())
    assert sorted(result.names) == ["agent x=0", "agent x=1", "cash", "hold x=0", "hold x=1"]
    assert result.trials == 2
    assert len(sweep_rows(result)) == 6


def test_windows_choose_before_they_measure() -> None:
    """The return out of sample is that of the best before: here always the wrong one."""
    a = np.tile(np.r_[np.full(10, 0.01), np.full(10, -0.01)], 10)
    a += np.tile([0.0001, -0.0001], 100)
    walk = walk_forward(np.column_stack([a, -a]), Windows(10, 10, 10), [0, 1])
    assert len(walk.choices) == 19
    assert all(choice.train > 0 > choice.test for choice in walk.choices)
    assert walk.out_of_sample.sum() == pytest.approx(-1.9)


def test_no_choice_knows_its_test_part() -> None:
    """Whatever the test part holds, the choice before it is the same."""
    returns = np.column_stack([c.log_returns for c in noise(4)])
    changed = returns.copy()
    changed[300:] = -changed[300:]
    first = walk_forward(returns, Windows(200, 100, 100), range(4))
    second = walk_forward(changed, Windows(200, 100, 100), range(4))
    assert [c.chosen for c in first.choices[:2]] == [c.chosen for c in second.choices[:2]]


@pytest.mark.parametrize(
    ("windows", "words"),
    [
        (Windows(300, 200, 200), "the season has 400 periods, and one window needs 500"),
        (Windows(100, 50, 25), "a step of 25 periods makes test parts of 50 overlap"),
    ],
)
def test_windows_that_do_not_fit_are_refused(windows: Windows, words: str) -> None:
    """The error says what to change."""
    with pytest.raises(UsageError, match=words):
        walk_forward(np.zeros((PERIODS, 2)), windows, [0, 1])


def test_seasons_of_different_lengths_are_refused() -> None:
    """A value that changes the snapshots makes points that cannot be compared."""
    short = Candidate(1, "agent", False, np.zeros(10))
    with pytest.raises(UsageError, match="the points have 10 to 400 periods"):
        matrix_of([*noise(1), short])


def test_snapshots_at_different_times_are_refused() -> None:
    """As many periods of another length are another season."""
    one, two = noise(2)
    with pytest.raises(UsageError, match="snapshots at different times"):
        matrix_of([replace(one, times="a"), replace(two, times="b")])


def test_a_seed_of_the_market_is_not_a_candidate() -> None:
    """Two settings on three markets are two candidates, each judged on all three."""
    played = [replace(c, times="a") for c in noise(6)]
    joined = joined_episodes(played, [0, 0, 0, 3, 3, 3], 3)
    assert [c.point for c in joined] == [0, 3]
    assert np.array_equal(joined[1].log_returns, np.r_[*(c.log_returns for c in played[3:])])
    result = judge_sweep(joined, labels(6), HOUR_S, SweepOptions())
    assert result.names == ("agent x=0", "agent x=3")
    assert (result.trials, result.verdict.periods) == (2, 3 * PERIODS)
    with pytest.raises(UsageError, match="agent played on 2 of 3 markets"):
        joined_episodes(played[1:], [0, 0, 0, 3, 3, 3], 3)


def test_out_of_sample_comes_first() -> None:
    """A person reads what can be trusted before what cannot."""
    options = SweepOptions(windows=Windows(200, 100, 100))
    result = judge_sweep(noise(6), labels(6), HOUR_S, options)
    lines = sweep_lines(result)
    assert lines[0].startswith("Out of sample: ")
    assert "in 2 windows, each with the candidate that was best before it" in lines[0]
    document = sweep_document(result)
    assert len(document["walk_forward"]["windows"]) == 2
    assert document["candidates"][0]["return"] >= document["candidates"][-1]["return"]


def test_a_candidate_that_never_traded_is_named_as_such() -> None:
    """Doing nothing can be the best of a bad field."""
    idle = Candidate(0, "agent", False, np.zeros(PERIODS))
    losing = Candidate(1, "agent", False, noise(1)[0].log_returns - 0.01)
    result = judge_sweep([idle, losing], labels(2), HOUR_S, SweepOptions())
    assert "it never traded" in sweep_lines(result)[0]
