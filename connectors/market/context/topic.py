"""Reads `market.context` from its start, and folds it: what is visible, and what is known.

Writes `dead_letters` for records that are not items.
"""

from contextlib import aclosing
from typing import Final

from arena import topics
from arena.bus.base import LogReader
from arena.context.lines import content_of
from arena.context.visible import ContextBook
from arena.messages import ContextItem
from arena.node import Node
from arena.read_topic import read_to_ends

NAME: Final = topics.CONTEXT.name
KNOWN_MAX: Final = 1_000_000
"""Most digests of published items, two of each; the oldest are forgotten."""


class ContextTopic:
    """The topic, read as far as `read` has come.

    Args:
        node: The process.

    Attributes:
        book: The items, in the order of the log.
        offsets: Partition -> offset after the last record that was read, if there is one.
    """

    def __init__(self, node: Node) -> None:
        """Take the process; `read` opens the topic."""
        self.book = ContextBook()
        self.offsets: dict[int, int] = {}
        self._node = node
        self._known: dict[bytes, None] = {}
        self._reader: LogReader | None = None

    async def read(self) -> None:
        """Read to the end that the topic has now.

        Raises:
            BrokerUnavailable: The log gives no records before its end.
        """
        if self._reader is None:
            await self._node.bus.ensure_topics([topics.CONTEXT, topics.DEAD_LETTERS])
            self._reader = await self._node.bus.log_reader(NAME)
        async with aclosing(read_to_ends(self._reader)) as batches:
            async for records in batches:
                for record in records:
                    self.offsets[record.partition] = record.offset + 1
                    message = await self._node.read_message(record)
                    if isinstance(message, ContextItem):
                        self.book.take(message)
                        self._add(content_of(message))
                        self._add(content_of(message, with_time=False))
                    elif message is not None:
                        what = f"a {message.type_name()} is not a ContextItem"
                        await self._node.dead_letter(record, what)

    def knows(self, content: bytes) -> bool:
        """True if an item with this id and content (`content_of`) was published before."""
        return content in self._known

    async def close(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            await self._reader.close()
            self._reader = None

    def _add(self, content: bytes) -> None:
        self._known[content] = None
        while len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]
