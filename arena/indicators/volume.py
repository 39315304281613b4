"""Volume against its own mean. Pure."""

from collections import deque
from math import fsum

from arena.indicators.bars import Bar, Indicator


class VolumeRatio(Indicator):
    """Volume of the newest bar / mean volume of the n bars before it.

    The newest bar is not part of the mean. None while those n bars have no volume.
    """

    __slots__ = ("_length", "_volumes")

    def __init__(self, length: int) -> None:
        """Take the number of bars of the mean."""
        self._length = length
        self._volumes: deque[float] = deque(maxlen=length + 1)

    def update(self, bar: Bar) -> None:
        """Take the next closed bar."""
        self._volumes.append(bar.volume)

    @property
    def values(self) -> tuple[float | None, ...]:
        """The ratio: 2 is twice the usual volume."""
        if len(self._volumes) <= self._length:
            return (None,)
        newest = self._volumes[-1]
        before = list(self._volumes)
        before.pop()
        total = fsum(before)
        return (newest * self._length / total if total else None,)
