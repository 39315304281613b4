"""When to retry a model call. Pure.

Full jitter after M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): the
wait is uniform between zero and a bound that doubles. `Retry-After` is RFC 9110 section 10.2.3.
Providers request a wait in several ways; `requested_wait_s` uses the first that is present. No wait
goes beyond the request's deadline.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

from arena.messages import CallOutcome
from chat_nodes.model import CallFailed

BASE_DELAY_S = 0.5
DELAY_MAX_S = 20.0
RETRY_AFTER_MAX_S = 24 * 60 * 60.0
"""A longer `Retry-After` is reduced to this; the deadline ends the call far earlier."""

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(
    r"(\d{1,12}(?:\.\d{1,12})?)\s?"
    r"(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)(?![a-z])",
    re.IGNORECASE,
)
_TRY_AGAIN = re.compile(
    r"(?:try again|retry|wait)(?: again)?(?: (?:in|after|for))?(?: about)?:? "
    r"((?:\d[\d.]{0,15}\s?[a-z]{1,12},?\s?){1,4})",
    re.IGNORECASE,
)
_RESET_HEADERS = ("requests", "tokens", "input-tokens", "output-tokens")
_EPOCH_S_MIN = 1_000_000_000.0
_EPOCH_MS_MIN = 100_000_000_000.0


@dataclass(frozen=True, slots=True)
class Retry:
    """Make another attempt after `delay_s` seconds."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class FinalFailure:
    """Make no further attempt; reply to the agent with this outcome and error."""

    outcome: CallOutcome
    error: str


def after_failure(
    failed: CallFailed, *, attempts: int, max_retries: int, remaining_s: float, jitter: float
) -> Retry | FinalFailure:
    """Decide what to do after a failed attempt.

    Args:
        failed: Why the last attempt failed.
        attempts: Attempts made so far, at least 1.
        max_retries: Attempts allowed beyond the first.
        remaining_s: Seconds until the request's deadline.
        jitter: A random number in [0, 1).
    """
    attempts_text = f"{attempts} attempt{'s' if attempts != 1 else ''}"
    if remaining_s <= 0:
        return FinalFailure(
            "expired", f"{failed.reason}; the deadline passed after {attempts_text}"
        )
    if not failed.retryable:
        return FinalFailure("failed", failed.reason)
    if attempts > max_retries:
        return FinalFailure("failed", f"gave up after {attempts_text}: {failed.reason}")
    delay_s = jitter * min(DELAY_MAX_S, BASE_DELAY_S * 2.0 ** min(attempts - 1, 30))
    if failed.retry_after_s is not None:
        delay_s += failed.retry_after_s
    if delay_s >= remaining_s:
        why = f"{attempts_text}, and no time for another before the deadline"
        if failed.retry_after_s is not None and failed.retry_after_s >= remaining_s:
            wait_text = f"the provider asks to wait {failed.retry_after_s:.1f} s"
            why = f"{attempts_text}; {wait_text}, and the deadline is in {remaining_s:.1f} s"
        return FinalFailure("expired", f"{failed.reason}; {why}")
    return Retry(delay_s)


def retry_after_s(text: str | None, now: datetime) -> float | None:
    """Seconds to wait by a `Retry-After` header; None if it is absent or cannot be read.

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


def requested_wait_s(
    headers: Mapping[str, str],
    *,
    is_limit: bool,
    retry_delay: str = "",
    text: str = "",
    now: datetime,
) -> float | None:
    """The wait that a provider requests, in seconds; None if it requests none.

    Args:
        headers: Headers with names in lower case: `retry-after-ms` (OpenAI, Azure), `retry-after`,
            and last `x-ratelimit-reset-*` (OpenAI, Groq) or `x-ratelimit-reset` (OpenRouter).
        is_limit: True if a limit was reached: `x-ratelimit-reset-*` comes with every answer.
        retry_delay: The delay of Gemini's RetryInfo, such as "37s".
        text: The provider's text, such as "Please try again in 5.289s".
        now: Wall time, aware UTC.
    """
    waits = (
        _milliseconds(headers.get("retry-after-ms")),
        retry_after_s(headers.get("retry-after"), now),
        duration_s(retry_delay),
        _wait_in_text(text),
        _reset_s(headers, now) if is_limit else None,
    )
    found = next((wait for wait in waits if wait is not None), None)
    return None if found is None else min(max(found, 0.0), RETRY_AFTER_MAX_S)


def duration_s(text: str) -> float | None:
    """A duration such as `1m30s`, `6m0s`, `7.66s`, `12ms` or `2 minutes` in seconds."""
    parts = _DURATION.findall(text[:100])
    if not parts:
        return None
    return sum(float(count) * _unit_s(unit) for count, unit in parts)


def _unit_s(unit: str) -> float:
    small = unit.lower()
    return _UNIT_S["ms" if small.startswith(("ms", "milli")) else small[0]]


def _milliseconds(text: str | None) -> float | None:
    try:
        wait_ms = float(text or "")
    except ValueError:
        return None
    return wait_ms / 1000 if 0 <= wait_ms < float("inf") else None


def _wait_in_text(text: str) -> float | None:
    found = _TRY_AGAIN.search(text)
    return duration_s(found[1]) if found else None


def _reset_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds until a limit that is used up is reset; until the first reset if none is used up."""
    waits = list(_resets(headers, now))
    used_up = [wait for wait, is_used_up in waits if is_used_up]
    return min(used_up or [wait for wait, _ in waits], default=None)


def _resets(headers: Mapping[str, str], now: datetime) -> Iterator[tuple[float, bool]]:
    names = [f"-{kind}" for kind in _RESET_HEADERS]
    for name in ("", *names):
        text = headers.get(f"x-ratelimit-reset{name}", "")
        if not text:
            continue
        left = headers.get(f"x-ratelimit-remaining{name}", "").strip()
        wait_s = _until_s(text, now)
        if wait_s is not None:
            yield wait_s, left in ("0", "0.0")


def _until_s(text: str, now: datetime) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return duration_s(text)
    if number != number:
        return None
    if number >= _EPOCH_MS_MIN:
        return number / 1000 - now.timestamp()
    return number - now.timestamp() if number >= _EPOCH_S_MIN else number
