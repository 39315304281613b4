"""Token bucket, backoff, connect limiter, Retry-After."""

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.market.rate_limits import (
    BACKOFF_CAP_S,
    BAN_MAX_S,
    REFUSED_DELAY_MIN_S,
    RETRY_AFTER_MAX_S,
    Backoff,
    ConnectLimiter,
    TokenBucket,
    refused_delay,
    retry_after,
)
from connectors.venues.coinbase.venue import REST_BURST, REST_RATE_PER_S
from connectors.venues.coinbase.venue import VENUE as COINBASE

NOW = datetime(2026, 9, 10, tzinfo=UTC)


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=100))
def test_bucket_never_allows_more_than_burst_plus_rate(pauses: list[float]) -> None:
    """In any window at most burst + rate * window requests are made."""
    bucket = COINBASE.rate_limit()
    now_s = 0.0
    made_s: list[float] = []
    for pause_s in pauses:
        now_s += pause_s
        made_s.append(now_s + bucket.reserve(now_s))

    assert made_s == sorted(made_s)
    for first in range(len(made_s)):
        for last in range(first, len(made_s)):
            window_s = made_s[last] - made_s[first]
            assert last - first + 1 <= REST_BURST + REST_RATE_PER_S * window_s + 1e-6


def test_request_costs_its_weight() -> None:
    """A venue that limits weights counts a heavy request as many."""
    bucket = TokenBucket(rate_per_s=10.0, burst=30)

    assert 0.0 == bucket.reserve(0.0, 25)
    assert 2.0 == pytest.approx(bucket.reserve(0.0, 25))
    assert 2.1 == pytest.approx(bucket.reserve(0.0))


def test_frozen_bucket_delays_requests() -> None:
    """The next request waits for as long as the venue asked."""
    bucket = COINBASE.rate_limit()
    bucket.reserve(0.0)
    bucket.freeze(0.0, 3.0)

    assert 3.0 == pytest.approx(bucket.reserve(0.0))
    assert 0.0 == bucket.reserve(60.0)


@given(st.integers(), st.integers(1, 40))
def test_backoff_stays_under_its_growing_cap(seed: int, failures: int) -> None:
    """Full jitter is between zero and the doubled base, never above the cap."""
    backoff = Backoff(random.Random(seed))
    delays = [backoff.next_delay() for _ in range(failures)]

    assert all(0 <= delay <= min(BACKOFF_CAP_S, 2**n) for n, delay in enumerate(delays))


def test_backoff_starts_again_only_after_a_reset() -> None:
    """Forty failures do not overflow, and a reset clears them."""
    backoff = Backoff(random.Random(1))
    for _ in range(40):
        backoff.next_delay()
    backoff.reset()

    assert backoff.next_delay() <= 1.0


def test_connects_are_a_second_apart() -> None:
    """Three connects at once are spread over two seconds."""
    limiter = ConnectLimiter()

    assert [0.0, 1.0, 2.0] == [limiter.reserve(5.0) for _ in range(3)]
    assert 0.0 == limiter.reserve(100.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", None),
        ("3", 3.0),
        ("-3", 0.0),
        ("99999", RETRY_AFTER_MAX_S),
        ("nan", None),
        ("Thu, 10 Sep 2026 00:00:07 GMT", 7.0),
        ("soon", None),
    ],
)
def test_retry_after(text: str | None, expected: float | None) -> None:
    """Seconds and dates are bounded; anything else is ignored."""
    assert expected == retry_after(text, NOW)


def test_ban_is_waited_for() -> None:
    """A 418 names the end of a ban, which requests before it make longer: up to three days."""
    assert 86_400.0 == retry_after("86400", NOW, 418)
    assert BAN_MAX_S == retry_after("1e300", NOW, 418)
    assert RETRY_AFTER_MAX_S == retry_after("86400", NOW, 429)


def test_delay_after_a_refusal() -> None:
    """It is at least five seconds if the venue does not say how long."""
    assert REFUSED_DELAY_MIN_S == refused_delay(0.1, None)
    assert 30.0 == refused_delay(30.0, None)
    assert 2.0 == refused_delay(0.1, 2.0)
