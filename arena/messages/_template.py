"""A message type to copy.

To add one, copy this file to `<name>.py`, import the class in `arena/messages/__init__.py` and add
it to `__all__` there, and name it in the topic that holds it, in `arena/topics.py`. A field that is
added later needs a default, so that older records can still be read.
"""

from arena.messages.base import Message, Utc


class SnapshotCount(Message):
    """How many snapshots a market has published.

    Attributes:
        count: Number of snapshots since the start.
        as_of: Venue time of the newest.
    """

    count: int
    as_of: Utc
