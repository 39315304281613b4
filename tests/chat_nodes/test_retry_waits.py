"""The calls that wait for their next attempt."""

from datetime import UTC, datetime, timedelta

from arena.heartbeat_details import RetryWait
from arena.messages import Cause
from chat_nodes.retry_waits import RetryWaits

NOW = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)


def test_waits_are_counted_by_cause_until_the_last() -> None:
    """A call that was tried again is not in the report any more."""
    waits = RetryWaits()
    for seconds, cause in enumerate((Cause.TIMEOUT, Cause.RATE_LIMIT, Cause.RATE_LIMIT)):
        waits.begin(f"call-{seconds}", cause, NOW + timedelta(seconds=seconds))

    limited = RetryWait(cause="rate_limit", calls=2, until=NOW + timedelta(seconds=2))
    assert limited == waits.report()[0]
    assert 2 == len(waits.report())
    waits.end("call-0")
    waits.end("call-0")
    assert (limited,) == waits.report()
