"""Tokens of a UTC day against the budget."""

from datetime import UTC, datetime, timedelta, timezone

from chat_nodes.budget import DailyBudget

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_a_spent_budget_refuses_with_the_figures_and_the_remedy() -> None:
    """The refusal says what was allowed, what was used and when it resets."""
    budget = DailyBudget(1_000)
    budget.add(999, NOON)
    before = budget.refusal(NOON)
    budget.add(201, NOON)

    assert "" == before
    assert (
        "daily budget of 1,000 tokens is spent (used 1,200); resets at 00:00 UTC"
        == budget.refusal(NOON)
    )


def test_the_day_ends_at_midnight_utc() -> None:
    """A new UTC day begins with nothing used, whatever the time zone of the stamps."""
    budget = DailyBudget(10)
    budget.add(10, datetime(2026, 11, 22, 1, 30, tzinfo=timezone(timedelta(hours=2))))

    assert 10 == budget.used(datetime(2026, 11, 21, 23, 59, tzinfo=UTC))
    assert 0 == budget.used(datetime(2026, 11, 22, 0, 0, tzinfo=UTC))


def test_yesterdays_calls_do_not_count_when_the_log_is_read_back() -> None:
    """Calls come in the order of the log; a late one of an earlier day adds nothing."""
    budget = DailyBudget(100)
    budget.add(70, NOON - timedelta(days=1))
    budget.add(30, NOON)
    budget.add(70, NOON - timedelta(days=1))

    assert 30 == budget.used(NOON)


def test_no_budget_refuses_nothing() -> None:
    """Zero is no limit."""
    budget = DailyBudget(0)
    budget.add(10**12, NOON)

    assert "" == budget.refusal(NOON)


def test_a_reset_forgets() -> None:
    """Before the log is read again nothing is counted."""
    budget = DailyBudget(5)
    budget.add(5, NOON)
    budget.reset()

    assert "" == budget.refusal(NOON)


def test_a_refusal_says_that_the_tokens_were_estimated() -> None:
    """One estimated call of the day is enough; the next day begins without."""
    budget = DailyBudget(100)
    budget.add(60, NOON)
    budget.add(60, NOON, estimated=True)
    said = budget.refusal(NOON)
    budget.add(100, NOON + timedelta(days=1))

    assert "(used 120, estimated because the server does not count them)" in said
    assert "estimated" not in budget.refusal(NOON + timedelta(days=1))
