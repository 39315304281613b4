"""Where an audit's records come from: an export, a sealed bundle, a run, or the live topics.

The topics of a broker are first written to a folder, up to where they end now, and audited there:
one way to read, whatever the source, and a bounded batch in memory. The folder of a broker that
was asked is removed afterwards.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os.path import lexists
from pathlib import Path

from arena import topics
from arena.bus.base import Record
from arena.errors import UsageError
from arena.exports import MANIFEST_FILE, Manifest, export_topics, read_manifest, read_records
from arena.pass_overs import PassedOver, passed_over_of
from arena.progress import Progress, no_progress
from arena.run_lookup import find_arena, say
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
        name: For people: "run 2026-11-21T09-12-03", "bundle ./sealed", "the live topics".
        records: The folder of `arena.exports`.
        bundle: The sealed bundle it is part of, or None.
        run: The run's directory, where there is one; raw frames may lie there.
        live: It was read from a broker whose arena may run on.
    """

    name: str
    records: Path
    bundle: Path | None = None
    run: Path | None = None
    live: bool = False

    def scope(self) -> Scope:
        """What of every topic is there."""
        manifest = read_manifest(self.records)
        return Scope({t: f.partitions for t, f in manifest.topics.items()}, live=self.live)

    def read(self, names: list[str] | None = None) -> Iterator[Record]:
        """The records of topics, or all of them in the order in which checkers want them."""
        manifest = read_manifest(self.records)
        held = in_order(manifest.topics)
        wanted = held if names is None else in_order(names)
        yield from read_records(self.records, wanted, exact=False)

    def topics(self) -> list[str]:
        """The topics that are there."""
        return in_order(read_manifest(self.records).topics)

    def passed_over(self) -> PassedOver:
        """Records of the account log that an operator said to pass over."""
        held = topics.CONTROL.name in read_manifest(self.records).topics
        return passed_over_of(self.read([topics.CONTROL.name])) if held else {}

    def count(self) -> int:
        """How many records there are."""
        return sum(file.count for file in read_manifest(self.records).topics.values())


@contextmanager
def open_source(
    name: str | None,
    *,
    live: bool = False,
    servers: str | None = None,
    prefix: str | None = None,
    progress: Progress = no_progress,
) -> Iterator[RecordSource]:
    """Find the records a command means.

    Args:
        name: A bundle, an export or a run's directory, a run's name, "last" or "last~1"; the newest
            run where none is given.
        live: Read the broker's topics now, not what was exported of them.
        servers: Of that broker.
        prefix: Of its topics.
        progress: Told while topics are read from a broker.

    Raises:
        UsageError: There is no such thing.
        BrokerUnavailable: The broker does not answer.
    """
    home = Settings().home
    if not live and (found := _exported(home, name)) is not None:
        yield found
        return
    with (
        tempfile.TemporaryDirectory(prefix="arena-audit-") as folder,
        find_arena(servers, prefix, name) as where,
    ):
        records = Path(folder) / RECORDS
        asyncio.run(export_arena(where.settings, records, progress))
        running = where.run is None or where.run.is_running()
        title = f"run {where.directory.name}" if where.directory else "the topics"
        address = where.settings.bootstrap_servers
        text = f"{title}, live at {address}" if running else title
        yield RecordSource(text, records, run=where.directory, live=running)


def _exported(home: Path, name: str | None) -> RecordSource | None:
    """The export that a name means; None where the broker of a run must be asked."""
    path = Path(name) if name is not None else None
    if path is not None and lexists(path / SEAL_FILE):
        return RecordSource(f"bundle {path}", path / RECORDS, bundle=path)
    if path is not None and lexists(path / MANIFEST_FILE):
        run = path.parent if read_run(path.parent) is not None else None
        return RecordSource(f"records {path}", path, run=run)
    if name is None:
        pair = newest_run(home, RECORDS_NEEDED)
    else:
        pair = find_run(home, name, need=RECORDS_NEEDED if name.startswith("last") else None)
    if pair is None or not _is_to_be_used(*pair):
        return None
    directory = pair[0]
    if not _is_whole(directory / RECORDS):
        say(f"{directory / RECORDS} holds no requests and replies; reading them from its broker")
        return None
    return RecordSource(f"run {directory.name}", directory / RECORDS, run=directory)


def _is_to_be_used(directory: Path, run: RunRecord) -> bool:
    """True if a run's export is what is left of it, or all of it."""
    if has_export(directory, run):
        return True
    return lexists(directory / RECORDS / MANIFEST_FILE) and not has_records(directory, run)


def _is_whole(records: Path) -> bool:
    """True where the topics of agents and nodes are there too, or their broker is gone."""
    held = read_manifest(records).topics
    run = read_run(records.parent)
    if run is None or run.broker_home is None or not run.durable:
        return True
    return any(name.startswith(topics.INBOX.name) for name in held)


async def export_arena(
    settings: Settings, folder: Path, progress: Progress = no_progress
) -> Manifest:
    """Write every topic of an arena, those of its agents and nodes included, to a folder.

    Raises:
        UsageError: There is no topic.
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
