"""How fast we may ask and how long we wait: token bucket, backoff, connect limiter. All pure.

Coinbase Exchange allows 10 REST requests/s (burst 15) and 8 connects/s per address; we take half
of the first and one a second of the second. Backoff is "full jitter": uniform between zero and an
exponentially growing cap (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
"""

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final, Protocol

REST_RATE_PER_S: Final = 5.0
REST_BURST: Final = 8
BACKOFF_BASE_S: Final = 1.0
BACKOFF_CAP_S: Final = 45.0
REFUSED_DELAY_MIN_S: Final = 5.0
"""At least this long after a 403 or 429, whatever the jitter says."""
RETRY_AFTER_MAX_S: Final = 300.0
CONNECT_SPACING_S: Final = 1.0
DOUBLINGS_MAX: Final = 16


class Uniform(Protocol):
    """A source of randomness, such as `random.Random`."""

    def uniform(self, a: float, b: float, /) -> float:
        """A number between `a` and `b`."""


class TokenBucket:
    """A lazily refilled token bucket; the caller brings the monotonic time.

    Args:
        rate_per_s: Tokens added per second.
        burst: Most tokens it holds; it starts full.
    """

    def __init__(self, *, rate_per_s: float = REST_RATE_PER_S, burst: int = REST_BURST) -> None:
        """Start full."""
        self.rate_per_s = rate_per_s
        self.burst = burst
        self._tokens = float(burst)
        self._at_s: float | None = None

    def reserve(self, now_s: float) -> float:
        """Take one token, now or in advance.

        Args:
            now_s: Monotonic seconds.

        Returns:
            Seconds to wait before the request may be made; 0 where a token was there.
        """
        self._refill(now_s)
        self._tokens -= 1
        return max(0.0, -self._tokens / self.rate_per_s)

    def freeze(self, now_s: float, delay_s: float) -> None:
        """Give out nothing for `delay_s` seconds: the venue said so."""
        self._refill(now_s)
        self._tokens = min(self._tokens, 1 - delay_s * self.rate_per_s)

    def _refill(self, now_s: float) -> None:
        if self._at_s is not None:
            gained = max(0.0, now_s - self._at_s) * self.rate_per_s
            self._tokens = min(float(self.burst), self._tokens + gained)
        self._at_s = now_s


class Backoff:
    """Delays between attempts: full jitter, capped, reset only when told.

    Args:
        rng: Where the jitter comes from.
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
        """Seconds to wait before the next attempt; each call counts one more failure."""
        ceiling = min(self._cap_s, self._base_s * 2 ** min(self.failures, DOUBLINGS_MAX))
        self.failures += 1
        return self._rng.uniform(0.0, ceiling)

    def reset(self) -> None:
        """Begin anew: data has flowed long enough to call the connection stable."""
        self.failures = 0


class ConnectLimiter:
    """At most one connect per `spacing_s`, however many reasons there are to connect."""

    def __init__(self, *, spacing_s: float = CONNECT_SPACING_S) -> None:
        """The first connect is free."""
        self._spacing_s = spacing_s
        self._last_s: float | None = None

    def reserve(self, now_s: float) -> float:
        """Book the next connect.

        Returns:
            Seconds to wait before it.
        """
        earliest = now_s if self._last_s is None else max(now_s, self._last_s + self._spacing_s)
        self._last_s = earliest
        return earliest - now_s


def retry_after(text: str | None, now: datetime) -> float | None:
    """Seconds a `Retry-After` header asks for, within `RETRY_AFTER_MAX_S`; None without one.

    Args:
        text: Seconds or an HTTP date (RFC 9110, section 10.2.3).
        now: Wall time, for the date form.
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
    return min(max(seconds, 0.0), RETRY_AFTER_MAX_S) if seconds == seconds else None


def refused_delay(delay_s: float, asked_s: float | None) -> float:
    """How long to wait after a 403 or 429: what was asked for, else a delay with a floor."""
    return max(delay_s, asked_s if asked_s is not None else REFUSED_DELAY_MIN_S)
