"""The daily token budget."""

from datetime import UTC, datetime, timedelta, timezone

from chat_nodes.budget import DailyBudget

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_spent_budget_refuses_calls() -> None:
    """The refusal has the limit, the tokens used and the time of the reset."""
    budget = DailyBudget(1_000)
    budget.add(999, NOON)
    before = budget.refusal(NOON)
    budget.add(201, NOON)

    assert "" == before
    assert (
        "daily budget of 1,000 tokens is spent (used 1,200); resets at 00:00 UTC"
        == budget.refusal(NOON)
    )


def test_day_ends_at_midnight_utc() -> None:
    """A new UTC day starts with nothing used, whatever the time zone of the times."""
    budget = DailyBudget(10)
    budget.add(10, datetime(2026, 11, 22, 1, 30, tzinfo=timezone(timedelta(hours=2))))

    assert 10 == budget.used(datetime(2026, 11, 21, 23, 59, tzinfo=UTC))
    assert 0 == budget.used(datetime(2026, 11, 22, 0, 0, tzinfo=UTC))


def test_calls_of_an_earlier_day_add_nothing() -> None:
    """Calls are in the order of the log; a late one of an earlier day is ignored."""
    budget = DailyBudget(100)
    budget.add(70, NOON - timedelta(days=1))
    budget.add(30, NOON)
    budget.add(70, NOON - timedelta(days=1))

    assert 30 == budget.used(NOON)


def test_zero_budget_is_unlimited() -> None:
    """A limit of 0 refuses no call."""
    budget = DailyBudget(0)
    budget.add(10**12, NOON)

    assert "" == budget.refusal(NOON)


def test_reset_clears_the_count() -> None:
    """Nothing is counted before the log is read again."""
    budget = DailyBudget(5)
    budget.add(5, NOON)
    budget.reset()

    assert "" == budget.refusal(NOON)


def test_refusal_mentions_estimated_tokens() -> None:
    """One estimated call of the day is enough; the next day starts without the remark."""
    budget = DailyBudget(100)
    budget.add(60, NOON)
    budget.add(60, NOON, estimated=True)
    refusal = budget.refusal(NOON)
    budget.add(100, NOON + timedelta(days=1))

    assert "(used 120, estimated because the server does not count them)" in refusal
    assert "estimated" not in budget.refusal(NOON + timedelta(days=1))
