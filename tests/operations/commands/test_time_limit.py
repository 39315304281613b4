"""The time limit of a supervised run."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from operations.commands import supervised_run
from operations.commands.supervised_run import supervise


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that each tick of a run advances by a second; the times of the ticks."""
    times = [0.0]

    def sleep(_: float) -> None:
        times.append(times[-1] + 1.0)

    monkeypatch.setattr(time, "monotonic", lambda: times[-1])
    monkeypatch.setattr(time, "sleep", sleep)
    return times


# Any: stands in for a run and its signals.
def run() -> Any:
    """A run whose processes go on."""
    supervisor = SimpleNamespace(foreground_ended=False, all_ended=False)
    return SimpleNamespace(tick=lambda: None, supervisor=supervisor)


def signals() -> Any:
    """No signal comes."""
    return SimpleNamespace(received=None)


@pytest.mark.parametrize(
    ("begins_s", "ends_s"),
    [(0.0, 8.0), (25.0, 33.0), (1e9, supervised_run.BEGIN_S_MAX + 1 + 8)],
)
def test_limit_counts_from_the_begin(ticks: list[float], begins_s: float, ends_s: float) -> None:
    """A slow start does not shorten the run, and one that never begins still ends."""
    shown: list[tuple[float, float]] = []
    supervise(
        run(),
        signals(),
        seconds=8,
        has_begun=lambda: ticks[-1] >= begins_s,
        on_tick=lambda elapsed_s, counted_s: shown.append((elapsed_s, counted_s)),
    )

    assert ends_s == ticks[-1]
    assert (0.0, 0.0) == shown[0]
    assert (ends_s, 8.0) == shown[-1]
