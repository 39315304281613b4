"""Axes: round steps and the positions of values. Pure."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from arena.page.formats import minus

STEPS = (1, 2, 2.5, 5, 10)
TIME_STEPS_S = (
    1, 5, 10, 30, 60, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400,
    172_800, 604_800, 1_209_600, 2_592_000, 7_776_000, 31_536_000,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis; `at` is in the unit of the axis on the page."""

    at: float
    words: str


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values from `low` to `high` to places from 0 to `length`."""

    low: float
    high: float
    length: float

    def at(self, value: float) -> float:
        """The place of a value, to two digits."""
        return round((value - self.low) / (self.high - self.low) * self.length, 2)


def scale(values: list[float], length: float, margin: float = 0.05) -> Scale:
    """A scale that shows all values, with a margin as a share of their span."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    span = (high - low) or max(abs(high), 1.0) * 0.02
    return Scale(low - span * margin, high + span * margin, length)


def ticks(axis: Scale, count: int, *, signed: bool = True) -> tuple[tuple[float, str], ...]:
    """Round values on an axis with their labels, at most about `count`."""
    step = nice_step((axis.high - axis.low) / count)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    if step * 10**digits % 1:
        digits += 1
    first = math.ceil(axis.low / step - 1e-9)
    last = math.floor(axis.high / step + 1e-9)
    return tuple((k * step, _label(k * step, digits, signed)) for k in range(first, last + 1))


def nice_step(raw: float) -> float:
    """The smallest round step that is at least as large."""
    power = 10.0 ** math.floor(math.log10(raw))
    return next(s * power for s in STEPS if s * power >= raw * (1 - 1e-9))


def _label(value: float, digits: int, signed: bool) -> str:
    words = minus(f"{value:{'+' if signed else ''},.{digits}f}")
    return words if any(char in "123456789" for char in words) else "0"


def time_ticks(first_ms: int, last_ms: int, count: int) -> tuple[tuple[int, str], ...]:
    """Round times between two in Unix milliseconds, with labels in UTC."""
    span_s = max(1.0, (last_ms - first_ms) / 1000)
    step_s = next((s for s in TIME_STEPS_S if s >= span_s / count), TIME_STEPS_S[-1])
    start = math.ceil(first_ms / 1000 / step_s) * step_s
    seconds = range(start, int(last_ms / 1000) + 1, step_s)
    form = "%H:%M:%S" if step_s < 60 else "%H:%M" if step_s < 86_400 else "%d %b"
    return tuple((s * 1000, f"{datetime.fromtimestamp(s, UTC):{form}}") for s in seconds)
