"""Which offset of a partition may be committed while its records are worked on out of order.

The low-water mark: everything below it is done. Pure; see `chat_nodes.node` for the commits.
"""


class LowWaterMark:
    """Offsets taken from one partition, in ascending order, and which of them are done."""

    def __init__(self) -> None:
        """Nothing taken yet."""
        self._open: dict[int, None] = {}
        self._next: int | None = None

    def take(self, offset: int) -> bool:
        """Begin with an offset; False where it was taken before (a redelivery)."""
        if self._next is not None and offset < self._next:
            return False
        self._open[offset] = None
        self._next = offset + 1
        return True

    def done(self, offset: int) -> None:
        """Finish an offset that was taken."""
        del self._open[offset]

    def mark(self) -> int | None:
        """The next offset to read after a restart; None where nothing was taken."""
        return next(iter(self._open), self._next)
