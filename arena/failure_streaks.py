"""Logs repeated failures as few lines: the 1st, 2nd, 4th, 8th, ..., and the recovery. Pure."""

from dataclasses import dataclass, field

NAMES_MAX = 4_096
"""Number of streaks that are tracked; beyond it the oldest is dropped."""


@dataclass(frozen=True, slots=True)
class FailureStreak:
    """A streak of failures that should be logged now.

    Attributes:
        failures: Failures in a row, with the newest.
        over: True if a success ended the streak.
    """

    failures: int
    over: bool = False


@dataclass(slots=True)
class FailureStreaks:
    """Counts failures in a row, by name."""

    _runs: dict[str, int] = field(default_factory=dict)

    def failed(self, name: str) -> FailureStreak | None:
        """Count a failure; None if it should not be logged."""
        count = self._runs.pop(name, 0) + 1
        self._runs[name] = count
        if len(self._runs) > NAMES_MAX:
            del self._runs[next(iter(self._runs))]
        return FailureStreak(count) if count & (count - 1) == 0 else None

    def succeeded(self, name: str) -> FailureStreak | None:
        """End a streak; None if there was none."""
        count = self._runs.pop(name, 0)
        return FailureStreak(count, over=True) if count else None
