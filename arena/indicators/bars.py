"""Bars of floats, and the base class of streaming indicators. Pure.

Indicators inform decisions; they never price an order. So they are the one place where a price
becomes a binary float.
"""

from abc import ABC, abstractmethod
from collections import deque
from functools import cache
from typing import Final, NamedTuple, Self

MINUTE_S: Final = 60


class Bar(NamedTuple):
    """One closed bar; `start_s` is in Unix seconds, prices are in quote units."""

    start_s: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Copyable:
    """An object whose attributes are values, deques of values, or objects of this kind."""

    __slots__: tuple[str, ...] = ()

    def copy(self) -> Self:
        """An independent copy: updates of one do not change the other."""
        kind: type = type(self)
        twin = object.__new__(type(self))
        for name in _attributes(kind):
            value = getattr(self, name)
            setattr(twin, name, value.copy() if isinstance(value, _COPIED) else value)
        return twin


_COPIED: Final = (deque, Copyable)


@cache
def _attributes(kind: type) -> tuple[str, ...]:
    """The names in the slots of a class and of its base classes."""
    return tuple(name for one in kind.__mro__ for name in getattr(one, "__slots__", ()))


class Indicator(Copyable, ABC):
    """A streaming indicator of one series of bars."""

    __slots__ = ()

    @abstractmethod
    def update(self, bar: Bar) -> None:
        """Take the next closed bar."""

    @property
    @abstractmethod
    def values(self) -> tuple[float | None, ...]:
        """The outputs after the newest bar; None until warm, or if undefined."""


class CloseWindow(Indicator):
    """An indicator of the newest closes.

    Args:
        bars: Number of closes to keep.
    """

    __slots__ = ("_closes",)

    def __init__(self, bars: int) -> None:
        """Start without closes."""
        self._closes: deque[float] = deque(maxlen=bars)

    def update(self, bar: Bar) -> None:
        """Take the next closed bar."""
        self._closes.append(bar.close)
