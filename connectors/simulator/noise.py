"""Seeded random integers that are the same on every machine and Python (splitmix64). Pure.

Generator: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
"""

from hashlib import blake2b
from typing import Final

_MASK: Final = 2**64 - 1
_GAMMA: Final = 0x9E3779B97F4A7C15
GAUSS_UNIT: Final = 1000
"""One standard deviation of `Noise.gauss`."""
_MEAN: Final = 8 * 65535 // 2
_DEVIATION: Final = 53510
"""Standard deviation of the sum of eight uniform 16-bit numbers: 65536 * sqrt(8 / 12)."""


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

    def gauss(self) -> int:
        """A nearly normal number around 0, in `GAUSS_UNIT`s per deviation (eight uniforms)."""
        total = 0
        for word in (self.bits(), self.bits()):
            total += (word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + (word >> 48)
        return (total - _MEAN) * GAUSS_UNIT // _DEVIATION
