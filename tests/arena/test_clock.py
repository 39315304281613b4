"""The clock seam, and the hook by which a storm moves a process's wall time."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arena.clock import SHIFT_VARIABLE, SystemClock


@pytest.mark.parametrize(
    ("text", "expected_s"), [("3600", 3600), ("-30.5", -30.5), ("nonsense", 0), ("1e300", 0)]
)
def test_shift_moves_wall_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected_s: float
) -> None:
    """The seconds in the process's own file are added; other content is ignored."""
    monkeypatch.setenv(SHIFT_VARIABLE, str(tmp_path))
    (tmp_path / str(os.getpid())).write_text(text)
    clock = SystemClock()

    assert abs((clock.now() - datetime.now(UTC)).total_seconds() - expected_s) < 5
    assert clock.now().tzinfo is UTC


def test_boot_time_only_grows() -> None:
    """It counts seconds like the monotonic clock."""
    clock = SystemClock()
    first = clock.boot_s()

    assert 0 <= clock.boot_s() - first < 5


def test_without_variable_clock_is_not_shifted(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable, no shift; another process's file moves nothing either."""
    monkeypatch.delenv(SHIFT_VARIABLE, raising=False)

    assert abs((SystemClock().now() - datetime.now(UTC)).total_seconds()) < 5
