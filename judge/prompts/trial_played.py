"""Reads how far a trial by shadow agents is: from `market.snapshots` and `agent.turns`."""

from contextlib import aclosing

from arena import topics
from arena.bus.base import Bus, Start
from arena.messages import TrialStarted
from arena.prompt_trials import first_record_ms
from arena.read_topic import STALL_S, read_to_ends
from judge.prompts.live_trial import LiveTrial

RECORDS_PER_READ = 500


async def read_played(bus: Bus, started: TrialStarted) -> int:
    """Snapshots of a trial that count so far.

    Args:
        bus: Connected.
        started: The trial.

    Raises:
        BrokerUnavailable: The topics cannot be read to their ends.
    """
    fold = LiveTrial(started, {})
    await bus.ensure_topics([topics.SNAPSHOTS, topics.TURNS])
    since = Start.since(first_record_ms(started))
    reader = await bus.log_reader(topics.SNAPSHOTS.name, topics.TURNS.name, start=since)
    try:
        batches = read_to_ends(reader, stall_s=STALL_S, max_records=RECORDS_PER_READ)
        async with aclosing(batches):
            async for records in batches:
                for record in records:
                    fold.apply(record)
    finally:
        await reader.close()
    return fold.progress().done
