"""Repeated failures as few log lines: the first, the 2nd, 4th, 8th, ..., and the end. Pure."""

from dataclasses import dataclass, field

NAMES_MAX = 4_096
"""Runs that are counted at once; of more the oldest is forgotten."""


@dataclass(frozen=True, slots=True)
class FailureStreak:
    """What a log should say now.

    Attributes:
        failures: In a row, with the newest.
        over: True if the run has ended with a success.
    """

    failures: int
    over: bool = False


@dataclass(slots=True)
class FailureStreaks:
    """Counts failures in a row, by name."""

    _runs: dict[str, int] = field(default_factory=dict)

    def failed(self, name: str) -> FailureStreak | None:
        """Count a failure; None if the log need not say it."""
        count = self._runs.pop(name, 0) + 1
        self._runs[name] = count
        if len(self._runs) > NAMES_MAX:
            del self._runs[next(iter(self._runs))]
        return FailureStreak(count) if count & (count - 1) == 0 else None

    def succeeded(self, name: str) -> FailureStreak | None:
        """End a run; None if there was none."""
        count = self._runs.pop(name, 0)
        return FailureStreak(count, over=True) if count else None
