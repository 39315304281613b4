"""Clock skew out of heartbeats."""

from datetime import UTC, datetime, timedelta

import pytest

from arena.clock_skew import NOTICED_S, Skew, SkewFold, broker_now, by_broker_clock, skew_line
from arena.messages import Heartbeat
from operations.commands.status_rows import process_rows

NOW_MS = 1_790_000_000_000


@pytest.mark.parametrize("skew_ms", [-3_600_000, -5_000, 0, 400, 5_000, 86_400_000])
def test_clock_that_is_off_is_noticed(skew_ms: int) -> None:
    """Ahead or behind, by more than a second; latency does not count against a host."""
    fold = SkewFold()
    for number, late_ms in enumerate((900, 20, 700)):
        at_ms = NOW_MS + number * 5_000
        fold.note("alpha", at_ms + skew_ms, at_ms + late_ms)

    (found,) = fold.skews(broker_time=True)

    assert found.skew_s == pytest.approx((skew_ms - 20) / 1_000)
    assert found.is_noticed == (abs(skew_ms) > NOTICED_S * 1_000)
    assert ("set that clock" in skew_line([found])) == found.is_noticed


def test_delayed_heartbeats_are_not_skew() -> None:
    """The newest heartbeat that arrived after the cut counts."""
    fold = SkewFold()
    for made_s in range(0, 40, 5):
        fold.note("alpha", NOW_MS + made_s * 1_000, NOW_MS + 40_000)
    fold.note("alpha", NOW_MS + 40_000, NOW_MS + 40_010)

    assert not fold.skews(broker_time=True)[0].is_noticed


def test_corrected_clock_has_no_skew_after_a_minute() -> None:
    """What came more than a minute before the newest does not count."""
    fold = SkewFold()
    fold.note("alpha", NOW_MS + 90_000, NOW_MS)
    fold.note("alpha", NOW_MS + 61_000, NOW_MS + 61_010)

    assert not fold.skews(broker_time=True)[0].is_noticed


def test_skew_is_unknown_without_broker_time() -> None:
    """For a topic without broker timestamps, every host is "unknown"."""
    fold = SkewFold()
    fold.note("beta", NOW_MS, NOW_MS)
    fold.note("alpha", NOW_MS + 90_000, NOW_MS)

    found = fold.skews(broker_time=False)

    assert "clocks against the broker's: alpha unknown, beta unknown" == skew_line(found)
    assert "" == skew_line(())


def beat_of(at: datetime, started_at: datetime) -> Heartbeat:
    """A heartbeat of a process on beta."""
    return Heartbeat(
        node="router/mo/beta/7",
        kind="router",
        name="mo",
        host="beta",
        pid=7,
        started_at=started_at,
        at=at,
        interval_s=5,
    )


@pytest.mark.parametrize(("theirs_s", "ours_s"), [(0, 0), (-40, 0), (40, 0), (0, 90), (-40, -90)])
@pytest.mark.parametrize(("silent_s", "health"), [(2, "ok"), (14, "ok"), (16, "stale")])
def test_silence_is_measured_by_the_brokers_clock(
    theirs_s: int, ours_s: int, silent_s: int, health: str
) -> None:
    """Neither a host's wrong clock nor that of the reader makes a process stale, or hides it."""
    real = datetime.fromtimestamp(NOW_MS / 1_000, UTC)
    made = real + timedelta(seconds=theirs_s)
    beat = beat_of(made, made - timedelta(seconds=60))
    asked_at = real + timedelta(seconds=silent_s + ours_s)
    now = broker_now(asked_at, "alpha", [Skew("beta", theirs_s), Skew("alpha", ours_s)])

    (row,) = process_rows(
        [by_broker_clock(beat, NOW_MS)], None, host="alpha", now=now, interval_s=5
    )

    assert (health, silent_s) == (row.health, row.age_s)


@pytest.mark.parametrize(
    ("at", "appended_ms"),
    [(datetime(9999, 12, 31, tzinfo=UTC), 0), (datetime(2026, 1, 1, tzinfo=UTC), 2**63 - 1)],
)
def test_out_of_range_times_are_unchanged(at: datetime, appended_ms: int) -> None:
    """They are of a record that no clock has stamped."""
    beat = beat_of(at, datetime(1, 1, 2, tzinfo=UTC))

    assert beat == by_broker_clock(beat, appended_ms)
