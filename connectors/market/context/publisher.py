"""Publishes the lines of files to `market.context`, each item once.

An item whose id and content are in the topic already is not published again, also after a restart.
A line that cannot be used becomes a dead letter that names file and line, and the others continue.
In real time an item with a date in the future is refused: it is an error of the file, or of a
clock. In a simulated market it waits for its time.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from arena.bus.base import Record
from arena.context.files import FileLine, FileTail, read_part
from arena.context.lines import LineRefused, content_of
from arena.messages import ContextItem
from arena.node import Node
from connectors.market.context.topic import NAME, ContextTopic

AHEAD_MAX: Final = timedelta(seconds=5)
"""How far an item may be ahead of this process's clock in real time: clocks differ."""
IN_FLIGHT_MAX: Final = 500
PUBLISHED: Final = "context_published"
KNOWN: Final = "context_known"
REFUSED: Final = "context_refused"


class Market(NamedTuple):
    """What kind of market the items are for.

    Attributes:
        simulated: True for simulated and recorded markets.
        first: Venue time of the first snapshot; None in a real market, or before the first.
    """

    simulated: bool = False
    first: datetime | None = None


class ContextPublisher:
    """Publishes the items of lines.

    Args:
        node: The process; its counters get what was published, known and refused.
        topic: The topic, read to its end, so that it knows what was published.
    """

    def __init__(self, node: Node, topic: ContextTopic) -> None:
        """Take the process and the topic."""
        self._node = node
        self._topic = topic

    async def publish_file(self, path: Path, market: Market) -> None:
        """Publish all lines of a file, and log the counts.

        Raises:
            UsageError: It cannot be read.
        """
        tail = FileTail(path)
        while lines := await self._node.threads.run(partial(read_part, tail)):
            await self.publish(lines, market)
            self.log_progress(path, lines[-1].number)

    def log_progress(self, path: Path, line: int) -> None:
        """Log how far a file was read, and the counts of all files."""
        counters = self._node.counters
        counts = {name: counters[name] for name in (PUBLISHED, KNOWN, REFUSED)}
        self._node.log.info("context", file=path.name, line=line, **counts)

    async def publish(self, lines: Iterable[FileLine], market: Market) -> None:
        """Publish the items of lines that are new, and wait for the acks.

        Args:
            lines: The lines, in the order in which their items are to be in the topic.
            market: The market.
        """
        counters = self._node.counters
        batch: dict[bytes, ContextItem] = {}
        for line in lines:
            try:
                parsed = line.parsed(market.first if market.simulated else None)
                self._require_past(parsed.items, market)
            except LineRefused as error:
                await self._refuse(line, error)
                continue
            for item in parsed.items:
                content = content_of(item, with_time=not parsed.is_relative)
                if self._topic.knows(content) or content in batch:
                    counters[KNOWN] += 1
                    continue
                batch[content] = item
                if len(batch) >= IN_FLIGHT_MAX:
                    await self._send(batch.values())
                    batch.clear()
        await self._send(batch.values())

    async def _send(self, items: Iterable[ContextItem]) -> None:
        """Append items and read them back, so that the topic knows them."""
        now = self._node.clock.now()
        futures = [
            await self._node.bus.send(
                NAME, item.model_copy(update={"received_at": now}), key=item.product_id
            )
            for item in items
        ]
        for future in futures:
            await future
            self._node.counters[PUBLISHED] += 1
        await self._topic.read()

    def _require_past(self, items: Iterable[ContextItem], market: Market) -> None:
        now = self._node.clock.now()
        for item in items:
            if not market.simulated and item.published_at > now + AHEAD_MAX:
                raise LineRefused(
                    f"published_at: {item.published_at.isoformat()} is in the future (it is"
                    f" {now.isoformat(timespec='seconds')}), and the market is a real one",
                    remedy="correct the date, or this host's clock; items for a simulated market"
                    " are accepted once it has published a snapshot",
                )

    async def _refuse(self, line: FileLine, error: LineRefused) -> None:
        """Keep a line that cannot be used as a dead letter, and warn."""
        self._node.counters[REFUSED] += 1
        record = Record(
            topic=NAME,
            partition=0,
            offset=-1,
            timestamp_ms=int(self._node.clock.now().timestamp() * 1000),
            key=line.place.encode("utf-8", "backslashreplace"),
            value=line.content,
            headers={"file": str(line.path).encode("utf-8", "backslashreplace"),
                     "line": b"%d" % line.number},
        )  # fmt: skip
        await self._node.dead_letter(record, f"{line.place}: {error}")
