"""Bars of floats, and the base class of streaming indicators. Pure.

Indicators inform decisions; they never price an order. So they are the one place where a price
becomes a binary float.
"""

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


class Indicator(Copyable):
    """A streaming indicator of one series of bars."""

    __slots__ = ()

    def update(self, bar: Bar) -> None:
        """Take the next closed bar."""
        raise NotImplementedError

    @property
    def values(self) -> tuple[float | None, ...]:
        """The outputs after the newest bar; None until warm, or if undefined."""
        raise NotImplementedError
