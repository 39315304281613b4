"""Reads `prompts`, and appends to it, reporting whether the record counts.

Two people may change a prompt at the same time, and the fold alone decides which record counts. So
a writer reads the log up to its own record before it reports a change.
"""

from datetime import datetime

from arena import topics
from arena.bus.base import EARLIEST, Bus
from arena.messages import (
    MarketSnapshot,
    PromptDecided,
    PromptProposed,
    TrialEnded,
    TrialStarted,
)
from arena.prompt_versions import PromptBook
from arena.read_topic import for_each_record, read_backwards

SNAPSHOTS_BACK = 4
"""Newest offsets of `market.snapshots` that are read first for the venue time."""


async def read_prompts(bus: Bus) -> PromptBook:
    """The versions of all agents.

    Raises:
        BrokerUnavailable: The topic cannot be read to its end.
    """
    book = PromptBook()
    await for_each_record(bus, topics.PROMPTS, book.apply)
    return book


async def append_prompt(
    bus: Bus, message: PromptProposed | PromptDecided | TrialStarted | TrialEnded
) -> tuple[str, PromptBook]:
    """Append a record about an agent's prompt.

    Returns:
        Why it changed nothing, "" if it counts; and the versions after it.

    Raises:
        AppendFailed: It was not written, or it is not known.
        BrokerUnavailable: The topic cannot be read to its end.
    """
    acked = await bus.append(topics.PROMPTS.name, message, key=message.agent)
    book = await read_prompts(bus)
    refused = book.of(message.agent).refused
    return next((one.why for one in refused if one.offset == acked.offset), ""), book


async def newest_as_of(bus: Bus) -> datetime | None:
    """Venue time of the newest snapshot; None without one.

    Raises:
        BrokerUnavailable: The topic cannot be read to its end.
    """
    await bus.ensure_topics([topics.SNAPSHOTS])
    pair = topics.SNAPSHOTS.name, 0
    reader = await bus.partition_reader(*pair, EARLIEST)
    try:
        end = (await reader.end_offsets())[pair]
        async for records in read_backwards(reader, pair, end, chunk=SNAPSHOTS_BACK):
            for record in reversed(records):
                message = record.message_or_none()
                if isinstance(message, MarketSnapshot):
                    return message.as_of
    finally:
        await reader.close()
    return None
