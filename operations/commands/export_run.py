"""The export of a run that has ended: its topics, from its broker to `<run>/records/`.

Reads every topic of the run; the broker still runs, everything else has ended.
"""

import asyncio

from arena import topics
from arena.errors import ArenaError
from arena.exports import Manifest, export_topics
from arena.progress import Progress, no_progress
from arena.run_lookup import say
from arena.runs import RECORDS
from operations.commands.supervised_run import RunSetup


def export_run(begin: RunSetup, progress: Progress = no_progress) -> Manifest:
    """Export a run that has ended, so that it can be read without its broker.

    Raises:
        ArenaError: The records could not be read or written.
    """
    return asyncio.run(_export(begin, progress))


async def _export(begin: RunSetup, progress: Progress) -> Manifest:
    from arena.bus.kafka import KafkaBus

    bus = KafkaBus(begin.settings, client_id="arena-export")
    await bus.start()
    try:
        return await export_topics(
            bus,
            begin.directory / RECORDS,
            [topic.name for topic in (*topics.fixed_topics(), *begin.spec.topics())],
            prefix=begin.settings.prefix,
            progress=progress,
        )
    finally:
        await bus.close()


def keep_export(begin: RunSetup) -> None:
    """Export a run that has ended; if that fails, say so: its broker still has the records."""
    try:
        export_run(begin)
    except ArenaError as error:
        say(f"the records stay in the broker and were not exported: {error}")
