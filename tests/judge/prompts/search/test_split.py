"""Which snapshots are searched, and which decide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.errors import UsageError
from judge.prompts.search.split import (
    BUDGET_MIN,
    GAP,
    HELD_OUT_MIN,
    SEARCHED_MIN,
    SNAPSHOTS_MIN,
    TEXTS,
    split_prompts,
    spread,
)
from tests.judge.prompts.search.searches import prompts

ALL = prompts(400)


@given(st.integers(SNAPSHOTS_MIN, len(ALL)), st.integers(BUDGET_MIN, 3_000))
def test_what_decides_is_later_than_all_that_is_searched(count: int, budget: int) -> None:
    """By the gap at least; and the budget lasts for the decision and some texts."""
    split = split_prompts(ALL[:count], budget)
    places = {one.turn.turn_id: place for place, one in enumerate(ALL)}
    searched, held_out = (
        [places[one.turn.turn_id] for one in part] for part in (split.searched, split.held_out)
    )
    assert searched == sorted(set(searched))
    assert held_out == sorted(set(held_out))
    assert min(held_out) - max(searched) > GAP
    assert HELD_OUT_MIN <= len(held_out)
    assert SEARCHED_MIN <= len(searched)
    assert budget >= split.calls_held_back + TEXTS * len(searched)


def test_too_few_snapshots_or_calls_are_refused() -> None:
    """Each with what is needed."""
    with pytest.raises(UsageError, match=f"--budget-calls is 99; .* at least {BUDGET_MIN}"):
        split_prompts(ALL, 99)
    with pytest.raises(UsageError, match=f"30 recorded decisions .* at least {SNAPSHOTS_MIN}"):
        split_prompts(ALL[:30], 300)
    assert SEARCHED_MIN == len(split_prompts(ALL[:SNAPSHOTS_MIN], BUDGET_MIN).searched)


def test_chosen_snapshots_meet_every_phase_of_a_cycle() -> None:
    """An agent that buys and sells in turn is not seen at its buys alone."""
    chosen = spread(ALL, 200)
    numbers = [one.turn.snapshot_offset for one in chosen]
    odd = sum(number % 2 for number in numbers)
    assert 60 < odd < 140
    assert [n // 2 for n in numbers] == list(range(200))
    assert ALL == spread(ALL, 1_000)
