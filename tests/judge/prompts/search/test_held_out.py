"""Whether a text decides better on snapshots that no search has seen."""

from judge.prompts.search.answer_checks import AnswerScore
from judge.prompts.search.held_out import compare_held_out
from judge.prompts.search.split import HELD_OUT_MIN


def scores(points: list[float | None], orders: int = 1, words: str = "Why.") -> list[AnswerScore]:
    """Answers with these points."""
    return [AnswerScore(one, orders, words=words) for one in points]


PLAIN: list[float | None] = [60.0, 100.0, 60.0, 75.0, 100.0, 60.0] * 15


def test_better_points_on_most_snapshots_are_clear() -> None:
    """With the mean of both texts, and the interval of the paired difference."""
    found = compare_held_out(scores(PLAIN), scores([100.0] * len(PLAIN)))
    assert found.is_better
    assert (75.8, 100.0) == (round(found.before or 0, 1), found.after)
    assert found.difference is not None
    assert 0 < found.difference.low < found.difference.estimate < found.difference.high
    assert abs(found.difference.estimate - 24.17) < 0.01
    assert "clearly better" in found.reason


def test_same_and_worse_points_are_not_better() -> None:
    """Nor a gain on a few snapshots alone, which chance explains."""
    same = compare_held_out(scores(PLAIN), scores(PLAIN))
    assert (False, 0.0) == (same.is_better, same.difference and same.difference.estimate)
    assert "+0.0 points [+0.0, +0.0]" in same.reason
    worse = compare_held_out(scores([100.0] * len(PLAIN)), scores(PLAIN))
    assert not worse.is_better
    mixed: list[float | None] = [60.0] * len(PLAIN)
    mixed[3] = 100.0
    chance = compare_held_out(scores([60.0] * len(PLAIN)), scores(mixed))
    assert not chance.is_better
    assert chance.difference is None, "unknown is not zero"
    assert "too few of 90 held-out snapshots differ in their points: 1" in chance.reason


def test_text_that_stops_trading_is_not_better() -> None:
    """However well it decides to do nothing."""
    before, after = scores(PLAIN), scores([100.0] * len(PLAIN), orders=0)
    found = compare_held_out(before, after)
    assert (False, len(PLAIN), 0) == (found.is_better, found.orders_before, found.orders_after)
    assert "0 orders instead of 90" in found.reason
    half = [*after[:45], *scores([100.0] * 45)]
    assert compare_held_out(before, half).is_better


def test_text_that_silences_the_agent_is_not_better() -> None:
    """Words that are not said cannot be wrong; an agent that never says any loses none."""
    after = scores([100.0] * len(PLAIN), words=" ")
    found = compare_held_out(scores(PLAIN), after)
    assert not found.is_better
    assert "0 answers with words instead of 90" in found.reason
    assert compare_held_out(scores(PLAIN, words=""), after).is_better


def test_answers_without_points_are_left_out_in_pairs() -> None:
    """And too few pairs decide nothing."""
    missing: list[float | None] = [100.0] * len(PLAIN)
    missing[:20] = [None] * 20
    found = compare_held_out(scores(PLAIN), scores(missing))
    assert (70, True) == (found.pairs, found.is_better)
    missing[:40] = [None] * 40
    few = compare_held_out(scores(PLAIN), scores(missing))
    assert (50, False, None) == (few.pairs, few.is_better, few.difference)
    assert f"{HELD_OUT_MIN} are needed" in few.reason
