"""Whether `account.events` lost its end: by what agents were told of events it does not hold.

Reads the newest records of the inboxes of a shard's agents. A result is sent only once its event
was acked and carries its sequence number, so a higher one than the log's names lost events: the log
was cut, or deleted and made anew. The fold alone cannot see that; what is left of a log is sound.
"""

import asyncio
from collections.abc import Iterable

from arena import ids, topics
from arena.accounts import Shard
from arena.bus.base import Bus, LogReader, Record
from arena.told_events import READ_S, body_of, newest_records, told_seq

AGENTS_MAX = 1_000
"""Agents of a shard whose inboxes are looked at."""
COMMANDS_MAX = 1_000
"""Commands that are looked at for agents, where no event names any."""
LOOK_S = 5.0
REDECIDED = (
    "what its lost events said is undone; orders whose commands are still in account.commands are"
    " decided again, with the prices of now"
)


async def lost_events(bus: Bus, shard: Shard, commands: LogReader) -> str:
    """What is lost of the events of a shard, in words; "" where nothing is known to be.

    Args:
        bus: Inboxes that do not exist are made.
        shard: Folded to the end of its log.
        commands: Of the shard, at the first record, and there again afterwards.

    Raises:
        TimeoutError: The inboxes could not be read in time.
        BrokerUnavailable: They may not be read.
    """
    async with asyncio.timeout(LOOK_S):
        agents = [*shard.accounts] or await _agents_of(commands)
        if not agents:
            return ""
        agents = agents[:AGENTS_MAX]
        await bus.ensure_topics([topics.INBOX.member(agent) for agent in agents])
        reader = await bus.log_reader(*(topics.inbox(agent) for agent in agents))
        try:
            return words_of(await newest_records(reader), shard.seq)
        finally:
            await reader.close()


async def _agents_of(commands: LogReader) -> list[str]:
    """The agents that the first commands name."""
    ends = await commands.end_offsets()
    begins = {pair: commands.position(*pair) for pair in ends}
    found: dict[str, None] = {}
    read = 0
    while read < COMMANDS_MAX and any(commands.position(*pair) < end for pair, end in ends.items()):
        records = await commands.read(timeout_s=READ_S)
        read += len(records)
        for record in records:
            agent = body_of(record).get("agent")
            if isinstance(agent, str) and ids.NAME_PATTERN.fullmatch(agent):
                found[agent] = None
    for pair, begin in begins.items():
        commands.seek(*pair, begin)
    return [*found]


def words_of(records: Iterable[Record], seq: int) -> str:
    """What is lost where agents were told of events behind the newest of the log.

    Args:
        records: Of inboxes.
        seq: Of the log's newest event.
    """
    told, by, where = seq, "", ""
    for record in records:
        found = told_seq(record)
        if found > told:
            told, by = found, record.topic.removeprefix(topics.INBOX.name)
            where = f"{record.topic}[{record.partition}]@{record.offset}"
    if not by:
        return ""
    return (
        f"{by} was told of event {told:,} ({where}), the log ends with event {seq:,}: it was cut,"
        f" or deleted and made anew, and at least {told - seq:,} events are gone; {REDECIDED}"
    )
