"""Seeded random integers that are the same on every machine and Python (splitmix64). Pure.

Generator: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
"""

from functools import cache
from hashlib import blake2b
from sys import byteorder
from typing import Final

_MASK: Final = 2**64 - 1
_GAMMA: Final = 0x9E3779B97F4A7C15
GAUSS_UNIT: Final = 1000
"""One standard deviation of `Noise.gauss`."""
_MEAN: Final = 8 * 65535 // 2
_DEVIATION: Final = 53510
"""Standard deviation of the sum of eight uniform 16-bit numbers: 65536 * sqrt(8 / 12)."""


LANES_MAX: Final = 768
"""Most numbers that are drawn at once."""


@cache
def _lanes(count: int) -> tuple[int, int, int]:
    """For `count` parts of 128 bits: ones, the multiples of gamma from 1 on, and masks of 64."""
    ones = sum(1 << 128 * i for i in range(count))
    gammas = sum((_GAMMA * (i + 1) & _MASK) << 128 * i for i in range(count))
    return ones, gammas, ones * _MASK


class Noise:
    """An endless stream of random integers.

    Args:
        parts: Values that name the stream, such as a seed and a product; equal parts give equal
            streams.
    """

    def __init__(self, *parts: object) -> None:
        """Start the stream that `parts` name."""
        digest = blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
        self._state = int.from_bytes(digest, "big")

    def bits(self) -> int:
        """The next 64 bits."""
        self._state = (self._state + _GAMMA) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1."""
        return (self.bits() * bound) >> 64

    def between(self, low: int, high: int) -> int:
        """A number from `low` to `high`, both inclusive."""
        return low + self.below(high - low + 1)

    def sum_between(self, low: int, high: int, count: int) -> int:
        """The sum of `count` numbers of `between`, drawn at once: ten times as fast.

        The numbers are side by side in one integer, each with 128 bits: enough for any product.
        """
        total = low * count
        while count > 0:
            lanes = min(count, LANES_MAX)
            ones, gammas, mask = _lanes(lanes)
            z = (self._state * ones + gammas) & mask
            z = (z ^ (z >> 30 & mask)) * 0xBF58476D1CE4E5B9 & mask
            z = (z ^ (z >> 27 & mask)) * 0x94D049BB133111EB & mask
            numbers = ((z ^ (z >> 31 & mask)) * (high - low + 1)) >> 64 & mask
            words = memoryview(numbers.to_bytes(16 * lanes, byteorder)).cast("Q")
            total += sum(words.tolist())
            self._state = (self._state + _GAMMA * lanes) & _MASK
            count -= lanes
        return total

    def gauss(self) -> int:
        """A nearly normal number around 0, in `GAUSS_UNIT`s per deviation (eight uniforms)."""
        total = 0
        for word in (self.bits(), self.bits()):
            total += (word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + (word >> 48)
        return (total - _MEAN) * GAUSS_UNIT // _DEVIATION
