"""How much of a batch is already in the log after a kill. Pure."""

from collections.abc import Sequence


def already_appended(batch: Sequence[bytes], tail: Sequence[bytes]) -> int:
    """Return how many records of a batch need not be appended again.

    A process that was killed has left a prefix of its batch after the last snapshot, or the whole
    batch. If anything else is there (such as a batch that was repeated for a late executor), the
    whole batch is appended once more. That is harmless: the records are identical, readers keep the
    last of each product, and the snapshot names the offsets after the last.

    Args:
        batch: Values to append to a partition, in order.
        tail: Values in the partition after the last snapshot's offset, in order.

    Returns:
        Length of the tail if it is a prefix of the batch, else 0.
    """
    return len(tail) if list(tail) == list(batch[: len(tail)]) else 0
