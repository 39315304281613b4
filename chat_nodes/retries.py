"""When to try a model call again: a pure policy.

Full jitter after M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): the
wait is uniform between zero and a bound that doubles. `Retry-After` is RFC 9110 section 10.2.3.
Nothing is waited for beyond the request's deadline. Reads no clock and draws no random number.
"""

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

from arena.messages import CallOutcome
from chat_nodes.models.base import CallFailed

BASE_DELAY_S = 0.5
DELAY_MAX_S = 20.0
RETRY_AFTER_MAX_S = 24 * 60 * 60.0
"""A longer `Retry-After` is read as this; the deadline ends the call far earlier."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Wait `delay_s` seconds, then make another attempt."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Answer the agent with this outcome and error."""

    outcome: CallOutcome
    error: str


def after_failure(
    failed: CallFailed, *, attempts: int, max_retries: int, remaining_s: float, jitter: float
) -> TryAgain | GiveUp:
    """What to do after a failed attempt.

    Args:
        failed: Why the last attempt failed.
        attempts: Attempts made so far, at least 1.
        max_retries: Attempts allowed beyond the first.
        remaining_s: Seconds until the request's deadline.
        jitter: A random number in [0, 1).
    """
    if remaining_s <= 0:
        return GiveUp("expired", f"the deadline passed after {attempts} attempts: {failed.reason}")
    if not failed.retryable:
        return GiveUp("failed", failed.reason)
    if attempts > max_retries:
        return GiveUp("failed", f"gave up after {attempts} attempts: {failed.reason}")
    delay_s = jitter * min(DELAY_MAX_S, BASE_DELAY_S * 2.0 ** min(attempts - 1, 30))
    if failed.retry_after_s is not None:
        delay_s += failed.retry_after_s
    if delay_s >= remaining_s:
        wait = f"a retry in {delay_s:.1f} s comes after the deadline in {remaining_s:.1f} s"
        return GiveUp("expired", f"{wait}: {failed.reason}")
    return TryAgain(delay_s)


def retry_after_s(text: str | None, now: datetime) -> float | None:
    """Seconds a `Retry-After` header asks to wait; None where it is absent or unreadable.

    Args:
        text: The header: a number of seconds or an HTTP date.
        now: Wall time, aware UTC, to which a date is compared.
    """
    if not text:
        return None
    try:
        wait_s = float(text)
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError):
            return None
        if when.tzinfo is None:
            when = when.replace(tzinfo=now.tzinfo)
        wait_s = (when - now).total_seconds()
    if wait_s != wait_s:
        return None
    return min(max(wait_s, 0.0), RETRY_AFTER_MAX_S)
