"""Limits on requests and reconnects: token bucket, backoff, connect limiter. Pure.

Each venue has a rate of its own for REST. One connect per second is within the limits of all:
Coinbase Exchange allows 8 a second per address, Binance 300 in five minutes. Backoff is "full
jitter": uniform between zero and an exponentially growing cap (Brooker, "Exponential Backoff And
Jitter", AWS Architecture Blog, 2015).
"""

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final, Protocol

BACKOFF_BASE_S: Final = 1.0
BACKOFF_CAP_S: Final = 45.0
REFUSED_DELAY_MIN_S: Final = 5.0
"""Least delay after a 403 or 429, whatever the jitter."""
RETRY_AFTER_MAX_S: Final = 300.0
BAN_MAX_S: Final = 3 * 24 * 3600.0
"""Binance blocks an address for at most three days, and longer if it asks again before the end."""
BANNED: Final = 418
CONNECT_SPACING_S: Final = 1.0
DOUBLINGS_MAX: Final = 16


class Uniform(Protocol):
    """A source of randomness, such as `random.Random`."""

    def uniform(self, a: float, b: float, /) -> float:
        """A number between `a` and `b`."""


class TokenBucket:
    """A lazily refilled token bucket; the caller gives the monotonic time.

    Args:
        rate_per_s: Tokens added per second.
        burst: Capacity in tokens; it starts full.
    """

    def __init__(self, *, rate_per_s: float, burst: int) -> None:
        """Create a full bucket."""
        self.rate_per_s = rate_per_s
        self.burst = burst
        self._tokens = float(burst)
        self._at_s: float | None = None

    def reserve(self, now_s: float, tokens: int = 1) -> float:
        """Take tokens, now or in advance.

        Args:
            now_s: Monotonic seconds.
            tokens: Tokens that the request costs: its weight, if the venue limits weights.

        Returns:
            Seconds to wait before the request may be made; 0 if the tokens were available.
        """
        self._refill(now_s)
        self._tokens -= tokens
        return max(0.0, -self._tokens / self.rate_per_s)

    def freeze(self, now_s: float, delay_s: float) -> None:
        """Give out no tokens for `delay_s` seconds, as the venue requested."""
        self._refill(now_s)
        self._tokens = min(self._tokens, 1 - delay_s * self.rate_per_s)

    def _refill(self, now_s: float) -> None:
        if self._at_s is not None:
            gained = max(0.0, now_s - self._at_s) * self.rate_per_s
            self._tokens = min(float(self.burst), self._tokens + gained)
        self._at_s = now_s


class Backoff:
    """Delays between attempts: full jitter, capped, reset only by `reset`.

    Args:
        rng: Random source of the jitter.
        base_s: Cap of the first delay.
        cap_s: Cap of all delays.

    Attributes:
        failures: Attempts since the last reset.
    """

    def __init__(
        self, rng: Uniform, *, base_s: float = BACKOFF_BASE_S, cap_s: float = BACKOFF_CAP_S
    ) -> None:
        """Start at the shortest delay."""
        self._rng = rng
        self._base_s = base_s
        self._cap_s = cap_s
        self.failures = 0

    def next_delay(self) -> float:
        """Seconds to wait before the next attempt; each call counts as one failure."""
        ceiling = min(self._cap_s, self._base_s * 2 ** min(self.failures, DOUBLINGS_MAX))
        self.failures += 1
        return self._rng.uniform(0.0, ceiling)

    def reset(self) -> None:
        """Start again at the shortest delay, after the connection was stable."""
        self.failures = 0


class ConnectLimiter:
    """At most one connect per `spacing_s`."""

    def __init__(self, *, spacing_s: float = CONNECT_SPACING_S) -> None:
        """Create the limiter; the first connect may be made at once."""
        self._spacing_s = spacing_s
        self._last_s: float | None = None

    def reserve(self, now_s: float) -> float:
        """Reserve the next connect.

        Returns:
            Seconds to wait before it.
        """
        earliest = now_s if self._last_s is None else max(now_s, self._last_s + self._spacing_s)
        self._last_s = earliest
        return earliest - now_s


def retry_after(text: str | None, now: datetime, status: int = 429) -> float | None:
    """Seconds of a `Retry-After` header; None if it is not valid.

    Args:
        text: Seconds or an HTTP date (RFC 9110, section 10.2.3), or None without a header.
        now: Wall time, for a date.
        status: HTTP status of the response; at most `BAN_MAX_S` count for a 418, and
            `RETRY_AFTER_MAX_S` for all others.
    """
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - now).total_seconds()
        except (ValueError, TypeError):
            return None
    longest_s = BAN_MAX_S if status == BANNED else RETRY_AFTER_MAX_S
    return min(max(seconds, 0.0), longest_s) if seconds == seconds else None


def refused_delay(delay_s: float, asked_s: float | None) -> float:
    """Seconds to wait after a 403 or 429.

    Args:
        delay_s: Delay of the backoff; always a lower bound.
        asked_s: Seconds of the `Retry-After` header; None for `REFUSED_DELAY_MIN_S`.
    """
    return max(delay_s, asked_s if asked_s is not None else REFUSED_DELAY_MIN_S)
