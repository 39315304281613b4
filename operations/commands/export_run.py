"""Exports the topics of a run that has ended from its broker to `<run>/records/`.

Reads every topic of the run. Only the broker still runs.
"""

import asyncio
from collections.abc import Sequence

from arena import topics
from arena.bus.base import Bus
from arena.errors import ArenaError
from arena.exports import Manifest, export_topics
from arena.output import print_note
from arena.progress import Progress, no_progress
from arena.roster import read_agents
from arena.runs import RECORDS
from arena.shadow_agents import is_shadow
from operations.commands.supervised_run import RunSetup


def export_run(setup: RunSetup, progress: Progress = no_progress) -> Manifest:
    """Export a run that has ended, so it can be read without its broker.

    Raises:
        ArenaError: The records could not be read or written.
    """
    return asyncio.run(_export(setup, progress))


async def _export(setup: RunSetup, progress: Progress) -> Manifest:
    from arena.bus.kafka import KafkaBus

    bus = KafkaBus(setup.settings, client_id="arena-export")
    await bus.start()
    try:
        names = [topic.name for topic in (*topics.fixed_topics(), *setup.spec.topics())]
        return await export_topics(
            bus,
            setup.directory / RECORDS,
            await with_shadow_inboxes(bus, await without_missing_inboxes(bus, names)),
            prefix=setup.settings.prefix,
            progress=progress,
        )
    finally:
        await bus.close()


async def without_missing_inboxes(bus: Bus, names: Sequence[str]) -> list[str]:
    """The topics to export: a run of an older version lacks the inboxes of judge and chats."""
    inboxes = {spec.name for spec in topics.ASKER_INBOXES.values()}
    missing = inboxes - set(await bus.existing_topics(sorted(inboxes)))
    return [name for name in names if name not in missing]


async def with_shadow_inboxes(bus: Bus, names: Sequence[str]) -> list[str]:
    """The topics to export, with the inboxes of shadow agents, which no specification has."""
    shadows = sorted(a for a, spec in (await read_agents(bus)).items() if is_shadow(a, spec))
    inboxes = await bus.existing_topics([topics.INBOX.member(name).name for name in shadows])
    return [*names, *(name for name in inboxes if name not in names)]


def export_or_note(setup: RunSetup) -> None:
    """Export a run that has ended; print a note if that fails: its broker still has the records."""
    try:
        export_run(setup)
    except ArenaError as error:
        print_note(f"the records were not exported; the broker still has them: {error}")
