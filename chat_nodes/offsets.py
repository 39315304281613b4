"""The offset of a partition that may be committed while records are handled out of order. Pure.

It is the low-water mark: every record below it is done. `chat_nodes.node` commits it.
"""


class LowWaterMark:
    """Offsets of one partition that were begun, in ascending order, and those not finished yet."""

    def __init__(self) -> None:
        """Start without offsets."""
        self._open: dict[int, None] = {}
        self._next: int | None = None

    def begin(self, offset: int) -> bool:
        """Begin an offset; False if it was begun before (a redelivery)."""
        if self._next is not None and offset < self._next:
            return False
        self._open[offset] = None
        self._next = offset + 1
        return True

    def finish(self, offset: int) -> None:
        """Finish an offset that was begun."""
        del self._open[offset]

    def next_offset(self) -> int | None:
        """The next offset to read after a restart; None if no offset was begun."""
        return next(iter(self._open), self._next)
