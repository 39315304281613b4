"""Opens the records of an audit: an export, a sealed bundle, a run, or live topics.

The topics of a broker are first exported to a temporary folder, up to their present ends, and
audited there. So records of every source are read in the same way, in bounded batches.
"""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os.path import lexists
from pathlib import Path

from arena import topics
from arena.bus.base import Record
from arena.errors import UsageError
from arena.exports import MANIFEST_FILE, Manifest, export_topics, read_manifest, read_records
from arena.output import print_note
from arena.pass_overs import PassedOver, passed_over_of
from arena.progress import Progress, no_progress
from arena.run_lookup import find_arena
from arena.runs import (
    RECORDS,
    RECORDS_NEEDED,
    RunRecord,
    find_run,
    has_export,
    has_records,
    newest_run,
    read_run,
)
from arena.settings import Settings
from ledger.audit.checker import Scope
from ledger.audit.decoding import in_order

SEAL_FILE = "seal.json"


@dataclass(frozen=True, slots=True)
class RecordSource:
    """Records that can be read.

    Attributes:
        name: Its name for people: "run 2026-11-21T09-12-03", "bundle ./sealed", "the live topics".
        records: The folder of the export.
        bundle: The sealed bundle it is part of, or None.
        run: The directory of the run, or None; it may hold raw frames.
        live: It was read from a broker whose arena may still be running.
    """

    name: str
    records: Path
    bundle: Path | None = None
    run: Path | None = None
    live: bool = False

    def scope(self) -> Scope:
        """Return the offsets that are there of every topic."""
        manifest = read_manifest(self.records)
        return Scope({t: f.partitions for t, f in manifest.topics.items()}, live=self.live)

    def read(self, names: list[str] | None = None) -> Iterator[Record]:
        """Yield the records of some topics, or of all, in the order that checkers need."""
        manifest = read_manifest(self.records)
        held = in_order(manifest.topics)
        wanted = held if names is None else in_order(names)
        yield from read_records(self.records, wanted, exact=False)

    def topics(self) -> list[str]:
        """Return the topics that are there."""
        return in_order(read_manifest(self.records).topics)

    def passed_over(self) -> PassedOver:
        """Return the records of the account log that an operator told every reader to skip."""
        held = topics.CONTROL.name in read_manifest(self.records).topics
        return passed_over_of(self.read([topics.CONTROL.name])) if held else {}

    def count(self) -> int:
        """Return the number of records."""
        return sum(file.count for file in read_manifest(self.records).topics.values())


def reader_of(source: RecordSource) -> Callable[[str], Callable[[], Iterator[Record]] | None]:
    """Topic -> a function that reads it from its start; None if the source does not have it."""
    held = frozenset(source.topics())
    return lambda topic: (lambda: source.read([topic])) if topic in held else None


@contextmanager
def open_source(
    name: str | None,
    *,
    live: bool = False,
    servers: str | None = None,
    prefix: str | None = None,
    progress: Progress = no_progress,
) -> Iterator[RecordSource]:
    """Open the records that a command means.

    Args:
        name: A bundle, an export or a run's directory, a run's name, "last" or "last~1"; None means
            the newest run.
        live: Read the present topics of the broker, not their export.
        servers: The addresses of that broker.
        prefix: The prefix of its topics.
        progress: Receives the topics read from a broker.

    Raises:
        UsageError: Nothing has that name.
        BrokerUnavailable: The broker does not answer.
    """
    home = Settings().home
    if not live and (found := _exported(home, name)) is not None:
        yield found
        return
    with (
        tempfile.TemporaryDirectory(prefix="arena-audit-") as folder,
        find_arena(servers, prefix, name) as location,
    ):
        records = Path(folder) / RECORDS
        asyncio.run(export_arena(location.settings, records, progress))
        running = location.run is None or location.run.is_running()
        title = f"run {location.directory.name}" if location.directory else "the topics"
        address = location.settings.bootstrap_servers
        text = f"{title}, live at {address}" if running else title
        yield RecordSource(text, records, run=location.directory, live=running)


def _exported(home: Path, name: str | None) -> RecordSource | None:
    """Return the export that a name means; None if the broker of a run must be read."""
    path = Path(name) if name is not None else None
    if path is not None and lexists(path / SEAL_FILE):
        return RecordSource(f"bundle {path}", path / RECORDS, bundle=path)
    if path is not None and lexists(path / MANIFEST_FILE):
        run = path.parent if read_run(path.parent) is not None else None
        return RecordSource(f"records {path}", path, run=run)
    if name is None:
        directory_and_run = newest_run(home, RECORDS_NEEDED)
    else:
        directory_and_run = find_run(
            home, name, need=RECORDS_NEEDED if name.startswith("last") else None
        )
    if directory_and_run is None or not _is_usable(*directory_and_run):
        return None
    directory = directory_and_run[0]
    if not _is_whole(directory / RECORDS):
        print_note(
            f"{directory / RECORDS} has no requests and replies; reading them from its broker"
        )
        return None
    return RecordSource(f"run {directory.name}", directory / RECORDS, run=directory)


def _is_usable(directory: Path, run: RunRecord) -> bool:
    """True if the export of a run is complete, or all that is left of the run."""
    if has_export(directory, run):
        return True
    return lexists(directory / RECORDS / MANIFEST_FILE) and not has_records(directory, run)


def _is_whole(records: Path) -> bool:
    """True if the export includes the topics of agents and nodes, or their broker is gone."""
    held = read_manifest(records).topics
    run = read_run(records.parent)
    if run is None or run.broker_home is None or not run.durable:
        return True
    return any(name.startswith(topics.INBOX.name) for name in held)


async def export_arena(
    settings: Settings, folder: Path, progress: Progress = no_progress
) -> Manifest:
    """Export every topic of an arena, including those of its agents and nodes, to a folder.

    Raises:
        UsageError: The arena has no account log.
        BrokerUnavailable: The broker does not answer.
    """
    from arena.bus.kafka import KafkaBus
    from arena.bus.kafka_admin import list_topics

    names = in_order(await list_topics(settings))
    if topics.EVENTS.name not in names:
        raise UsageError(
            f"no account.events at {settings.bootstrap_servers} with prefix {settings.prefix!r}",
            remedy="name a run, a folder of records, or another --prefix",
        )
    bus = KafkaBus(settings, client_id="arena-audit")
    await bus.start()
    try:
        return await export_topics(bus, folder, names, prefix=settings.prefix, progress=progress)
    finally:
        await bus.close()
