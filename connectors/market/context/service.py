"""`arena connector context`: publishes files of dated context once, or follows a folder.

Reads the files, `market.context` and `market.snapshots`; writes `market.context`, and
`dead_letters` for lines that cannot be used. A folder is looked at every second: new files, lines
that are appended, files that were replaced or truncated. A last line without a line end waits.
"""

from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from arena import topics
from arena.bounded_files import NotReadable
from arena.bus.base import EARLIEST
from arena.context.files import FileLine, FileTail, files_in
from arena.errors import ArenaError, UsageError
from arena.messages import MarketSnapshot
from arena.node import Node
from arena.plural import counted
from arena.read_topic import read_to_ends
from connectors.market.context.publisher import KNOWN, PUBLISHED, REFUSED, ContextPublisher, Market
from connectors.market.context.snapshot_context import first_as_of
from connectors.market.context.topic import ContextTopic

LOOK_EVERY_S: Final = 1.0
LOOK_BACK: Final = 16
"""Records at the end of `market.snapshots` that are read to find the newest snapshot."""


@dataclass(frozen=True, slots=True)
class ContextOptions:
    """Options of `arena connector context`.

    Attributes:
        files: Files to publish once, in this order.
        watch: Folder to follow until the process is stopped, or None.
    """

    files: tuple[Path, ...] = ()
    watch: Path | None = None


async def serve_context(node: Node, options: ContextOptions) -> None:
    """Publish the files, then follow the folder until cancelled.

    Raises:
        UsageError: A file cannot be read, or the folder does not exist.
        ArenaError: Lines of the files were refused.
    """
    service = ContextService(node)
    try:
        await service.open()
        for path in options.files:
            await service.publish_file(path)
        if options.watch is not None:
            await service.follow(options.watch)
        service.report()
    finally:
        await service.close()


class ContextService:
    """Publishes files.

    Args:
        node: The process; its counters show the progress.
    """

    def __init__(self, node: Node) -> None:
        """Take the process; call `open` first."""
        self._node = node
        self._topic = ContextTopic(node)
        self._publisher = ContextPublisher(node, self._topic)
        self._tails: dict[Path, FileTail] = {}
        self._unreadable: dict[Path, str] = {}

    async def open(self) -> None:
        """Read what was published before."""
        await self._node.bus.ensure_topics([topics.SNAPSHOTS, topics.CONTEXT, topics.DEAD_LETTERS])
        await self._topic.read()
        self._node.status = "running"

    async def close(self) -> None:
        """Stop reading."""
        await self._topic.close()

    async def publish_file(self, path: Path) -> None:
        """Publish all lines of a file.

        Raises:
            UsageError: It cannot be read.
        """
        await self._publisher.publish_file(path, await newest_market(self._node))

    async def follow(self, folder: Path) -> None:
        """Publish what is written to the files of a folder, until cancelled.

        Raises:
            UsageError: The folder cannot be read, or has too many files.
        """
        self._node.log.info("watching", folder=str(folder), suffixes="*.jsonl, *.ndjson")
        while True:
            await self._look(folder)
            await self._node.clock.sleep(LOOK_EVERY_S)

    async def _look(self, folder: Path) -> None:
        """Publish the new lines of all files in the folder."""
        paths = await self._node.threads.run(partial(files_in, folder))
        for gone in self._tails.keys() - set(paths):
            del self._tails[gone]
            self._unreadable.pop(gone, None)
        for path in paths:
            tail = self._tails.setdefault(path, FileTail(path, inside=folder))
            while lines := await self._read(tail):
                await self._publisher.publish(lines, await newest_market(self._node))
                self._publisher.log_progress(path, lines[-1].number)
        self._node.gauges["files"] = len(paths)

    async def _read(self, tail: FileTail) -> list[FileLine]:
        """The new lines of a file; none, with a warning, if it cannot be read now."""
        try:
            lines = await self._node.threads.run(tail.read)
        except (OSError, NotReadable) as error:
            if isinstance(error, FileNotFoundError):
                return []  # It was removed after the folder was read.
            if self._unreadable.get(tail.path) != str(error):
                self._unreadable[tail.path] = str(error)
                self._node.log.warning("file cannot be read", file=str(tail.path), why=str(error))
            return []
        self._unreadable.pop(tail.path, None)
        return lines

    def report(self) -> None:
        """Print the counts.

        Raises:
            ArenaError: Lines were refused.
        """
        counters = self._node.counters
        published, known, refused = (counters[name] for name in (PUBLISHED, KNOWN, REFUSED))
        text = f"{counted(published, 'item')} published, {known:,} known already"
        if refused:
            raise ArenaError(
                f"{text}, {counted(refused, 'line')} refused",
                remedy="`arena tail dead_letters` shows them; correct them and publish the file"
                " again: what is known is not published again",
            )
        print(f"{text}, no line refused")


async def newest_market(node: Node) -> Market:
    """Whether the market is simulated, by the newest snapshot, and the time of the first one."""
    name = topics.SNAPSHOTS.name
    reader = await node.bus.log_reader(name, start=EARLIEST)
    try:
        ends = await reader.end_offsets()
        for (topic, partition), end in ends.items():
            reader.seek(topic, partition, max(reader.position(topic, partition), end - LOOK_BACK))
        newest: MarketSnapshot | None = None
        async with aclosing(read_to_ends(reader, ends)) as batches:
            async for records in batches:
                for record in records:
                    message = record.message_or_none()
                    if isinstance(message, MarketSnapshot) and (
                        newest is None or message.published_at >= newest.published_at
                    ):
                        newest = message
    finally:
        await reader.close()
    if newest is None or not newest.simulated:
        return Market()
    return Market(True, await first_as_of(node))


def require_folder(path: Path) -> None:
    """Require that a folder exists.

    Raises:
        UsageError: It does not.
    """
    if not path.is_dir():
        raise UsageError(f"--watch {path} is not a folder", remedy="create it, or name another")
