"""The windows of a walk-forward from flags. Pure."""

from importlib import import_module
from typing import Any, Final

from arena.durations import duration_option
from arena.errors import UsageError

DAYS_MAX: Final = 3_660
ROOM_OF_WINDOWS: Final = "judge.sweep.walk_forward"


def windows_of(train: str | None, test: str | None, step: str | None, interval_s: float) -> Any:
    """The windows in periods; None without flags.

    Args:
        train: Market time in which a window chooses, such as "90d".
        test: Market time after it that measures.
        step: Market time from window to window; None for that of `test`.
        interval_s: Market time between two snapshots.

    Raises:
        UsageError: One of the first two is missing, or a time is not one.
    """
    if train is None and test is None and step is None:
        return None
    if train is None or test is None:
        raise UsageError(
            "a walk-forward needs --train and --test", remedy="such as --train 60d --test 20d"
        )
    lengths = [
        _periods(flag, text, interval_s)
        for flag, text in (("--train", train), ("--test", test), ("--step", step or test))
    ]
    return import_module(ROOM_OF_WINDOWS).Windows(*lengths)


def _periods(flag: str, text: str, interval_s: float) -> int:
    periods = int(duration_option(flag, text, DAYS_MAX) // interval_s)
    if periods < 2:
        raise UsageError(
            f"{flag} {text} has fewer than two snapshots of {interval_s:g} s",
            remedy="choose a longer time",
        )
    return periods
