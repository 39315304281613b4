"""The broker's time, as a process on a host with a wrong clock knows it."""

from datetime import UTC, datetime, timedelta

import pytest

from arena.broker_clock import SOURCES_MAX, WINDOW_S, BrokerClock
from arena.clock import ManualClock

BROKER = datetime(2026, 11, 29, 9, tzinfo=UTC)


def ms(at: datetime) -> float:
    """Unix milliseconds."""
    return at.timestamp() * 1_000


@pytest.mark.parametrize("wrong_s", [-3_600, -40, 0, 40, 3_600])
def test_wrong_clock_of_the_host_does_not_matter(wrong_s: float) -> None:
    """Once a record was appended, the broker's time runs on with the monotonic clock."""
    host = ManualClock(BROKER + timedelta(seconds=wrong_s))
    known = BrokerClock(host)
    assert (False, host.now()) == (known.is_known, known.now())

    known.note_append(ms(BROKER))
    host.advance(7)

    assert known.is_known
    assert BROKER + timedelta(seconds=7) == known.now()


def test_records_that_came_late_do_not_set_it_back() -> None:
    """After a cut link the records of the cut arrive at once: the freshest counts."""
    host = ManualClock(BROKER)
    known = BrokerClock(host)
    host.advance(40)
    for made_s in (0, 20, 39.5, 10):
        known.note_append(ms(BROKER + timedelta(seconds=made_s)))

    assert BROKER + timedelta(seconds=39.5) == known.now()


def test_broker_whose_clock_was_set_back_is_followed() -> None:
    """A time from more than a minute ago does not count against a new one."""
    host = ManualClock(BROKER)
    known = BrokerClock(host)
    known.note_append(ms(BROKER))
    host.advance(WINDOW_S + 1)
    known.note_append(ms(BROKER))

    assert BROKER == known.now()


def test_one_host_with_a_wrong_clock_does_not_decide() -> None:
    """If records carry the clocks of the hosts, the host in the middle counts."""
    host = ManualClock(BROKER)
    known = BrokerClock(host)
    for name, wrong_s in (("alpha", 0), ("beta", 3_600), ("gamma", 1)):
        known.note_append(ms(BROKER + timedelta(seconds=wrong_s)), name)

    assert BROKER + timedelta(seconds=1) == known.now()


@pytest.mark.parametrize("strange_ms", [-1, 2**63 - 1, -(2**63), float("nan")])
def test_impossible_time_is_ignored(strange_ms: float) -> None:
    """A record with a far-away time stops no reader."""
    host = ManualClock(BROKER)
    known = BrokerClock(host)
    known.note_append(strange_ms)

    assert (False, BROKER) == (known.is_known, known.now())


def test_number_of_hosts_is_bounded() -> None:
    """The one that was heard longest ago is forgotten."""
    host = ManualClock(BROKER)
    known = BrokerClock(host)
    known.note_append(ms(BROKER) + 9e9, "old")
    for number in range(SOURCES_MAX):
        host.advance(0.001)
        known.note_append(ms(BROKER), str(number))

    assert SOURCES_MAX == len(known._ahead)
    assert "old" not in known._ahead
