"""When a call is retried, and how long a provider can make it wait."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_nodes.model import CallFailed
from chat_nodes.retries import (
    BASE_DELAY_S,
    DELAY_MAX_S,
    RETRY_AFTER_MAX_S,
    FinalFailure,
    Retry,
    after_failure,
    requested_wait_s,
    retry_after_s,
)

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
BUSY = CallFailed("busy", retryable=True)


def next_step(
    failed: CallFailed = BUSY,
    *,
    attempts: int = 1,
    max_retries: int = 3,
    remaining_s: float = 60.0,
    jitter: float = 0.5,
) -> Retry | FinalFailure:
    """The decision after a failure."""
    return after_failure(
        failed,
        attempts=attempts,
        max_retries=max_retries,
        remaining_s=remaining_s,
        jitter=jitter,
    )


def test_wait_doubles_up_to_a_bound() -> None:
    """Each attempt may wait twice as long as the one before."""
    waits = [next_step(attempts=n, max_retries=99, remaining_s=1e9) for n in (1, 2, 3, 4, 50)]

    assert [Retry(s) for s in (0.25, 0.5, 1.0, 2.0, DELAY_MAX_S / 2)] == waits


def test_final_failure_is_not_retried() -> None:
    """A wrong key stays wrong."""
    failed = CallFailed("answered 401", retryable=False)

    assert FinalFailure("failed", "answered 401") == next_step(failed)


def test_retries_are_bounded() -> None:
    """After the last one the agent gets the reason."""
    assert FinalFailure("failed", "gave up after 4 attempts: busy") == next_step(attempts=4)
    assert FinalFailure("failed", "gave up after 1 attempt: busy") == next_step(max_retries=0)


def test_past_deadline_expires_the_call() -> None:
    """The answer is no longer needed."""
    gone = next_step(remaining_s=0.0)

    assert FinalFailure("expired", "busy; the deadline passed after 1 attempt") == gone


def test_retry_after_is_honoured_and_jittered() -> None:
    """The jitter is added to the provider's wait, so that not all calls return at once."""
    failed = CallFailed("busy", retryable=True, retry_after_s=7.0)

    assert Retry(7.0 + 0.5 * BASE_DELAY_S) == next_step(failed)


def test_wait_beyond_the_deadline_expires_at_once() -> None:
    """The agent gets the reply before the deadline, not after it."""
    failed = CallFailed("busy", retryable=True, retry_after_s=90.0)
    gone = next_step(failed)

    assert isinstance(gone, FinalFailure)
    assert "expired" == gone.outcome
    wait = "the provider asks to wait 90.0 s, and the deadline is in 60.0 s"
    assert f"busy; 1 attempt; {wait}" == gone.error


def test_too_little_time_for_a_retry_is_reported() -> None:
    """A wait by our own backoff is reported without figures."""
    gone = next_step(attempts=2, remaining_s=0.04)

    assert (
        FinalFailure("expired", "busy; 2 attempts, and no time for another before the deadline")
        == gone
    )


@given(
    attempts=st.integers(1, 100),
    remaining_s=st.floats(0, 1e6),
    jitter=st.floats(0, 1, exclude_max=True),
    asked_s=st.none() | st.floats(0, RETRY_AFTER_MAX_S),
)
def test_wait_ends_before_the_deadline(
    attempts: int, remaining_s: float, jitter: float, asked_s: float | None
) -> None:
    """No wait is negative or crosses the deadline, whatever is requested."""
    failed = CallFailed("busy", retryable=True, retry_after_s=asked_s)
    found = next_step(
        failed, attempts=attempts, max_retries=1000, remaining_s=remaining_s, jitter=jitter
    )

    if isinstance(found, Retry):
        assert 0 <= found.delay_s < remaining_s
        assert found.delay_s >= (asked_s or 0)
        assert found.delay_s <= (asked_s or 0) + DELAY_MAX_S


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        (None, None),
        ("", None),
        ("2", 2.0),
        ("0.25", 0.25),
        ("-5", 0.0),
        ("nan", None),
        ("inf", RETRY_AFTER_MAX_S),
        ("1e99", RETRY_AFTER_MAX_S),
        ("soon", None),
        ("Sat, 21 Nov 2026 09:30:20 GMT", 20.0),
        ("Sat, 21 Nov 2026 09:30:20 -0000", 20.0),
        ("Sat, 21 Nov 2026 10:30:20 +0100", 20.0),
        ("Sat, 21 Nov 2026 09:29:00 GMT", 0.0),
        ("Sat, 99 Nov 2026 09:29:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms(text: str | None, wait_s: float | None) -> None:
    """Seconds and HTTP dates are parsed and bounded; anything else is None."""
    assert wait_s == retry_after_s(text, NOW)


@pytest.mark.parametrize(
    ("headers", "delay", "text", "wait_s"),
    [
        ({"retry-after-ms": "250", "retry-after": "9"}, "", "", 0.25),
        ({"retry-after": "1.5"}, "3s", "", 1.5),
        ({"retry-after": "Sat, 21 Nov 2026 09:30:30 GMT"}, "", "", 30.0),
        ({}, "37s", "try again in 5s", 37.0),
        ({}, "", "Please try again in 5.289s. Visit", 5.289),
        ({}, "", "Please retry in 1m30s.", 90.0),
        ({}, "", "try again in 20 milliseconds", 0.02),
        ({"x-ratelimit-reset-requests": "12ms"}, "", "", 0.012),
        ({"x-ratelimit-reset-tokens": "6m0s"}, "", "", 360.0),
        (
            {"x-ratelimit-reset-tokens": "7.66s", "x-ratelimit-reset-requests": "2m59.56s"},
            "",
            "",
            7.66,
        ),
        (
            {
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-requests": "9",
                "x-ratelimit-reset-tokens": "1m30s",
                "x-ratelimit-remaining-tokens": "0",
            },
            "",
            "",
            90.0,
        ),
        ({"x-ratelimit-reset": "1795253404000"}, "", "", 4.0),
        ({"retry-after": "1e300"}, "", "", RETRY_AFTER_MAX_S),
        ({"retry-after-ms": "nan", "retry-after": "soon"}, "x", "later", None),
    ],
)
def test_requested_wait_is_parsed(
    headers: dict[str, str], delay: str, text: str, wait_s: float | None
) -> None:
    """The first of the ways in which providers state it."""
    found = requested_wait_s(headers, is_limit=True, retry_delay=delay, text=text, now=NOW)

    assert wait_s == (None if found is None else pytest.approx(found))


def test_limit_reset_is_ignored_after_other_errors() -> None:
    """OpenAI sends the headers with every answer, also with a 500."""
    headers = {"x-ratelimit-reset-tokens": "6m0s"}

    assert requested_wait_s(headers, is_limit=False, now=NOW) is None
