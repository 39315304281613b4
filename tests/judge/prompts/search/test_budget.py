"""The calls of a search."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.prompts.search.budget import BudgetSpent, CallBudget


@given(st.integers(0, 50), st.integers(0, 50), st.lists(st.integers(0, 20), max_size=20))
def test_calls_are_never_more_than_allowed(limit: int, held: int, asked: list[int]) -> None:
    """A request that does not fit is refused whole; what was held back is free after a release."""
    budget = CallBudget(limit, min(held, limit))
    made = 0
    for round_, calls in enumerate(asked):
        if round_ == len(asked) // 2:
            budget.release()
        free = budget.free
        try:
            budget.take(calls)
            made += calls
        except BudgetSpent:
            assert calls > free
        assert made == budget.spent <= limit
    budget.release()
    assert limit == budget.spent + budget.free


def test_more_than_the_limit_cannot_be_held_back() -> None:
    """Nor a number below zero, which would make calls free."""
    for limit, held in ((5, 6), (5, -1)):
        with pytest.raises(ValueError, match="cannot be held back"):
            CallBudget(limit, held)
    with pytest.raises(ValueError, match="cannot be made"):
        CallBudget(5).take(-1)
