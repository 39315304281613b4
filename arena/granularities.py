"""Lengths of bars by name, such as "15m". Pure."""

from collections.abc import Mapping
from typing import Final

from arena.errors import UsageError

MINUTE: Final = "1m"
GRANULARITIES: Final[Mapping[str, int]] = {
    MINUTE: 60,
    "5m": 300,
    "15m": 900,
    "1h": 3_600,
    "1d": 86_400,
}
"""Name of a granularity -> seconds of a bar, shortest first."""
_SHOWN_MAX: Final = 80


def find_granularity(name: str) -> int:
    """Seconds of a granularity's bar.

    Raises:
        UsageError: It is unknown.
    """
    if name not in GRANULARITIES:
        raise UsageError(
            f"unknown granularity {name[:_SHOWN_MAX]!r}",
            remedy=f"the granularities are {', '.join(GRANULARITIES)}",
        )
    return GRANULARITIES[name]


def granularity_of(length_s: int) -> str:
    """The name of the granularity whose bars have a length in seconds.

    Raises:
        UsageError: There is none.
    """
    for name, seconds in GRANULARITIES.items():
        if seconds == length_s:
            return name
    raise UsageError(
        f"no granularity has bars of {length_s} s",
        remedy=f"the granularities are {', '.join(GRANULARITIES)}",
    )
