"""What of a batch stands in the log already, after a kill. Pure."""

from collections.abc import Sequence


def already_appended(batch: Sequence[bytes], tail: Sequence[bytes]) -> int:
    """How many records of a batch need not be appended again.

    A process that was killed has left a beginning of its batch behind the last snapshot, or the
    whole of it. Anything else there (a batch that was repeated for whoever came late, say) leads to
    the whole batch being appended once more. That is harmless: the records are the same to the
    byte, readers keep the last of each product, and the snapshot names the offsets behind the last.

    Args:
        batch: Values to be appended to a partition, in order.
        tail: Values in it behind the last snapshot's offset, in order.

    Returns:
        Length of the beginning of the batch that the tail is; 0 where it is something else.
    """
    return len(tail) if list(tail) == list(batch[: len(tail)]) else 0
